/* SPDX-License-Identifier: BSD-3-Clause */
/* Attention on one chip: scores against the cache, softmax, weighted sum, packed rows.
 *
 * Both hemispheres work at once, each on the tiles that it holds; their maxima and sums meet in the
 * VXM. Masked positions are computed like all others: the time does not depend on the position. A
 * prefill's rows go through in groups that use the same buffers one after the other. */
#include "partition/attention.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "partition/place.h"

enum {
    STREAM_IN = 8, /* inward rows and tables */
    STREAM_WINDOW = 12,
    STREAM_ROW = 16,
    STREAM_SINK = 22, /* inward */
    STREAM_TABLE = 18,
    STREAM_OUT = 20,   /* outward results */
    STREAM_QUERY = 30, /* outward activations, in the gap of the loads */
    FP16_LOAD_STREAMS = 32,
    SCORE_ROWS = 128,
    SEQUENCE_ROWS = 512, /* of scores, in a slice, where sequences go side by side */
};

static int32_t rows_of_all_heads(const struct block *b, const struct attention *at)
{
    return b->shape->heads * at->rows;
}

static int32_t rows_of_kv_head(const struct block *b, const struct attention *at)
{
    return b->shape->heads_per_kv * at->rows;
}

/* Rows attended to at once: their scores take at most SCORE_ROWS rows of a slice where that is
 * possible. */
static int32_t rows_at_once(const struct shape *s)
{
    int32_t rows = shape_rows_each(s);
    while (rows % 2 == 0 && rows > ATTENTION_KV_LANES &&
           s->heads * s->attend_tiles * rows > SCORE_ROWS)
        rows /= 2;
    return rows;
}

/* How many groups of rows have buffers of their own, so that one's loads hide behind another's
 * softmax: sequences of a decode step; the groups of a prefill pass take turns in one. */
static int32_t groups_at_once(const struct shape *s)
{
    int32_t groups = SEQUENCE_ROWS / (s->heads * s->attend_tiles);
    return shape_rows_each(s) > 1 || groups < 1 ? 1 : groups;
}

static int32_t pair_tensor(struct block *b, const char *name, bool east, int32_t slot_low,
                           int32_t slot_high, int32_t count)
{
    int32_t slice[2] = {emit_inner_slice(b, east, slot_low), emit_inner_slice(b, east, slot_high)};
    char full[24];
    snprintf(full, sizeof full, "%.12s.%c", name, east ? 'e' : 'w');
    return emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, full, slice, 2, count);
}

static void rotate_queries(struct block *b, const struct attention *at, const struct quads *qk)
{
    const struct shape *s = b->shape;
    emit_op(b, "rope.q", true);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t tiles = shape_tiles_of(s->heads, SHAPE_QUADS, q),
                out[2] = {at->query[0], at->query[1]};
        if (tiles <= 0)
            continue;
        struct pattern p = emit_pattern(at->rows, 1, tiles, at->rows);
        struct walk from = emit_walk(at->first, 1, s->rows);
        struct walk to = emit_walk(q * at->rows, 1, SHAPE_QUADS * at->rows);
        int64_t c = attention_emit_rotation(b, at, qk->tensor[q], q % 2, from, p, out, to);
        for (int32_t east = 0; east < 2; east++)
            emit_write(b, out[east], 0, 2, to, p,
                       (struct lane_group){emit_outward(east), STREAM_OUT, emit_vxm_x(b), c});
        place_group(b, at->earliest);
    }
}

/* Rounds of an fp16 pass over cache rows: c load cycles, `rows` activations, as in op_linear.c. */
struct rounds {
    int32_t load, rows, period, count;
};

static struct rounds rounds_of(const struct block *b, int32_t positions, int32_t rows,
                               int32_t count)
{
    struct rounds r = {.load = positions / ATTENTION_KV_LANES, .rows = rows, .count = count};
    r.period = r.load + rows + b->chip->mxm_install_cycles - b->chip->mxm_load_skew_cycles;
    return r;
}

