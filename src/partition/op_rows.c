/* SPDX-License-Identifier: BSD-3-Clause */
/* Places of row sets and shared tables, and the gated product. */
#include "partition/ops.h"

#include <stdio.h>

#include "partition/place.h"

/* `n` neighbouring inner slices from slot `slot` in hemisphere `east`. */
static void inner_slices(const struct block *b, bool east, int32_t slot, int32_t n, int32_t *slice)
{
    for (int32_t j = 0; j < n; j++)
        slice[j] = emit_inner_slice(b, east, slot + j);
}

struct quads ops_inner_quads(struct block *b, const char *name, enum program_dtype dtype, int32_t tiles,
                             int32_t used, int32_t rows)
{
    struct quads quads = {.used = used, .tiles = tiles};
    int32_t padded = shape_tile_rows(tiles, used) * rows;
    for (int32_t q = 0; q < used; q++) {
        int32_t slice[2];
        char full[24];
        int32_t slot = used == 2 ? OPS_SLOT_SCALE_X : q / 2 ? OPS_SLOT_Y : OPS_SLOT_X;
        inner_slices(b, q % 2, slot, 2, slice);
        snprintf(full, sizeof full, "%.16s.q%d", name, q);
        quads.tensor[q] = emit_tensor(b,
                                      &(struct tensor_spec){.name = full,
                                                            .kind = PROGRAM_TENSOR_ACTIVATION,
                                                            .dtype = dtype,
                                                            .subs = 2,
                                                            .count = padded,
                                                            .valid = shape_tiles_of(tiles, used, q) * rows,
                                                            .slice = slice},
                                      -1);
    }
    return quads;
}

struct quads ops_residual(struct block *b, const char *name, int32_t buffer, int8_t layer_step,
                          const int32_t address[2])
{
    const struct shape *s = b->shape;
    struct quads quads = {.used = SHAPE_QUADS, .tiles = s->hidden_tiles};
    int32_t padded = shape_tile_rows(s->hidden_tiles, SHAPE_QUADS) * s->rows;
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t first = 4 * buffer + 2 * (q / 2);
        int32_t slice[2] = {emit_outer_slice(b, q % 2, first), emit_outer_slice(b, q % 2, first + 1)};
        char full[24];
        snprintf(full, sizeof full, "%.16s.q%d", name, q);
        quads.tensor[q] =
            emit_tensor(b,
                        &(struct tensor_spec){.name = full,
                                              .kind = PROGRAM_TENSOR_ACTIVATION,
                                              .dtype = PROGRAM_DTYPE_FP16,
                                              .subs = 2,
                                              .count = padded,
                                              .valid = shape_tiles_of(s->hidden_tiles, SHAPE_QUADS, q) * s->rows,
                                              .slice = slice,
                                              .shared = true,
                                              .layer_step = layer_step},
                        address[buffer]);
    }
    return quads;
}

static int32_t table(struct block *b, const char *name, bool east, int32_t slot, int32_t subs, int32_t count)
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

/* One row in every outer slice of both hemispheres: 64 subs. */
static int32_t outer_rows(struct block *b, const char *name, enum program_tensor_kind kind, int32_t count,
                          int32_t valid)
{
    int32_t slice[2 * EMIT_OUTER_SLICES];
    for (int32_t j = 0; j < 2 * EMIT_OUTER_SLICES; j++)
        slice[j] = emit_outer_slice(b, j >= EMIT_OUTER_SLICES, j % EMIT_OUTER_SLICES);
    return emit_tensor(b,
                       &(struct tensor_spec){.name = name,
                                             .kind = kind,
                                             .dtype = PROGRAM_DTYPE_FP16,
                                             .subs = 2 * EMIT_OUTER_SLICES,
                                             .count = count,
                                             .valid = valid,
                                             .slice = slice,
                                             .shared = true,
                                             .layer_step = -1},
                       -1);
}

