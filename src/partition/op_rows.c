/* SPDX-License-Identifier: BSD-3-Clause */
/* Places of row sets and shared tables, and rows with a bias. */
#include "partition/ops.h"

#include <stdio.h>

#include "partition/place.h"

/* `n` neighbouring inner slices from slot `slot` in hemisphere `east`. */
static void inner_slices(const struct block *b, bool east, int32_t slot, int32_t n, int32_t *slice)
{
    for (int32_t j = 0; j < n; j++)
        slice[j] = emit_inner_slice(b, east, slot + j);
}

struct quads ops_quads_at(struct block *b, const char *name, int32_t tiles, int32_t rows,
                          int32_t mirror, int32_t first_slot, int32_t second_slot)
{
    struct quads quads = {.tiles = tiles, .mirror = mirror};
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t slice[2], count = shape_tiles_of(tiles, SHAPE_QUADS, q) * rows;
        char full[24];
        inner_slices(b, quads_east(&quads, q), q / 2 ? second_slot : first_slot, 2, slice);
        snprintf(full, sizeof full, "%.12s.q%d", name, q);
        quads.tensor[q] = count <= 0 ? -1
                                     : emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16,
                                                   full, slice, 2, count);
    }
    return quads;
}

struct quads ops_inner_quads(struct block *b, const char *name, int32_t tiles, int32_t rows,
                             int32_t mirror)
{
    return ops_quads_at(b, name, tiles, rows, mirror, OPS_SLOT_X, OPS_SLOT_Y);
}

void ops_hidden_constants(struct block *b, const char *name, char letter,
                          int32_t tensor[SHAPE_QUADS])
{
    int32_t tiles = shape_tile_rows(b->shape->hidden_tiles, SHAPE_QUADS);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t slot = q / 2 ? OPS_SLOT_SCALE_Y : OPS_SLOT_SCALE_X, slice[2];
        char full[24];
        inner_slices(b, q % 2, slot, 2, slice);
        snprintf(full, sizeof full, "%.12s.%c%d", name, letter, q);
        int32_t valid = shape_tiles_of(b->shape->hidden_tiles, SHAPE_QUADS, q);
        tensor[q] = emit_tensor(b,
                                &(struct tensor_spec){.name = full,
                                                      .kind = PROGRAM_TENSOR_CONSTANT,
                                                      .dtype = PROGRAM_DTYPE_FP16,
                                                      .subs = 2,
                                                      .count = tiles,
                                                      .valid = valid > 0 ? valid : 0,
                                                      .slice = slice},
                                -1);
    }
}

int32_t ops_residual_slice(const struct block *b, int32_t buffer, int32_t quad, int32_t sub)
{
    bool second = quad / 2 != (buffer > 0);
    int32_t slot = second ? OPS_SLOT_ROW + sub : sub ? OPS_SLOT_SPARE : OPS_SLOT_BYTES;
    struct block at = *b;
    at.set = 0;
    return emit_inner_slice(&at, quad % 2, slot);
}

struct quads ops_residual(struct block *b, const char *name, int32_t buffer, int8_t layer_step,
                          const int32_t address[OPS_RESIDUALS])
{
    const struct shape *s = b->shape;
    struct quads quads = {.tiles = s->hidden_tiles};
    int32_t padded = shape_tile_rows(s->hidden_tiles, SHAPE_QUADS) * s->rows;
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t slice[2] = {ops_residual_slice(b, buffer, q, 0),
                            ops_residual_slice(b, buffer, q, 1)};
        int32_t tiles = shape_tiles_of(s->hidden_tiles, SHAPE_QUADS, q);
        char full[24];
        snprintf(full, sizeof full, "%.12s.q%d", name, q);
        quads.tensor[q] =
            emit_tensor(b,
                        &(struct tensor_spec){.name = full,
                                              .kind = PROGRAM_TENSOR_ACTIVATION,
                                              .dtype = PROGRAM_DTYPE_FP16,
                                              .subs = 2,
                                              .count = padded,
                                              .valid = (tiles > 0 ? tiles : 0) * s->rows,
                                              .slice = slice,
                                              .shared = true,
                                              .layer_step = layer_step},
                        address[buffer]);
    }
    return quads;
}

struct quads ops_bias(struct block *b, const struct quads *in, const char *name)
{
    enum { STREAM_ROWS = 8, STREAM_BIAS = 18, STREAM_SUM = 20 };
    int32_t rows = b->shape->rows, x = emit_vxm_x(b);
    struct quads out =
        ops_quads_at(b, name, in->tiles, rows, 0, OPS_SLOT_SCALE_X, OPS_SLOT_SCALE_Y);
    emit_op(b, name, true);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t tiles = shape_tiles_of(in->tiles, SHAPE_QUADS, q), slice[2];
        char full[24];
        if (tiles <= 0)
            continue;
        inner_slices(b, q % 2, OPS_SLOT_ROW, 2, slice);
        snprintf(full, sizeof full, "%.12s.b%d", name, q);
        int32_t bias =
            emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16, full, slice, 2, tiles);
        struct pattern p = emit_pattern(rows, 1, tiles, rows);
        struct walk walk = emit_walk(0, 1, rows);
        struct lane_group at = {emit_inward(q % 2), STREAM_ROWS, x, 0};
        struct program_operand term[2],
            sum = emit_stream(emit_outward(q % 2), STREAM_SUM, 2, out.tensor[q], 0, walk);
        term[0] = emit_read(b, in->tensor[q], 0, 2, walk, p, at);
        at.stream = STREAM_BIAS;
        term[1] = emit_read(b, bias, 0, 2, emit_walk(0, 0, 1), p, at);
        struct alu a = {.unit = q, .function = PROGRAM_VXM_ADD, .p = p};
        int64_t c = emit_alu(b, a, term, 2, &sum, 1);
        emit_write(b, out.tensor[q], 0, 2, walk, p,
                   (struct lane_group){emit_outward(q % 2), STREAM_SUM, x, c});
        place_group(b, 0);
    }
    return out;
}

