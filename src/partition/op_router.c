/* SPDX-License-Identifier: BSD-3-Clause */
/* Which experts a row takes, and with which weights.
 *
 * All choices of a row are made at once. The switch turns the row of logits by one lane after the
 * other, so that each expert meets every other in its own lane, and the sum of the comparisons is
 * its rank: how many come before it, equals by id. Rank j becomes a row that is one at the j-th
 * expert and zero elsewhere; against a table of ids in one hemisphere and against ones in the other
 * it brings the id and the logit of choice j into all lanes. Weights are the softmax of the chosen
 * logits, or of all. Every chip of a group does all this for itself and gets the same. */
#include "partition/ops.h"

#include "partition/place.h"

enum {
    STREAM_TURNED = 0,  /* inward from the west, two: by higher ids, by lower ids */
    STREAM_IN = 8,      /* inward */
    STREAM_SECOND = 12, /* inward */
    STREAM_THIRD = 14,  /* inward */
    STREAM_OUT = 20,    /* outward */
    STREAM_TO_SXM = 26, /* westward */
};

/* Comparisons are tanh(STEEP * difference), which is exactly one of -1 and 1; equals are kept apart
 * by half of the least difference of two fp16 numbers. */
static const float steep = 1099511627776.0f, apart = 1.0f / 33554432.0f;

struct router {
    struct block *b;
    const struct common *common;
    int32_t experts, per_row, rows, slots;
    int32_t logits[2]; /* by hemisphere; lanes without an expert are far below all others */
    int32_t rank;      /* east */
    int32_t ids;       /* west */
    int32_t chosen[2]; /* logits of the choices */
    int32_t share;     /* west: exp(chosen - greatest) */
    int32_t root;      /* east: of the inverse of their sum */
    int32_t weight;    /* east */
};

static int32_t row_pair(struct block *b, enum program_tensor_kind kind, const char *name, bool east,
                        int32_t slot, int32_t count)
{
    int32_t slice[2] = {emit_inner_slice(b, east, slot), emit_inner_slice(b, east, slot + 1)};
    return emit_placed(b, kind, PROGRAM_DTYPE_FP16, name, slice, 2, count);
}

static int32_t rows_of(const struct router *r, const char *name, bool east, int32_t slot,
                       int32_t count)
{
    return row_pair(r->b, PROGRAM_TENSOR_ACTIVATION, name, east, slot, count);
}

static struct program_operand read_at_vxm(const struct router *r, int32_t tensor, bool east,
                                          int32_t stream, struct walk walk, struct pattern p,
                                          int64_t cycle)
{
    return emit_read(r->b, tensor, 0, 2, walk, p, emit_at_vxm(r->b, east, stream, cycle));
}

/* Emits `a` with its result outward to rows of `tensor` in hemisphere `east`; those of a reduction
 * are one an outer repeat. */
static void emit_to_rows(const struct router *r, struct alu a, const struct program_operand *in,
                         int32_t inputs, int32_t tensor, bool east, struct walk walk)
{
    struct lane_group from = {emit_outward(east), STREAM_OUT, emit_vxm_x(r->b), 0};
    struct program_operand out = emit_stream(from.direction, from.stream, 2, tensor, 0, walk);
    struct pattern p = a.flags & PROGRAM_REDUCE ? emit_reduced(a.p) : a.p;
    from.cycle = emit_alu(r->b, a, in, inputs, &out, 1);
    emit_write(r->b, tensor, 0, 2, walk, p, from);
}

/* The same to rows of both hemispheres. */
static void emit_to_both(const struct router *r, struct alu a, const struct program_operand *in,
                         int32_t inputs, const int32_t tensor[2], struct walk walk)
{
    struct program_operand out[2];
    for (int32_t east = 0; east < 2; east++)
        out[east] = emit_stream(emit_outward(east), STREAM_OUT, 2, tensor[east], 0, walk);
    int64_t cycle = emit_alu(r->b, a, in, inputs, out, 2);
    for (int32_t east = 0; east < 2; east++)
        emit_write(r->b, tensor[east], 0, 2, walk, a.p,
                   (struct lane_group){emit_outward(east), STREAM_OUT, emit_vxm_x(r->b), cycle});
}

