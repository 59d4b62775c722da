/* SPDX-License-Identifier: BSD-3-Clause */
/* The gated product of an MLP: silu, or the clamped gate of a gpt-oss. */
#include "partition/ops.h"

#include "partition/place.h"

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

/* Chains of g from ALU 0 on and of u from UP on, step by step; `cycle` is that of the next step. */
struct clamps {
    struct block *b;
    struct pattern p;
    const int32_t *limit;
    int64_t cycle;
};
enum { UP = 8, STREAM_LIMIT = 12 };

static struct alu clamp_step(const struct clamps *s, int32_t unit,
                             enum program_vxm_function function, float immediate)
{
    return (struct alu){
        .unit = unit, .function = function, .immediate = immediate, .p = s->p, .cycle = s->cycle};
}

static struct program_operand read_limit(const struct clamps *s, bool east)
{
    return emit_read(s->b, s->limit[east], 0, 2, emit_walk(0, 0, 0), s->p,
                     emit_at_vxm(s->b, east, STREAM_LIMIT, s->cycle));
}

/* -g and -u, both of at least the limit. */
static void clamp_from_above(struct clamps *s, const struct quads *both, int32_t pair)
{
    int64_t next = 0;
    for (int32_t k = 0; k < 2; k++) {
        struct program_operand in =
            emit_read(s->b, both->tensor[2 * pair + k], 0, 2, emit_walk(0, 1, s->b->shape->rows),
                      s->p, emit_at_vxm(s->b, k, STREAM_IN + 2 * pair, 0));
        next = emit_alu(s->b, clamp_step(s, k ? UP : 0, PROGRAM_VXM_SCALE, -1.0f), &in, 1, NULL, 0);
    }
    s->cycle = next;
    struct program_operand least = read_limit(s, false);
    link_chain(s->b, clamp_step(s, 1, PROGRAM_VXM_MAX, 0), 0, -1, &least);
    s->cycle = link_chain(s->b, clamp_step(s, UP + 1, PROGRAM_VXM_MAX, 0), UP, -1, &least);
}

/* g' sigmoid(alpha g') in ALU 6, u' + 1 in ALU UP + 4. */
static void clamp_and_bend(struct clamps *s)
{
    float alpha = (float)s->b->shape->model->gate_alpha;
    link_chain(s->b, clamp_step(s, 2, PROGRAM_VXM_TANH, -0.5f * alpha), 1, -1, NULL);
    link_chain(s->b, clamp_step(s, 3, PROGRAM_VXM_SCALE, -0.5f), 1, -1, NULL);
    s->cycle = link_chain(s->b, clamp_step(s, UP + 2, PROGRAM_VXM_SCALE, -1.0f), UP + 1, -1, NULL);
    struct program_operand least = read_limit(s, true);
    link_chain(s->b, clamp_step(s, 4, PROGRAM_VXM_MUL, 0), 3, 2, NULL);
    link_chain(s->b, clamp_step(s, 5, PROGRAM_VXM_COPY, 0), 3, -1, NULL);
    s->cycle = link_chain(s->b, clamp_step(s, UP + 3, PROGRAM_VXM_MAX, 0), UP + 2, -1, &least);
    link_chain(s->b, clamp_step(s, 6, PROGRAM_VXM_ADD, 0), 4, 5, NULL);
    s->cycle = link_chain(s->b, clamp_step(s, UP + 4, PROGRAM_VXM_OFFSET, 1.0f), UP + 3, -1, NULL);
}

/* (u' + 1) g' sigmoid(alpha g') with g' of at most the limit and u' within it, both ways: the
 * limit is taken as a maximum of negative numbers, the sigmoid as half of 1 + tanh. */
static void clamped_pair(struct block *b, const struct quads *both, int32_t pair, int32_t tiles,
                         const int32_t limit[2], int32_t out)
{
    int32_t rows = b->shape->rows;
    struct clamps s = {.b = b, .p = emit_pattern(rows, 1, tiles, rows), .limit = limit};
    struct walk walk = emit_walk(pair * rows, 1, 2 * rows);
    clamp_from_above(&s, both, pair);
    clamp_and_bend(&s);
    struct program_operand last[2] = {emit_alu_operand(6), emit_alu_operand(UP + 4)},
                           to = emit_stream(PROGRAM_EAST, STREAM_OUT, 2, out, 0, walk);
    struct lane_group from = {PROGRAM_EAST, STREAM_OUT, emit_vxm_x(b), 0};
    from.cycle = emit_alu(b, clamp_step(&s, 7, PROGRAM_VXM_MUL, 0), last, 2, &to, 1);
    emit_write(b, out, 0, 2, walk, s.p, from);
    place_group(b, 0);
}

struct row_source ops_gate(struct block *b, const struct quads *both, int32_t slot)
{
    bool clamped = b->shape->model->clamped_gate;
    int32_t rows = b->shape->rows, pairs = both->tiles / 2, slice[2];
    emit_op(b, "gate", true);
    for (int32_t j = 0; j < 2; j++)
        slice[j] = emit_inner_slice(b, true, slot + j);
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