void ops_common(struct block *b, struct common *c)
{
    int32_t positions = b->shape->kv_tiles * b->shape->kv_tile_positions;
    int32_t masks = b->shape->kv_tile_positions + 1;
    c->zero = emit_tensor(b,
                          &(struct tensor_spec){.name = "zero",
                                                .kind = PROGRAM_TENSOR_ZERO,
                                                .subs = 1,
                                                .shared = true,
                                                .layer_step = -1},
                          -1);
    c->cosine = table(b, "cos", false, OPS_SLOT_ROW, 2, positions);
    c->sine = table(b, "sin", true, OPS_SLOT_ROW, 2, positions);
    c->mask[0] = table(b, "mask.w", false, OPS_SLOT_ROW, 2, masks);
    c->mask[1] = table(b, "mask.e", true, OPS_SLOT_ROW, 2, masks);
    c->value_ones = table(b, "value.ones", true, OPS_SLOT_ROW, 2, 1);
    c->ones = outer_rows(b, "ones", PROGRAM_TENSOR_CONSTANT, 1, 1);
    c->zeros = outer_rows(b, "zeros", PROGRAM_TENSOR_CONSTANT,
                          shape_tile_rows(b->shape->hidden_tiles, SHAPE_QUADS), 0);
    c->dump = outer_rows(b, "dump", PROGRAM_TENSOR_CONSTANT, 1, 1);
}

enum { STREAM_IN = 8, STREAM_OUT = 20 };

/* g and u arrive together: h = g * u (the 1/2 is in u's column scale), t = tanh(g / 2), then h * t + h. */
static void gate_pair(struct block *b, const struct quads *both, int32_t pair, struct pattern p, int32_t out)
{
    int32_t rows = b->shape->rows, unit = 8 * pair, x = emit_vxm_x(b);
    struct program_operand in[2], next[2];
    for (int32_t k = 0; k < 2; k++)
        in[k] = emit_read(b, both->tensor[2 * pair + k], 0, 2, emit_walk(0, 1, rows), p,
                          (struct lane_group){emit_inward(k), STREAM_IN + 2 * pair, x, 0});
    struct alu a = {.unit = unit, .function = PROGRAM_VXM_TANH, .immediate = 0.5f, .p = p};
    emit_alu(b, a, in, 1, NULL, 0);
    a.unit = unit + 1, a.function = PROGRAM_VXM_MUL;
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    next[0] = emit_alu_operand(unit + 1), next[1] = emit_alu_operand(unit);
    a.unit = unit + 2;
    emit_alu(b, a, next, 2, NULL, 0);
    a.unit = unit + 3, a.function = PROGRAM_VXM_COPY;
    a.cycle = emit_alu(b, a, next, 1, NULL, 0);
    next[0] = emit_alu_operand(unit + 2), next[1] = emit_alu_operand(unit + 3);
    a.unit = unit + 4, a.function = PROGRAM_VXM_ADD;
    struct program_operand to =
        emit_stream(emit_outward(pair), STREAM_OUT, 2, out, 0, emit_walk(0, 1, rows));
    struct lane_group from = {emit_outward(pair), STREAM_OUT, x, emit_alu(b, a, next, 2, &to, 1)};
    emit_write(b, out, 0, 2, emit_walk(0, 1, rows), p, from);
}

struct quads ops_gate(struct block *b, const struct quads *both)
{
    int32_t rows = b->shape->rows, pairs = both->tiles / 2;
    emit_op(b, "gate", true);
    struct quads out = ops_inner_quads(b, "gated", PROGRAM_DTYPE_FP16, pairs, 2, rows);
    for (int32_t pair = 0; pair < 2; pair++) {
        int32_t tiles = shape_tiles_of(pairs, 2, pair);
        if (tiles)
            gate_pair(b, both, pair, emit_pattern(rows, 1, tiles, rows), out.tensor[pair]);
    }
    place_group(b, 0);
    return out;
}
