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
    for (int32_t east = 0; east < 2; east++) {
        c->cosine[east] = table(b, east ? "cos.e" : "cos.w", east, OPS_SLOT_X, 2, positions);
        c->sine[east] = table(b, east ? "sin.e" : "sin.w", east, OPS_SLOT_Y, 2, positions);
        c->mask[east] = table(b, east ? "mask.e" : "mask.w", east, OPS_SLOT_Y, 2, masks);
        c->value_ones[east] =
            table(b, east ? "value.ones.e" : "value.ones.w", east, OPS_SLOT_X, 2, 1);
        if (b->shape->window)
            c->window[east] = table(b, east ? "window.e" : "window.w", east, OPS_SLOT_X, 2, masks);
    }
    c->zeros = rows_everywhere(b, "zeros", shape_tile_rows(b->shape->hidden_tiles, SHAPE_QUADS), 0);
    c->dump_row = emit_address(b, rows_everywhere(b, "dump", 1, 1), 0);
    c->ones = array_table(b, "ones", 2);
    if (b->shape->experts)
        c->expert_ids = array_table(b, "expert.ids", 1);
}

enum { STREAM_IN = 8, STREAM_OUT = 20 };

/* g and u arrive together: h = g * u / 2 and t = tanh(g / 2), then h * t + h. */
static void gate_pair(struct block *b, const struct quads *both, int32_t pair, int32_t tiles,
                      int32_t out)
{
    int32_t rows = b->shape->rows, unit = 8 * pair, x = emit_vxm_x(b);
    struct pattern p = emit_pattern(rows, 1, tiles, rows);
    struct walk walk = emit_walk(pair * rows, 1, 2 * rows);
    struct program_operand in[2], next[2];
    for (int32_t k = 0; k < 2; k++)
        in[k] = emit_read(b, both->tensor[2 * pair + k], 0, 2, emit_walk(0, 1, rows), p,
                          (struct lane_group){emit_inward(k), STREAM_IN + 2 * pair, x, 0});
    struct alu a = {.unit = unit, .function = PROGRAM_VXM_TANH, .immediate = 0.5f, .p = p};
    emit_alu(b, a, in, 1, NULL, 0);
    a.unit = unit + 1, a.function = PROGRAM_VXM_MUL;
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    next[0] = emit_alu_operand(unit + 1), next[1] = emit_alu_operand(unit);
    a.unit = unit + 2, a.immediate = 0;
    emit_alu(b, a, next, 2, NULL, 0);
    a.unit = unit + 3, a.function = PROGRAM_VXM_COPY;
    a.cycle = emit_alu(b, a, next, 1, NULL, 0);
    next[0] = emit_alu_operand(unit + 2), next[1] = emit_alu_operand(unit + 3);
    a.unit = unit + 4, a.function = PROGRAM_VXM_ADD;
    struct program_operand to = emit_stream(PROGRAM_EAST, STREAM_OUT, 2, out, 0, walk);
    struct lane_group from = {PROGRAM_EAST, STREAM_OUT, x, emit_alu(b, a, next, 2, &to, 1)};
    emit_write(b, out, 0, 2, walk, p, from);
    place_group(b, 0);
}

/* The least that a clamped gate lets pass, in all lanes; in slots that hold no rows of a gate. */
static int32_t gate_limit(struct block *b, bool east)
{
    int32_t slice[2] = {emit_inner_slice(b, east, OPS_SLOT_BYTES),
                        emit_inner_slice(b, east, OPS_SLOT_SPARE)};
    return emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16,
                       east ? "gate.limit.e" : "gate.limit.w", slice, 2, 1);
}

/* One function of a chain, of results of earlier ALUs and a stream behind them. */
static int64_t link_chain(struct block *b, struct alu a, int32_t first, int32_t second,
                          const struct program_operand *stream)
{
    struct program_operand in[2] = {emit_alu_operand(first)};
    if (second >= 0)
        in[1] = emit_alu_operand(second);
    if (stream)
        in[1] = *stream;
    return emit_alu(b, a, in, second >= 0 || stream ? 2 : 1, NULL, 0);
}

/* (u' + 1) g' sigmoid(alpha g') with g' of at most the limit and u' within it, both ways: the
 * limit is taken as a maximum of negative numbers, the sigmoid as half of 1 + tanh. */