/* The router's bias, and a great negative number where there is no expert. */
static void pad_logits(struct router *r, const struct quads *product)
{
    struct pattern p = emit_pattern(1, 0, r->rows, 1);
    struct walk walk = emit_walk(0, 0, 1);
    int32_t bias =
        row_pair(r->b, PROGRAM_TENSOR_CONSTANT, "router.bias", false, OPS_SLOT_SCALE_X, 1);
    struct program_operand in[2] = {
        read_at_vxm(r, product->tensor[0], false, STREAM_IN, walk, p, 0),
        read_at_vxm(r, bias, false, STREAM_SECOND, emit_walk(0, 0, 0), p, 0)};
    for (int32_t east = 0; east < 2; east++)
        r->logits[east] = rows_of(r, east ? "router.e" : "router.w", east, OPS_SLOT_Y, r->rows);
    emit_to_both(r, (struct alu){.function = PROGRAM_VXM_ADD, .p = p}, in, 2, r->logits, walk);
    place_group(r->b, 0);
}

/* The row turned by 1, 2, ... lanes both ways; returns when it reaches the VXM. */
static int64_t emit_turns(const struct router *r, struct pattern p, struct program_operand out[2])
{
    struct block *b = r->b;
    int32_t lanes = b->chip->lanes;
    struct walk walk = emit_walk(0, 0, 1);
    struct lane_group at = {PROGRAM_WEST, STREAM_TO_SXM, emit_sxm_x(b, false), 0};
    struct program_operand in = emit_read(b, r->logits[0], 0, 2, walk, p, at);
    for (int32_t k = 0; k < 2; k++) {
        int32_t t = emit_transient(b, k ? "lower.ids" : "higher.ids", PROGRAM_DTYPE_FP16, 2);
        out[k] = emit_stream(PROGRAM_EAST, STREAM_TURNED + 2 * k, 2, t, 0,
                             emit_walk(0, 1, r->experts - 1));
        emit(b,
             (struct program_instruction){.cycle = -b->chip->sxm_skew_cycles,
                                          .queue = (uint8_t)(PROGRAM_QUEUE_SXM + k),
                                          .opcode = PROGRAM_SXM_PERMUTE,
                                          .function = PROGRAM_SXM_WINDOW,
                                          .argument = k ? 1 : -1,
                                          .argument_stride = k ? 1 : -1,
                                          .low = -lanes,
                                          .width = 3 * lanes,
                                          .count = {p.n[0], p.n[1]},
                                          .interval = {p.d[0], p.d[1]}},
             &in, 1, &out[k], 1);
    }
    return b->chip->sxm_cycles - b->chip->sxm_skew_cycles + emit_vxm_x(b) - emit_sxm_x(b, false);
}

