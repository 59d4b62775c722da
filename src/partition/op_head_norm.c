/* SPDX-License-Identifier: BSD-3-Clause */
/* RMSNorm of each head of queries and keys, before they are rotated.
 *
 * A head is one tile, so that its lanes are summed by one fp16 pass against ones, in the hemisphere
 * where the tile stands. Roots come first, into memory; then every row meets its root and the gain
 * of its head. Gains of queries bring the scale of the scores. */
#include "partition/ops.h"

#include <stdio.h>

#include "partition/place.h"

enum {
    STREAM_ROWS = 8,  /* inward */
    STREAM_ROOT = 12, /* inward */
    STREAM_GAIN = 18, /* inward */
    STREAM_OUT = 20,  /* outward */
    SQUARE_SCALE = 64 /* squares are summed as square / 64 */
};

/* One quad's tiles of queries and keys. */
struct head_norm {
    int32_t quad, tiles;
    int32_t in, root, gain, out;
};

static int32_t pair_of_slots(struct block *b, enum program_tensor_kind kind, const char *name,
                             bool east, int32_t low, int32_t high, int32_t count)
{
    int32_t slice[2] = {emit_inner_slice(b, east, low), emit_inner_slice(b, east, high)};
    return emit_placed(b, kind, PROGRAM_DTYPE_FP16, name, slice, 2, count);
}

/* Sums of squares that stand at the VXM in `cycle` to 1 / sqrt(sum / head_dim + epsilon). */
static void emit_roots(struct block *b, const struct head_norm *n, struct program_operand sums,
                       struct pattern p, int64_t cycle)
{
    const struct model *model = b->shape->model;
    bool east = n->quad % 2;
    const enum program_vxm_function chain[3] = {PROGRAM_VXM_SCALE, PROGRAM_VXM_OFFSET,
                                                PROGRAM_VXM_RSQRT};
    const float immediate[3] = {(float)((double)SQUARE_SCALE / (double)model->head_dim),
                                (float)model->norm_epsilon, 0};
    struct walk walk = emit_walk(0, 0, 1);
    struct lane_group from = {emit_outward(east), STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand in = sums,
                           out = emit_stream(from.direction, from.stream, 2, n->root, 0, walk);
    struct alu a = {.unit = 1, .p = p, .cycle = cycle};
    for (int32_t k = 0; k < 3; k++, a.unit++) {
        a.function = chain[k], a.immediate = immediate[k];
        a.cycle = emit_alu(b, a, &in, 1, &out, k == 2);
        in = emit_alu_operand(a.unit);
    }
    from.cycle = a.cycle;
    emit_write(b, n->root, 0, 2, walk, p, from);
}

static void quad_roots(struct block *b, const struct common *c, const struct head_norm *n)
{
    bool east = n->quad % 2;
    struct pattern p = emit_pattern(1, 0, n->tiles * b->shape->rows, 1);
    struct walk walk = emit_walk(0, 0, 1);
    int32_t squares = emit_transient(b, "head.squares", PROGRAM_DTYPE_FP16, 2);
    struct program_operand in =
        emit_read(b, n->in, 0, 2, walk, p, emit_at_vxm(b, east, STREAM_ROWS, 0));
    struct program_operand twice[2] = {in, in},
                           out = emit_stream(emit_outward(east), OPS_STREAM_RAISE, 2, squares, 0,
                                             walk);
    struct alu a = {.function = PROGRAM_VXM_MUL, .immediate = 1.0f / SQUARE_SCALE, .p = p};
    int64_t raised = emit_alu(b, a, twice, 2, &out, 1);
    struct lane_sum sum = {.ones = c->ones, .east = east, .squares = squares};
    sum.sums = emit_transient(b, "head.sums", PROGRAM_DTYPE_FP32, 4);
    int64_t cycle = ops_lane_sum(b, &sum, p, raised);
    emit_roots(b, n, emit_stream(emit_inward(east), OPS_STREAM_SUM, 4, sum.sums, 0, walk), p,
               cycle);
    place_group(b, 0);
}

static void scale_quad(struct block *b, const struct head_norm *n)
{
    bool east = n->quad % 2;
    int32_t rows = b->shape->rows;
    struct pattern p = emit_pattern(rows, 1, n->tiles, rows);
    struct walk walk = emit_walk(0, 1, rows);
    struct program_operand in[3] = {
        emit_read(b, n->in, 0, 2, walk, p, emit_at_vxm(b, east, STREAM_ROWS, 0)),
        emit_read(b, n->root, 0, 2, walk, p, emit_at_vxm(b, east, STREAM_ROOT, 0)),
        emit_read(b, n->gain, 0, 2, emit_walk(0, 0, 1), p, emit_at_vxm(b, east, STREAM_GAIN, 0))};
    struct lane_group from = {emit_outward(east), STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand out = emit_stream(from.direction, from.stream, 2, n->out, 0, walk);
    struct alu a = {.unit = n->quad, .function = PROGRAM_VXM_MUL, .p = p};
    from.cycle = emit_alu(b, a, in, 3, &out, 1);
    emit_write(b, n->out, 0, 2, walk, p, from);
    place_group(b, 0);
}

struct quads ops_head_norm(struct block *b, const struct common *c, const struct quads *qkv,
                           const char *name)
{
    const struct shape *s = b->shape;
    bool biased = s->model->qkv_bias;
    int32_t tiles = s->heads + s->kv_heads;
    emit_op(b, name, true);
    /* Not where the rows are. */
    struct quads out =
        ops_quads_at(b, name, tiles, s->rows, 0, biased ? OPS_SLOT_X : OPS_SLOT_SCALE_X,
                     biased ? OPS_SLOT_Y : OPS_SLOT_SCALE_Y);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        struct head_norm n = {.quad = q, .tiles = shape_tiles_of(tiles, SHAPE_QUADS, q)};
        char full[24];
        if (n.tiles <= 0)
            continue;
        n.in = qkv->tensor[q], n.out = out.tensor[q];
        snprintf(full, sizeof full, "%.12s.r%d", name, q);
        n.root = pair_of_slots(b, PROGRAM_TENSOR_ACTIVATION, full, q % 2, OPS_SLOT_BYTES,
                               OPS_SLOT_SPARE, n.tiles * s->rows);
        snprintf(full, sizeof full, "%.12s.g%d", name, q);
        n.gain = pair_of_slots(b, PROGRAM_TENSOR_CONSTANT, full, q % 2, OPS_SLOT_ROW,
                               OPS_SLOT_ROW + 1, n.tiles);
        quad_roots(b, c, &n);
        scale_quad(b, &n);
    }
    return out;
}