static int32_t table(struct block *b, const char *name, bool east, int32_t slot, int32_t subs,
                     int32_t count)
{
    int32_t slice[4];
    inner_slices(b, east, slot, subs, slice);
    return emit_tensor(b,
                       &(struct tensor_spec){.name = name,
                                             .kind = PROGRAM_TENSOR_CONSTANT,
                                             .dtype = PROGRAM_DTYPE_FP16,
                                             .subs = subs,
                                             .count = count,
                                             .valid = count,
                                             .slice = slice,
                                             .shared = true,
                                             .layer_step = -1},
                       -1);
}

/* `count` rows, at one address, in every slice that may stream weights: sub = hemisphere * 40 +
 * from the VXM. */
static int32_t rows_everywhere(struct block *b, const char *name, int32_t count, int32_t valid)
{
    enum { SIDE = EMIT_SETS * EMIT_SET_SLICES };
    int32_t slice[2 * SIDE], set = b->set;
    for (int32_t j = 0; j < 2 * SIDE; j++) {
        b->set = j % SIDE / EMIT_SET_SLICES;
        slice[j] = emit_inner_slice(b, j >= SIDE, EMIT_FREE_SLICES + j % EMIT_SET_SLICES);
    }
    b->set = set;
    return emit_tensor(b,
                       &(struct tensor_spec){.name = name,
                                             .kind = PROGRAM_TENSOR_CONSTANT,
                                             .dtype = PROGRAM_DTYPE_FP16,
                                             .subs = 2 * SIDE,
                                             .count = count,
                                             .valid = valid,
                                             .slice = slice,
                                             .shared = true,
                                             .layer_step = -1},
                       -1);
}

/* A row for all columns of an array, in the 32 slices a hemisphere that stream when the last set is
 * free: ones for lane sums, or ids. */
static int32_t array_table(struct block *b, const char *name, int32_t hemispheres)
{
    int32_t slice[2 * EMIT_OUTER_SLICES], set = b->set;
    b->set = EMIT_SETS - 1;
    for (int32_t j = 0; j < hemispheres * EMIT_OUTER_SLICES; j++)
        slice[j] = emit_outer_slice(b, j >= EMIT_OUTER_SLICES, j % EMIT_OUTER_SLICES);
    b->set = set;
    return emit_tensor(b,
                       &(struct tensor_spec){.name = name,
                                             .kind = PROGRAM_TENSOR_CONSTANT,
                                             .dtype = PROGRAM_DTYPE_FP16,
                                             .subs = hemispheres * EMIT_OUTER_SLICES,
                                             .count = 1,
                                             .valid = 1,
                                             .slice = slice,
                                             .shared = true,
                                             .layer_step = -1},
                       -1);
}

/* Tables that stand in both hemispheres. */
static void hemisphere_tables(struct block *b, struct common *c)
{
    int32_t positions = b->shape->kv_tiles * b->shape->kv_tile_positions;
    int32_t masks = b->shape->kv_tile_positions + 1;
    for (int32_t east = 0; east < 2; east++) {
        c->cosine[east] = table(b, east ? "cos.e" : "cos.w", east, OPS_SLOT_X, 2, positions);
        c->sine[east] = table(b, east ? "sin.e" : "sin.w", east, OPS_SLOT_Y, 2, positions);
        c->mask[east] = table(b, east ? "mask.e" : "mask.w", east, OPS_SLOT_Y, 2, masks);
        c->value_ones[east] =
            table(b, east ? "value.ones.e" : "value.ones.w", east, OPS_SLOT_X, 2, 1);
        if (b->shape->window)
            c->window[east] = table(b, east ? "window.e" : "window.w", east, OPS_SLOT_X, 2, masks);
    }
}

void ops_common(struct block *b, struct common *c)
{
    c->zero = emit_tensor(b,
                          &(struct tensor_spec){.name = "zero",
                                                .kind = PROGRAM_TENSOR_ZERO,
                                                .subs = 1,
                                                .shared = true,
                                                .layer_step = -1},
                          -1);
    /* First, so that its four rows have one address. */
    int32_t slice[4];
    inner_slices(b, false, OPS_SLOT_X, 4, slice);
    c->token = emit_tensor(b,
                           &(struct tensor_spec){.name = "token",
                                                 .kind = PROGRAM_TENSOR_ACTIVATION,
                                                 .dtype = PROGRAM_DTYPE_KEY,
                                                 .subs = 4,
                                                 .count = b->shape->rows,
                                                 .valid = b->shape->rows,
                                                 .slice = slice,
                                                 .shared = true,
                                                 .layer_step = -1},
                           -1);
    hemisphere_tables(b, c);
    c->zeros = rows_everywhere(b, "zeros", shape_tile_rows(b->shape->hidden_tiles, SHAPE_QUADS), 0);
    c->dump_row = emit_address(b, rows_everywhere(b, "dump", 1, 1), 0);
    c->ones = array_table(b, "ones", 2);
    if (b->shape->experts)
        c->expert_ids = array_table(b, "expert.ids", 1);
}