/* 1 where an expert of a higher id is greater, or one of a lower id not less, else -1. */
static int64_t emit_comparison(const struct router *r, int32_t unit, struct program_operand other,
                               struct program_operand own, float offset, struct alu a)
{
    struct program_operand in[2] = {other, own};
    a.unit = unit, a.function = PROGRAM_VXM_SUB;
    a.cycle = emit_alu(r->b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(unit);
    a.unit = unit + 1, a.function = PROGRAM_VXM_OFFSET, a.immediate = offset;
    a.cycle = emit_alu(r->b, a, in, 1, NULL, 0);
    in[0] = emit_alu_operand(unit + 1);
    a.unit = unit + 2, a.function = PROGRAM_VXM_TANH, a.immediate = steep;
    return emit_alu(r->b, a, in, 1, NULL, 0);
}

/* How many experts come before that of each lane: half of the sum of all comparisons, from -1. */
static void rank_experts(struct router *r)
{
    struct block *b = r->b;
    int32_t others = r->experts - 1;
    struct pattern p = emit_pattern(others, 1, r->rows, others);
    struct program_operand turned[2], in[2];
    struct alu a = {.p = p};
    a.cycle = emit_turns(r, p, turned);
    struct program_operand own =
        read_at_vxm(r, r->logits[1], true, STREAM_IN, emit_walk(0, 0, 1), p, a.cycle);
    int64_t next = 0;
    for (int32_t k = 0; k < 2; k++) {
        next = emit_comparison(r, 3 * k, turned[k], own, k ? apart : -apart, a);
        in[k] = emit_alu_operand(3 * k + 2);
    }
    a = (struct alu){
        .unit = 6, .function = PROGRAM_VXM_ADD, .flags = PROGRAM_REDUCE, .p = p, .cycle = next};
    next = emit_alu(b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(6);
    a = (struct alu){.unit = 7,
                     .function = PROGRAM_VXM_SCALE,
                     .immediate = 0.5f,
                     .p = emit_reduced(p),
                     .cycle = next};
    a.cycle = emit_alu(b, a, in, 1, NULL, 0);
    in[0] = emit_alu_operand(7);
    a.unit = 8, a.function = PROGRAM_VXM_OFFSET, a.immediate = (float)others;
    r->rank = rows_of(r, "rank", true, OPS_SLOT_ROW, r->rows);
    emit_to_rows(r, a, in, 1, r->rank, true, emit_walk(0, 0, 1));
    place_group(b, 0);
}

/* Twice one in the lane whose rank is j, for each j: the difference of two steps. Returns when. */
static int64_t emit_hot(const struct router *r, struct pattern p)
{
    struct block *b = r->b;
    int32_t slots =
        row_pair(b, PROGRAM_TENSOR_CONSTANT, "router.slots", true, OPS_SLOT_SCALE_Y, r->per_row);
    struct program_operand in[2] = {
        read_at_vxm(r, slots, true, STREAM_IN, emit_walk(0, 1, 0), p, 0),
        read_at_vxm(r, r->rank, true, STREAM_SECOND, emit_walk(0, 0, 1), p, 0)};
    struct alu a = {.function = PROGRAM_VXM_SUB, .p = p};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(0);
    a.unit = 1, a.function = PROGRAM_VXM_TANH, a.immediate = steep;
    emit_alu(b, a, in, 1, NULL, 0);
    a.unit = 2, a.function = PROGRAM_VXM_OFFSET, a.immediate = -1.0f;
    a.cycle = emit_alu(b, a, in, 1, NULL, 0);
    in[0] = emit_alu_operand(1), in[1] = emit_alu_operand(2);
    a.unit = 3, a.function = PROGRAM_VXM_COPY, a.immediate = 0;
    emit_alu(b, a, in, 1, NULL, 0);
    a.unit = 4, a.function = PROGRAM_VXM_TANH, a.immediate = steep;
    a.cycle = emit_alu(b, a, in + 1, 1, NULL, 0);
    in[0] = emit_alu_operand(3), in[1] = emit_alu_operand(4);
    a.unit = 5, a.function = PROGRAM_VXM_SUB, a.immediate = 0;
    return emit_alu(b, a, in, 2, NULL, 0);
}

/* The hot lane to the west and its logit to the east, as squares of `sum`. Returns when. */
static int64_t raise_choices(const struct router *r, struct lane_sum sum[2])
{
    struct block *b = r->b;
    struct alu a = {.p = emit_pattern(r->per_row, 1, r->rows, r->per_row), .immediate = 0.5f};
    struct program_operand in[2];
    int64_t raised = 0;
    a.cycle = emit_hot(r, a.p);
    in[1] = read_at_vxm(r, r->logits[1], true, STREAM_THIRD, emit_walk(0, 0, 1), a.p, a.cycle);
    for (int32_t east = 0; east < 2; east++) {
        sum[east].squares = emit_transient(b, east ? "hot.logit" : "hot", PROGRAM_DTYPE_FP16, 2);
        struct program_operand out = emit_stream(emit_outward(east), OPS_STREAM_RAISE, 2,
                                                 sum[east].squares, 0, emit_walk(0, 1, r->per_row));
        in[0] = emit_alu_operand(5);
        a.unit = 6 + east, a.function = east ? PROGRAM_VXM_MUL : PROGRAM_VXM_SCALE;
        raised = emit_alu(b, a, in, 1 + east, &out, 1);
    }
    return raised;
}

/* Ids from the west, and logits from the east to rows of both hemispheres. */
static void write_choices(struct router *r, const struct program_operand found[2], struct alu a)
{
    struct block *b = r->b;
    struct walk walk = emit_walk(0, 0, 1);
    struct program_operand out[2];
    r->ids = rows_of(r, "expert.choice", false, OPS_SLOT_SCALE_Y, r->slots);
    emit_to_rows(r, a, &found[0], 1, r->ids, false, walk);
    for (int32_t east = 0; east < 2; east++) {
        r->chosen[east] =
            rows_of(r, east ? "chosen.e" : "chosen.w", east, OPS_SLOT_SCALE_X, r->slots);
        out[east] = emit_stream(emit_outward(east), STREAM_OUT + 2, 2, r->chosen[east], 0, walk);
    }
    a.unit++;
    a.cycle = emit_alu(b, a, &found[1], 1, out, 2);
    for (int32_t east = 0; east < 2; east++)
        emit_write(b, r->chosen[east], 0, 2, walk, a.p,
                   (struct lane_group){emit_outward(east), STREAM_OUT + 2, emit_vxm_x(b), a.cycle});
}

/* The hot lane against ids in the west, times its logit against ones in the east. */
static void choose(struct router *r)
{
    struct block *b = r->b;
    struct pattern flat = emit_pattern(1, 0, r->slots, 1);
    struct lane_sum sum[2] = {{.ones = r->common->expert_ids},
                              {.ones = r->common->ones, .east = true}};
    struct program_operand found[2];
    struct alu copy = {.unit = 8, .function = PROGRAM_VXM_COPY, .p = flat};
    int64_t raised = raise_choices(r, sum);
    for (int32_t east = 0; east < 2; east++) {
        sum[east].sums = emit_transient(b, east ? "choice.logit" : "choice", PROGRAM_DTYPE_FP32, 4);
        copy.cycle = ops_lane_sum(b, &sum[east], flat, raised);
        found[east] = emit_stream(emit_inward(east), OPS_STREAM_SUM, 4, sum[east].sums, 0,
                                  emit_walk(0, 0, 1));
    }
    write_choices(r, found, copy);
    place_group(b, 0);
}

/* The root of the inverse of a sum that the VXM has in `unit` in `cycle`, one a row. */
static void write_root(struct router *r, int32_t unit, struct pattern p, int64_t cycle)
{
    struct program_operand sum = emit_alu_operand(unit);
    struct alu a = {.unit = unit + 1, .function = PROGRAM_VXM_RSQRT, .p = p, .cycle = cycle};
    emit_to_rows(r, a, &sum, 1, r->root, true, emit_walk(0, 0, 1));
}

/* Sum of exp(logit - greatest) over all experts, against ones. */
static void sum_all(struct router *r)
{
    struct block *b = r->b;
    struct pattern p = emit_pattern(1, 0, r->rows, 1);
    struct walk walk = emit_walk(0, 0, 1);
    struct lane_sum sum = {.ones = r->common->ones, .east = true};
    struct program_operand in[2] = {
        read_at_vxm(r, r->logits[1], true, STREAM_IN, walk, p, 0),
        read_at_vxm(r, r->chosen[0], false, STREAM_IN, emit_walk(0, 0, r->per_row), p, 0)};
    struct alu a = {.function = PROGRAM_VXM_SUB, .p = p};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    sum.squares = emit_transient(b, "powers", PROGRAM_DTYPE_FP16, 2);
    sum.sums = emit_transient(b, "powers.sum", PROGRAM_DTYPE_FP32, 4);
    struct program_operand out =
        emit_stream(PROGRAM_EAST, OPS_STREAM_RAISE, 2, sum.squares, 0, walk);
    in[0] = emit_alu_operand(0);
    a.unit = 1, a.function = PROGRAM_VXM_EXP;
    a.cycle = ops_lane_sum(b, &sum, p, emit_alu(b, a, in, 1, &out, 1));
    in[0] = emit_stream(PROGRAM_WEST, OPS_STREAM_SUM, 4, sum.sums, 0, walk);
    a.unit = 2, a.function = PROGRAM_VXM_COPY;
    write_root(r, 2, p, emit_alu(b, a, in, 1, NULL, 0));
    place_group(b, 0);
}

/* exp(logit - greatest) of the choices, the first of which has the greatest; and, where weights are
 * a softmax of the choices alone, their sum. */
static void share_out(struct router *r)
{
    struct block *b = r->b;
    bool sums = b->shape->model->normalise_experts;
    struct pattern p = emit_pattern(r->per_row, 1, r->rows, r->per_row);
    struct walk walk = emit_walk(0, 1, r->per_row);
    struct program_operand in[2] = {
        read_at_vxm(r, r->chosen[1], true, STREAM_IN, walk, p, 0),
        read_at_vxm(r, r->chosen[0], false, STREAM_IN, emit_walk(0, 0, r->per_row), p, 0)};
    struct alu a = {.function = PROGRAM_VXM_SUB, .p = p};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(0);
    a.unit = 1, a.function = PROGRAM_VXM_EXP;
    r->share = rows_of(r, "share", false, OPS_SLOT_SCALE_Y, r->slots);
    r->root = rows_of(r, "share.root", true, OPS_SLOT_ROW, r->rows);
    emit_to_rows(r, a, in, 1, r->share, false, walk);
    in[0] = emit_alu_operand(1);
    a.cycle += b->chip->vxm_alu_cycles - b->chip->vxm_skew_cycles;
    a.unit = 2, a.function = PROGRAM_VXM_ADD, a.flags = PROGRAM_REDUCE;
    if (sums)
        write_root(r, 2, emit_reduced(p), emit_alu(b, a, in, 1, NULL, 0));
    place_group(b, 0);
    if (!sums)
        sum_all(r);
}

static void weigh(struct router *r)
{
    struct pattern p = emit_pattern(r->per_row, 1, r->rows, r->per_row);
    struct walk walk = emit_walk(0, 1, r->per_row);
    struct program_operand in[3] = {
        read_at_vxm(r, r->share, false, STREAM_IN, walk, p, 0),
        read_at_vxm(r, r->root, true, STREAM_SECOND, emit_walk(0, 0, 1), p, 0)};
    in[2] = in[1];
    r->weight = rows_of(r, "expert.weight", true, OPS_SLOT_SCALE_Y, r->slots);
    emit_to_rows(r, (struct alu){.function = PROGRAM_VXM_MUL, .p = p}, in, 3, r->weight, true,
                 walk);
    place_group(r->b, 0);
}

struct experts ops_route(struct block *b, const struct common *c, const struct quads *product)
{
    const struct shape *s = b->shape;
    struct router r = {.b = b,
                       .common = c,
                       .experts = s->experts,
                       .per_row = s->experts_per_row,
                       .rows = s->rows,
                       .slots = s->rows * s->experts_per_row};
    emit_op(b, "rank", true);
    pad_logits(&r, product);
    rank_experts(&r);
    emit_op(b, "choose", true);
    choose(&r);
    share_out(&r);
    weigh(&r);
    return (struct experts){
        .ids = r.ids, .weight = r.weight, .slots = r.slots, .per_row = r.per_row};
}

/* One tile of a quad: results of a row's experts by their weights, added up. */
static void combine_tile(struct block *b, const struct experts *e, const struct quads *y, int32_t q,
                         int32_t tile, int32_t out)
{
    struct pattern p = emit_pattern(e->per_row, 1, b->shape->rows, e->per_row);
    struct walk to = emit_walk(tile * b->shape->rows, 0, 1);
    struct program_operand in[2] = {emit_read(b, y->tensor[q], 0, 2,
                                              emit_walk(tile * e->slots, 1, e->per_row), p,
                                              emit_at_vxm(b, quads_east(y, q), STREAM_IN, 0)),
                                    emit_read(b, e->weight, 0, 2, emit_walk(0, 1, e->per_row), p,
                                              emit_at_vxm(b, true, STREAM_SECOND, 0))};
    struct alu a = {.unit = 2 * q, .function = PROGRAM_VXM_MUL, .p = p};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(2 * q);
    a.unit++, a.function = PROGRAM_VXM_ADD, a.flags = PROGRAM_REDUCE;
    struct lane_group from = {emit_outward(q % 2), STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand sum = emit_stream(from.direction, from.stream, 2, out, 0, to);
    from.cycle = emit_alu(b, a, in, 1, &sum, 1);
    emit_write(b, out, 0, 2, to, emit_reduced(p), from);
    place_group(b, 0);
}

struct quads ops_combine(struct block *b, const struct experts *e, const struct quads *y,
                         bool in_scales, const char *name)
{
    emit_op(b, name, true);
    struct quads out = ops_quads_at(b, name, y->tiles, b->shape->rows, 0,
                                    in_scales ? OPS_SLOT_X : OPS_SLOT_SCALE_X,
                                    in_scales ? OPS_SLOT_Y : OPS_SLOT_SCALE_Y);
    for (int32_t q = 0; q < SHAPE_QUADS; q++)
        for (int32_t tile = 0; tile < shape_tiles_of(y->tiles, SHAPE_QUADS, q); tile++)
            combine_tile(b, e, y, q, tile, out.tensor[q]);
    return out;
}