static void clamped_pair(struct block *b, const struct quads *both, int32_t pair, int32_t tiles,
                         const int32_t limit[2], int32_t out)
{
    enum { STREAM_LIMIT = 12, UP = 8 }; /* UP: first ALU of u */
    int32_t rows = b->shape->rows, x = emit_vxm_x(b);
    float alpha = (float)b->shape->model->gate_alpha;
    struct pattern p = emit_pattern(rows, 1, tiles, rows);
    struct walk walk = emit_walk(pair * rows, 1, 2 * rows);
    struct alu a = {.function = PROGRAM_VXM_SCALE, .immediate = -1.0f, .p = p};
    int64_t next = 0;
    for (int32_t k = 0; k < 2; k++) {
        struct program_operand in =
            emit_read(b, both->tensor[2 * pair + k], 0, 2, emit_walk(0, 1, rows), p,
                      emit_at_vxm(b, k, STREAM_IN + 2 * pair, 0));
        a.unit = k ? UP : 0;
        next = emit_alu(b, a, &in, 1, NULL, 0);
    }
    struct program_operand least = emit_read(b, limit[0], 0, 2, emit_walk(0, 0, 0), p,
                                             emit_at_vxm(b, false, STREAM_LIMIT, next));
    a = (struct alu){.unit = 1, .function = PROGRAM_VXM_MAX, .p = p, .cycle = next};
    link_chain(b, a, 0, -1, &least);
    a.unit = UP + 1;
    a.cycle = link_chain(b, a, UP, -1, &least);
    a.unit = 2, a.function = PROGRAM_VXM_TANH, a.immediate = -0.5f * alpha;
    link_chain(b, a, 1, -1, NULL);
    a.unit = 3, a.function = PROGRAM_VXM_SCALE, a.immediate = -0.5f;
    link_chain(b, a, 1, -1, NULL);
    a.unit = UP + 2, a.immediate = -1.0f;
    a.cycle = link_chain(b, a, UP + 1, -1, NULL);
    least = emit_read(b, limit[1], 0, 2, emit_walk(0, 0, 0), p,
                      emit_at_vxm(b, true, STREAM_LIMIT, a.cycle));
    a.unit = 4, a.function = PROGRAM_VXM_MUL, a.immediate = 0;
    link_chain(b, a, 3, 2, NULL);
    a.unit = 5, a.function = PROGRAM_VXM_COPY;
    link_chain(b, a, 3, -1, NULL);
    a.unit = UP + 3, a.function = PROGRAM_VXM_MAX;
    a.cycle = link_chain(b, a, UP + 2, -1, &least);
    a.unit = 6, a.function = PROGRAM_VXM_ADD;
    link_chain(b, a, 4, 5, NULL);
    a.unit = UP + 4, a.function = PROGRAM_VXM_OFFSET, a.immediate = 1.0f;
    a.cycle = link_chain(b, a, UP + 3, -1, NULL);
    struct program_operand last[2] = {emit_alu_operand(6), emit_alu_operand(UP + 4)};
    struct program_operand to = emit_stream(PROGRAM_EAST, STREAM_OUT, 2, out, 0, walk);
    a.unit = 7, a.function = PROGRAM_VXM_MUL, a.immediate = 0;
    struct lane_group from = {PROGRAM_EAST, STREAM_OUT, x, emit_alu(b, a, last, 2, &to, 1)};
    emit_write(b, out, 0, 2, walk, p, from);
    place_group(b, 0);
}

struct row_source ops_gate(struct block *b, const struct quads *both, int32_t slot)
{
    bool clamped = b->shape->model->clamped_gate;
    int32_t rows = b->shape->rows, pairs = both->tiles / 2, slice[2];
    emit_op(b, "gate", true);
    inner_slices(b, true, slot, 2, slice);
    struct row_source out = {.east = true,
                             .tiles = pairs,
                             .padded_tiles = pairs,
                             .per_tile = rows,
                             .per_row = 1,
                             .k_first = 0,
                             .k_step = 1};
    out.tensor = emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, "gated", slice, 2,
                             pairs * rows);
    int32_t limit[2] = {-1, -1};
    for (int32_t east = 0; clamped && east < 2; east++)
        limit[east] = gate_limit(b, east);
    for (int32_t pair = 0; pair < 2 && pair < pairs; pair++)
        if (clamped)
            clamped_pair(b, both, pair, shape_tiles_of(pairs, 2, pair), limit, out.tensor);
        else
            gate_pair(b, both, pair, shape_tiles_of(pairs, 2, pair), out.tensor);
    return out;
}