static uint8_t mxm_queue(bool east, int32_t use)
{
    return (uint8_t)(PROGRAM_QUEUE_MXM + (east ? 2 * PROGRAM_MXM_QUEUES : 0) + use);
}

/* Loads and installs of what `cache` holds of the sequence. Returns how it is called from then on.
 */
static int32_t emit_cache_loads(struct block *b, const struct attention *at, bool east,
                                int32_t cache, struct rounds r, uint8_t flags)
{
    struct pattern p = emit_pattern(r.load, 1, r.count, r.period);
    int32_t rows = emit_transient(b, flags & PROGRAM_ROWS ? "v.rows" : "k.rows", PROGRAM_DTYPE_FP16,
                                  FP16_LOAD_STREAMS);
    struct program_operand in =
        attention_read_cache(b, at, east, cache, rows, p, b->chip->mxm_load_skew_cycles);
    struct program_operand want = emit_expect(rows, FP16_LOAD_STREAMS, emit_walk(0, 0, r.load));
    emit(b,
         (struct program_instruction){.queue = mxm_queue(east, 0),
                                      .opcode = PROGRAM_MXM_LOAD,
                                      .flags = flags,
                                      .count = {p.n[0], p.n[1]},
                                      .interval = {p.d[0], p.d[1]}},
         &in, 1, NULL, 0);
    emit(b,
         (struct program_instruction){.cycle = r.load + r.rows,
                                      .queue = mxm_queue(east, 1),
                                      .opcode = PROGRAM_MXM_INSTALL,
                                      .flags = flags,
                                      .count = {1, r.count},
                                      .interval = {0, r.period}},
         &want, 1, NULL, 0);
    return rows;
}

static int64_t round_cycle(struct rounds r, int32_t round)
{
    return (int64_t)(round + 1) * r.period + r.load;
}

/* Queries of a KV head against the keys of hemisphere `east`: one score a position in each lane. */
static void emit_scores(struct block *b, const struct attention *at, int32_t head, bool east)
{
    const struct shape *s = b->shape;
    struct rounds r = rounds_of(b, s->kv_tile_positions, rows_of_kv_head(b, at), s->attend_tiles);
    struct pattern p = emit_pattern(r.rows, 1, r.count, r.period);
    struct walk heads = emit_walk(head * r.rows, 1, 0),
                to = emit_walk(head * r.rows, 1, rows_of_all_heads(b, at));
    int32_t keys = emit_cache_loads(b, at, east, at->key[east], r, PROGRAM_FP16);
    struct lane_group there = {emit_outward(east), STREAM_QUERY, emit_mxm_x(b, east),
                               round_cycle(r, 0) + b->chip->mxm_compute_skew_cycles};
    struct program_operand in[2] = {emit_read(b, at->query[east], 0, 2, heads, p, there),
                                    emit_expect(keys, FP16_LOAD_STREAMS, emit_walk(0, 0, r.load))};
    int32_t raw = emit_transient(b, "scores.raw", PROGRAM_DTYPE_FP32, 4);
    struct program_operand out =
        emit_stream(emit_inward(east), 0, 4, raw, 0, emit_walk(0, 1, r.rows));
    emit(b,
         (struct program_instruction){.cycle = round_cycle(r, 0),
                                      .queue = mxm_queue(east, 2),
                                      .opcode = PROGRAM_MXM_COMPUTE,
                                      .flags = PROGRAM_FP16 | PROGRAM_EVERY,
                                      .count = {p.n[0], p.n[1]},
                                      .interval = {p.d[0], p.d[1]},
                                      .stride = {1, 0}},
         in, 2, &out, 1);
    struct alu a = {.unit = 8 * east, .function = PROGRAM_VXM_COPY, .p = p};
    a.cycle =
        round_cycle(r, 0) + b->chip->mxm_compute_cycles + emit_vxm_x(b) - emit_mxm_x(b, false);
    struct lane_group from = {emit_outward(east), STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand fp16 =
        emit_stream(from.direction, from.stream, 2, at->score[east], 0, to);
    from.cycle = emit_alu(b, a, &out, 1, &fp16, 1);
    emit_write(b, at->score[east], 0, 2, to, p, from);
    place_group(b, at->earliest);
}

/* 0 where lane l of local tile i may be seen by row o, -inf elsewhere: a table of sliding edges.
 * The upper edge is the row's own position; with `window`, this is the lower one. */
static struct program_operand read_mask(struct block *b, const struct attention *at, bool east,
                                        int32_t row, struct pattern p, int32_t window)
{
    const struct shape *s = b->shape;
    int32_t step = at->rows > 1, first = attention_offset(b, at) + row % at->rows;
    const char *name = window ? "window.row" : east ? "mask.e.row" : "mask.w.row";
    struct table_read t = {.table = window ? at->common->window[east] : at->common->mask[east],
                           .subs = 2,
                           .label = emit_transient(b, name, PROGRAM_DTYPE_FP16, 2),
                           .mode = PROGRAM_ADDRESS_CLAMP,
                           .stride = {-2 * s->kv_tile_positions, step},
                           .argument = 1 + first - window - (east ? s->kv_tile_positions : 0),
                           .limit = s->kv_tile_positions,
                           .sequence = attention_sequence(b, at)};
    return emit_read_table(b, &t, emit_walk(0, 1, p.n[0]), p,
                           emit_at_vxm(b, east, window ? STREAM_WINDOW : STREAM_TABLE, 0));
}

/* Masked scores of rows [row, ...) in hemisphere `east`, in ALU `unit`; returns when. */
static int64_t emit_masked(struct block *b, const struct attention *at, bool east, int32_t unit,
                           int32_t row, struct pattern p)
{
    struct walk walk = emit_walk(row, rows_of_all_heads(b, at), 1);
    struct program_operand in[3] = {
        emit_read(b, at->score[east], 0, 2, walk, p, emit_at_vxm(b, east, STREAM_IN, 0)),
        read_mask(b, at, east, row, p, 0)};
    if (b->window)
        in[2] = read_mask(b, at, east, row, p, b->window);
    struct alu a = {.unit = unit, .function = PROGRAM_VXM_ADD, .p = p};
    return emit_alu(b, a, in, b->window ? 3 : 2, NULL, 0);
}

/* Head of a row of all heads, and how it goes on from row to row. */
static struct walk head_walk(const struct attention *at, int32_t row)
{
    return at->rows > 1 ? emit_walk(row / at->rows, 0, 0) : emit_walk(row, 0, 1);
}

static void emit_row_max(struct block *b, const struct attention *at, int32_t row, int32_t n)
{
    int32_t tiles = b->shape->attend_tiles;
    struct pattern p = emit_pattern(tiles, 1, n, tiles);
    struct alu a = {.unit = 2, .function = PROGRAM_VXM_MAX, .flags = PROGRAM_REDUCE, .p = p};
    for (int32_t east = 0; east < 2; east++)
        a.cycle = emit_masked(b, at, east, east, row, p);
    struct program_operand in[3] = {emit_alu_operand(0), emit_alu_operand(1)}, last[2];
    if (at->sinks)
        in[2] = emit_read(b, at->sink, 0, 2, head_walk(at, row), p,
                          emit_at_vxm(b, true, STREAM_SINK, a.cycle));
    a = ops_lane_max(b, a, in, at->sinks ? 3 : 2, last);
    struct walk walk = emit_walk(row, 0, 1);
    struct lane_group from = {PROGRAM_WEST, STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand out = emit_stream(from.direction, from.stream, 2, at->row_max, 0, walk);
    from.cycle = emit_alu(b, a, last, 2, &out, 1);
    emit_write(b, at->row_max, 0, 2, walk, emit_alu_results(a), from);
    place_group(b, at->earliest);
}

/* Rows that share one instruction: all heads of a decode step, else one head's rows (masks differ
 * by row). */
static int32_t rows_together(const struct block *b, const struct attention *at)
{
    return at->rows > 1 ? at->rows : b->shape->heads;
}

static void row_maxima(struct block *b, const struct attention *at)
{
    const struct shape *s = b->shape;
    int32_t together = rows_together(b, at);
    int32_t chunk = ops_lane_max_rows(s->attend_tiles);
    emit_op(b, "softmax.max", true);
    for (int32_t first = 0; first < rows_of_all_heads(b, at); first += together)
        for (int32_t row = 0; row < together; row += chunk)
            emit_row_max(b, at, first + row, together - row < chunk ? together - row : chunk);
}

/* Order of rows from `head` on among the weights: (head, row) becomes (row, head) within a KV head
 * of a prefill. */
static struct walk weight_walk(const struct block *b, const struct attention *at, int32_t head,
                               int32_t inner)
{
    const struct shape *s = b->shape;
    int32_t kv = head / s->heads_per_kv, local = head % s->heads_per_kv;
    return at->rows > 1 ? emit_walk(kv * rows_of_kv_head(b, at) + local, inner, s->heads_per_kv)
                        : emit_walk(0, inner, 1);
}

/* exp(sink - row maximum) in the lanes of the head's place in the packed row, 0 elsewhere. */
static void emit_sinks(struct block *b, const struct attention *at, int32_t head)
{
    int32_t first = head * at->rows;
    struct pattern p = emit_pattern(1, 0, rows_together(b, at), 1);
    struct walk to = weight_walk(b, at, head, 0);
    struct program_operand in[2] = {emit_read(b, at->placed_sink, 0, 2, head_walk(at, first), p,
                                              emit_at_vxm(b, true, STREAM_SINK, 0)),
                                    emit_read(b, at->row_max, 0, 2, emit_walk(first, 0, 1), p,
                                              emit_at_vxm(b, false, STREAM_ROW, 0))};
    struct alu a = {.unit = 0, .function = PROGRAM_VXM_SUB, .p = p};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    struct lane_group from = {PROGRAM_EAST, STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand out =
        emit_stream(from.direction, from.stream, 2, at->sink_weight, 0, to);
    in[0] = emit_alu_operand(0);
    a.unit = 1, a.function = PROGRAM_VXM_EXP;
    from.cycle = emit_alu(b, a, in, 1, &out, 1);
    emit_write(b, at->sink_weight, 0, 2, to, p, from);
    place_group(b, at->earliest);
}

/* exp(score - row maximum); a prefill's rows change order from (head, row) to (row, head) within a
 * KV head. */
static void emit_exponentials(struct block *b, const struct attention *at, int32_t head)
{
    const struct shape *s = b->shape;
    int32_t tiles = s->attend_tiles, n = rows_together(b, at), first = head * at->rows,
            all = rows_of_all_heads(b, at);
    struct pattern p = emit_pattern(tiles, 1, n, tiles);
    struct walk to = weight_walk(b, at, head, all);
    struct program_operand maximum;
    for (int32_t east = 0; east < 2; east++) {
        struct alu a = {.unit = 8 * east + 1, .function = PROGRAM_VXM_SUB, .p = p};
        a.cycle = emit_masked(b, at, east, 8 * east, first, p);
        if (!east)
            maximum = emit_read(b, at->row_max, 0, 2, emit_walk(first, 0, 1), p,
                                emit_at_vxm(b, false, STREAM_ROW, a.cycle));
        struct program_operand in[2] = {emit_alu_operand(8 * east), maximum};
        a.cycle = emit_alu(b, a, in, 2, NULL, 0);
        struct lane_group from = {emit_outward(east), STREAM_OUT, emit_vxm_x(b), 0};
        struct program_operand out =
            emit_stream(from.direction, from.stream, 2, at->weight[east], 0, to);
        in[0] = emit_alu_operand(8 * east + 1);
        a.unit++, a.function = PROGRAM_VXM_EXP;
        from.cycle = emit_alu(b, a, in, 1, &out, 1);
        emit_write(b, at->weight[east], 0, 2, to, p, from);
    }
    place_group(b, at->earliest);
}

/* All tiles of one hemisphere: half a tile's positions contract in one pass. Sums stay in the
 * accumulators until the last pass. Returns the cycle in which the first row leaves the MXM. */
static int64_t emit_weighted_sums(struct block *b, const struct attention *at, int32_t head,
                                  bool east, int32_t sums)
{
    const struct shape *s = b->shape;
    struct rounds r =
        rounds_of(b, s->kv_tile_positions / 2, rows_of_kv_head(b, at), 2 * s->attend_tiles);
    struct pattern p = emit_pattern(r.rows, 1, 1, 0);
    int32_t values = emit_cache_loads(b, at, east, at->value[east], r, PROGRAM_FP16 | PROGRAM_ROWS);
    for (int32_t n = 0; n < r.count; n++) {
        int64_t cycle = round_cycle(r, n);
        struct lane_group there = {emit_outward(east), STREAM_QUERY, emit_mxm_x(b, east),
                                   cycle + b->chip->mxm_compute_skew_cycles};
        struct walk walk = emit_walk(n / 2 * rows_of_all_heads(b, at) + head * r.rows, 1, 0);
        struct program_operand in[2] = {
            emit_read(b, at->weight[east], 0, 2, walk, p, there),
            emit_expect(values, FP16_LOAD_STREAMS, emit_walk(n * r.load, 0, 0))};
        struct program_operand out =
            emit_stream(emit_inward(east), 0, 4, sums, 0, emit_walk(0, 1, 0));
        bool last = n + 1 == r.count;
        emit(b,
             (struct program_instruction){
                 .cycle = cycle,
                 .queue = mxm_queue(east, 2),
                 .opcode = PROGRAM_MXM_COMPUTE,
                 .flags =
                     (uint8_t)(PROGRAM_FP16 | (n ? 0 : PROGRAM_FIRST) | (last ? PROGRAM_LAST : 0)),
                 .count = {p.n[0], 1},
                 .interval = {1, 0},
                 .stride = {1, 0},
                 .low = n % 2 * s->kv_tile_positions / 2},
             in, 2, &out, last);
    }
    return round_cycle(r, r.count - 1) + b->chip->mxm_compute_cycles;
}

/* Numerators and denominators of each head into the lanes of its place in the packed row. */
static int64_t emit_windows(struct block *b, bool east, int32_t sums, struct pattern p,
                            int64_t cycle, struct program_operand part[2])
{
    const struct shape *s = b->shape;
    struct walk walk = emit_walk(0, 1, s->heads_per_tile);
    int64_t at_sxm = cycle + emit_sxm_x(b, false) - emit_mxm_x(b, false);
    struct program_operand in = emit_stream(emit_inward(east), 0, 4, sums, 0, walk);
    for (int32_t k = 0; k < 2; k++) {
        int32_t t = emit_transient(b, k ? "denominator" : "numerator", PROGRAM_DTYPE_FP32, 4);
        part[k] = emit_stream(emit_inward(east), 4 + 4 * k, 4, t, 0, walk);
        emit(b,
             (struct program_instruction){
                 .cycle = at_sxm - b->chip->sxm_skew_cycles,
                 .queue = (uint8_t)(PROGRAM_QUEUE_SXM + PROGRAM_SXM_QUEUES * east + k),
                 .opcode = PROGRAM_SXM_PERMUTE,
                 .function = PROGRAM_SXM_WINDOW,
                 .argument = k ? -b->chip->mxm_fp16_rows : 0,
                 .argument_stride = s->head_dim,
                 .width = s->head_dim,
                 .count = {p.n[0], p.n[1]},
                 .interval = {p.d[0], p.d[1]}},
             &in, 1, &part[k], 1);
    }
    return at_sxm - b->chip->sxm_skew_cycles + b->chip->sxm_cycles + emit_vxm_x(b) -
           emit_sxm_x(b, false);
}

/* Adds both hemispheres and the heads of a tile, and the sinks to the denominators; divides (a
 * squared rsqrt), and writes packed rows of KV head `head`. */
static void emit_normalised(struct block *b, const struct attention *at, int32_t head,
                            struct program_operand part[2][2], struct pattern p, int64_t cycle,
                            const struct row_source *out)
{
    int32_t first = at->first * b->shape->tiles_per_kv;
    struct alu a = {.function = PROGRAM_VXM_ADD, .flags = PROGRAM_REDUCE, .p = p, .cycle = cycle};
    int64_t next = 0;
    for (int32_t k = 0; k < 2; k++) {
        struct program_operand in[3] = {part[0][k], part[1][k]};
        bool sinks = k && at->sinks;
        if (sinks)
            in[2] = emit_read(b, at->sink_weight, 0, 2,
                              emit_walk(head * rows_of_kv_head(b, at), 1, p.n[0]), p,
                              emit_at_vxm(b, true, STREAM_SINK, cycle));
        a.unit = k;
        next = emit_alu(b, a, in, sinks ? 3 : 2, NULL, 0);
    }
    struct program_operand num = emit_alu_operand(0), den = emit_alu_operand(1);
    a = (struct alu){.unit = 2, .function = PROGRAM_VXM_RSQRT, .p = emit_reduced(p), .cycle = next};
    next = emit_alu(b, a, &den, 1, NULL, 0);
    a.unit = 3, a.function = PROGRAM_VXM_COPY;
    emit_alu(b, a, &num, 1, NULL, 0);
    struct program_operand once[2] = {emit_alu_operand(3), emit_alu_operand(2)};
    a.unit = 4, a.function = PROGRAM_VXM_MUL, a.cycle = next;
    next = emit_alu(b, a, once, 2, NULL, 0);
    a.unit = 5, a.function = PROGRAM_VXM_COPY;
    emit_alu(b, a, &once[1], 1, NULL, 0);
    struct program_operand twice[2] = {emit_alu_operand(4), emit_alu_operand(5)};
    struct lane_group from = {emit_outward(out->east), STREAM_OUT, emit_vxm_x(b), 0};
    struct walk walk = emit_walk(first, 0, 1);
    struct program_operand to = emit_stream(from.direction, from.stream, 2, out->tensor, 0, walk);
    a.unit = 6, a.function = PROGRAM_VXM_MUL, a.cycle = next;
    from.cycle = emit_alu(b, a, twice, 2, &to, 1);
    emit_write(b, out->tensor, 0, 2, walk, a.p, from);
}

static void weighted_rows(struct block *b, const struct attention *at, int32_t head,
                          const struct row_source *to)
{
    const struct shape *s = b->shape;
    struct program_operand part[2][2];
    struct pattern p =
        emit_pattern(s->heads_per_tile, 1, at->rows * s->tiles_per_kv, s->heads_per_tile);
    int64_t cycle = 0;
    for (int32_t east = 0; east < 2; east++) {
        int32_t sums = emit_transient(b, east ? "values.e" : "values.w", PROGRAM_DTYPE_FP32, 4);
        cycle = emit_weighted_sums(b, at, head, east, sums);
        cycle = emit_windows(b, east, sums, p, cycle, part[east]);
    }
    emit_normalised(b, at, head, part, p, cycle, to);
    place_group(b, at->earliest);
}

/* Packed attention rows of one KV head, in the slots of a quad. */
static struct row_source packed_rows(struct block *b, int32_t head)
{
    const struct shape *s = b->shape;
    char name[24];
    snprintf(name, sizeof name, "attn.h%u", (unsigned)head % SHAPE_QUADS);
    int32_t slot = head / 2 % 2 ? OPS_SLOT_Y : OPS_SLOT_X;
    int32_t out = pair_tensor(b, name, head % 2, slot, slot + 1, s->rows * s->tiles_per_kv);
    if (s->output.by_columns)
        emit_follow_rows(b, out);
    return (struct row_source){.tensor = out,
                               .east = head % 2,
                               .tiles = s->tiles_per_kv,
                               .padded_tiles = s->tiles_per_kv,
                               .per_tile = 1,
                               .per_row = s->tiles_per_kv,
                               .k_first = head * s->tiles_per_kv,
                               .k_step = 1};
}

/* Logits of the sinks, one vector a head: in all lanes, and in those of the head's place alone. */
static void sink_tensors(struct block *b, struct attention *at)
{
    int32_t slice[2] = {emit_inner_slice(b, true, OPS_SLOT_ROW),
                        emit_inner_slice(b, true, OPS_SLOT_ROW + 1)};
    at->sinks = b->shape->model->attention_sinks;
    if (!at->sinks)
        return;
    at->sink = emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16, "sink.all", slice, 2,
                           b->shape->heads);
    at->placed_sink = emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16, "sink.placed",
                                  slice, 2, b->shape->heads);
}

/* Scores leave slot X to the table of lower edges where there is a window. */
static void row_tensors(struct block *b, struct attention *at)
{
    int32_t rows = rows_of_all_heads(b, at), tiles = b->shape->attend_tiles;
    int32_t slot = b->window ? OPS_SLOT_SCALE_Y : OPS_SLOT_X;
    for (int32_t east = 0; east < 2; east++) {
        at->query[east] = pair_tensor(b, "query", east, OPS_SLOT_BYTES, OPS_SLOT_SPARE, rows);
        at->score[east] = pair_tensor(b, "score", east, slot, slot + 1, rows * tiles);
        at->weight[east] =
            pair_tensor(b, "weight", east, OPS_SLOT_SCALE_X, OPS_SLOT_SCALE_X + 1, rows * tiles);
    }
    at->row_max = pair_tensor(b, "row.max", false, OPS_SLOT_ROW, OPS_SLOT_ROW + 1, rows);
    if (at->sinks)
        at->sink_weight = pair_tensor(b, "sink", true, OPS_SLOT_BYTES, OPS_SLOT_SPARE, rows);
}

/* Buffers and rotated queries of a group of rows, the same for all KV heads. */
static void open_group(struct block *b, struct attention head[SHAPE_QUADS], const struct quads *qkv)
{
    row_tensors(b, &head[0]);
    rotate_queries(b, &head[0], qkv);
    for (int32_t h = 1; h < b->shape->kv_heads; h++) {
        struct attention cache = head[h];
        head[h] = head[0];
        memcpy(head[h].key, cache.key, sizeof cache.key);
        memcpy(head[h].value, cache.value, sizeof cache.value);
    }
}

static void all_scores(struct block *b, const struct attention head[SHAPE_QUADS])
{
    emit_op(b, "scores", true);
    for (int32_t h = 0; h < b->shape->kv_heads; h++)
        for (int32_t east = 0; east < 2; east++)
            emit_scores(b, &head[h], h, east);
}

static void all_exponentials(struct block *b, const struct attention *at)
{
    int32_t heads = at->rows > 1 ? b->shape->heads : 1;
    emit_op(b, "softmax.exp", true);
    for (int32_t h = 0; h < heads; h++)
        emit_exponentials(b, at, h);
    for (int32_t h = 0; at->sinks && h < heads; h++)
        emit_sinks(b, at, h);
}

static void all_weighted_rows(struct block *b, const struct attention head[SHAPE_QUADS],
                              const struct row_source out[SHAPE_QUADS])
{
    emit_op(b, "values", true);
    for (int32_t h = 0; h < b->shape->kv_heads; h++)
        weighted_rows(b, &head[h], h, &out[h]);
}

/* Groups of rows, each with buffers of its own, against the caches of their sequences: stage by
 * stage, so that none waits for what another does later. */
static void attend(struct block *b, struct attention (*group)[SHAPE_QUADS], int32_t groups,
                   const struct quads *qkv, const struct row_source out[SHAPE_QUADS])
{
    for (int32_t n = 0; n < groups; n++)
        open_group(b, group[n], qkv);
    for (int32_t n = 0; n < groups; n++)
        all_scores(b, group[n]);
    for (int32_t n = 0; n < groups; n++)
        row_maxima(b, &group[n][0]);
    for (int32_t n = 0; n < groups; n++)
        all_exponentials(b, &group[n][0]);
    for (int32_t n = 0; n < groups; n++)
        all_weighted_rows(b, group[n], out);
}

/* The step's keys and values, sequence by sequence. */
static void write_caches(struct block *b, struct attention head[SHAPE_QUADS],
                         const struct quads *qk, const struct quads *qkv)
{
    const struct shape *s = b->shape;
    int32_t rows = shape_rows_each(s);
    for (int32_t first = 0; first < s->rows; first += rows)
        for (int32_t h = 0; h < s->kv_heads; h++) {
            head[h].first = first, head[h].rows = rows;
            attention_write_key(b, &head[h], qk, h);
            attention_write_value(b, &head[h], qkv, h);
        }
}

static void keep_lowest(struct sram *lowest, const struct sram *other)
{
    for (int32_t n = 0; n < PROGRAM_QUEUE_VXM; n++)
        lowest->top[n] = other->top[n] < lowest->top[n] ? other->top[n] : lowest->top[n];
}

/* Rows of the step in groups, as many at once as there are buffers for. */
static void attend_in_waves(struct block *b, const struct attention head[SHAPE_QUADS],
                            const struct quads *qkv, const struct row_source out[SHAPE_QUADS])
{
    const struct shape *s = b->shape;
    int32_t rows = rows_at_once(s), most = groups_at_once(s);
    struct attention(*group)[SHAPE_QUADS] = base_alloc((size_t)most, sizeof *group);
    struct sram before = b->sram, lowest = before;
    int64_t earliest = 0;
    for (int32_t first = 0, groups; first < s->rows; first += groups * rows) {
        for (groups = 0; groups < most && first + groups * rows < s->rows; groups++) {
            memcpy(group[groups], head, sizeof *group);
            group[groups][0].first = first + groups * rows;
            group[groups][0].rows = rows;
            group[groups][0].earliest = earliest;
        }
        memcpy(b->sram.top, before.top, sizeof before.top);
        attend(b, group, groups, qkv, out);
        earliest = b->end;
        keep_lowest(&lowest, &b->sram);
    }
    /* Rows by columns leave while buffers of earlier waves are in use. */
    if (s->output.by_columns)
        memcpy(b->sram.top, lowest.top, sizeof lowest.top);
    base_free(group);
}

int32_t ops_attention(struct block *b, const struct common *c, const struct quads *qk,
                      const struct quads *qkv, struct row_source out[SHAPE_QUADS])
{
    const struct shape *s = b->shape;
    struct attention head[SHAPE_QUADS] = {{.common = c}};
    for (int32_t h = 0; h < s->kv_heads; h++) {
        head[h].common = c;
        attention_cache_tensors(b, "k", h, head[h].key);
        attention_cache_tensors(b, "v", h, head[h].value);
        out[h] = packed_rows(b, h);
    }
    write_caches(b, head, qk, qkv);
    sink_tensors(b, &head[0]);
    attend_in_waves(b, head, qk, out);
    return s->kv_heads;
}
