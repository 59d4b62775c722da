/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix products on the MXM: weights stream through double-buffered planes under resident rows.
 *
 * Round r of a plane brings one 320-column tile of one contraction tile: c load cycles on 16
 * streams, an install, M activation rows. All 32 outward streams of a hemisphere carry weights, so
 * the rows slip into the gap between two loads; the period is P = c + M + install - skew. Round r
 * loads while round r - 1 computes. The rows and the scales stand in the set of slices that the
 * product leaves free, the results next to the VXM. At batch 1 the loads are the bound: c / P of
 * the streams' bandwidth is used. */
#include "partition/ops.h"

#include <stdio.h>

#include "partition/place.h"

enum {
    STREAM_ROWS = 31,      /* activations, outward, in the gap of the loads */
    STREAM_SCALE = 8,      /* inward, two for each plane */
    STREAM_ROW_SCALE = 12, /* eastward */
    STREAM_RESULT = 20,    /* outward, two for each plane */
    ACCUMULATOR_SETS = 8,  /* tiles in flight between first addend and emission */
};

/* One plane's share: its tiles, and when its results stand at the VXM. */
struct plane_work {
    int32_t quad;
    bool east;
    int32_t local; /* plane within the hemisphere */
    int32_t tiles;
    int32_t weights, results;
};

struct timing {
    int32_t load, period, k_tiles, rows;
    int32_t results_at_vxm; /* cycle of the first tile's first row */
    bool singly;            /* each tile is written by an instruction of its own */
};

/* `pace` > 0: rounds are at least so far apart, and rows can leave while others are computed. */
static struct timing timing_of(const struct block *b, struct linear_shape s, int32_t pace)
{
    const struct lpu_chip *chip = b->chip;
    int32_t per_cycle = chip->mxm_load_streams;
    struct timing t = {.load = s.columns / per_cycle,
                       .k_tiles = s.k_tiles,
                       .rows = b->shape->rows,
                       .singly = pace > 0};
    t.period = t.load + t.rows + chip->mxm_install_cycles - chip->mxm_load_skew_cycles;
    t.period = t.period < pace ? pace : t.period;
    int32_t last = t.k_tiles * t.period + t.load;
    t.results_at_vxm = last + chip->mxm_compute_cycles + emit_vxm_x(b) - emit_mxm_x(b, false);
    return t;
}

static uint8_t plane_queue(const struct plane_work *w, int32_t use)
{
    return (uint8_t)(PROGRAM_QUEUE_MXM + PROGRAM_MXM_QUEUES * (2 * w->east + w->local) + use);
}

int32_t ops_weight_slice(const struct block *b, bool east, int32_t local, int32_t j)
{
    return emit_outer_slice(b, east, 2 * j + (local + j + east + b->rotation / 2) % 2);
}

static int32_t weight_tensor(struct block *b, const struct plane_work *w, const char *name,
                             int32_t count)
{
    int32_t slice[EMIT_OUTER_SLICES], n = b->chip->mxm_load_streams;
    for (int32_t j = 0; j < n; j++)
        slice[j] = ops_weight_slice(b, w->east, w->local, j);
    char full[24];
    snprintf(full, sizeof full, "%.12s.w%d", name, w->quad);
    return emit_placed(b, PROGRAM_TENSOR_WEIGHT, PROGRAM_DTYPE_INT8, full, slice, n, count);
}

/* One vector a tile: the scales of its columns. */
static int32_t column_constant(struct block *b, const struct plane_work *w, const char *name,
                               int32_t slot)
{
    int32_t slice[2] = {emit_inner_slice(b, w->east, slot), emit_inner_slice(b, w->east, slot + 1)};
    char full[24];
    snprintf(full, sizeof full, "%.12s%d", name, w->quad);
    return emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16, full, slice, 2, w->tiles);
}

static void emit_loads(struct block *b, const struct plane_work *w, struct timing t)
{
    int32_t n = b->chip->mxm_load_streams, rounds = w->tiles * t.k_tiles;
    struct pattern p = emit_pattern(t.load, 1, rounds, t.period);
    struct walk walk = emit_walk(0, 1, t.load);
    struct lane_group at = {emit_outward(w->east), w->local * n, emit_mxm_x(b, w->east),
                            b->chip->mxm_load_skew_cycles};
    struct program_operand in = emit_read(b, w->weights, 0, n, walk, p, at);
    emit(b,
         (struct program_instruction){.queue = plane_queue(w, 0),
                                      .opcode = PROGRAM_MXM_LOAD,
                                      .count = {p.n[0], p.n[1]},
                                      .interval = {p.d[0], p.d[1]}},
         &in, 1, NULL, 0);
}

static void emit_installs(struct block *b, const struct plane_work *w, struct timing t)
{
    struct program_operand want =
        emit_expect(w->weights, b->chip->mxm_load_streams, emit_walk(0, 0, t.load));
    emit(b,
         (struct program_instruction){.cycle = t.load + t.rows,
                                      .queue = plane_queue(w, 1),
                                      .opcode = PROGRAM_MXM_INSTALL,
                                      .count = {1, w->tiles * t.k_tiles},
                                      .interval = {0, t.period}},
         &want, 1, NULL, 0);
}

static int32_t compute_cycle(struct timing t, int32_t tile)
{
    return (tile * t.k_tiles + 1) * t.period + t.load;
}

/* All contraction tiles of one column tile: the first overwrites the accumulators, the last emits
 * them. */
static void emit_compute(struct block *b, const struct plane_work *w, struct timing t, int32_t tile,
                         struct program_operand rows)
{
    int32_t subs = b->chip->mxm_load_streams;
    struct program_operand in[2] = {
        rows, emit_expect(w->weights, subs, emit_walk(tile * t.k_tiles * t.load, 0, t.load))};
    struct program_operand out = emit_stream(emit_inward(w->east), 4 * w->local, 4, w->results, 0,
                                             emit_walk(tile * t.rows, 1, 0));
    struct program_instruction i = {.cycle = compute_cycle(t, tile),
                                    .queue = plane_queue(w, 2),
                                    .opcode = PROGRAM_MXM_COMPUTE,
                                    .flags = PROGRAM_FIRST | PROGRAM_LAST,
                                    .count = {t.rows, t.k_tiles},
                                    .interval = {1, t.period},
                                    .address = tile % ACCUMULATOR_SETS * t.rows,
                                    .stride = {1, 0}};
    emit(b, i, in, 2, &out, 1);
}

/* Both planes of a hemisphere take the same rows from the same stream. */
static void emit_hemisphere_computes(struct block *b, const struct plane_work work[2],
                                     struct timing t, const struct quantised *x)
{
    bool east = work[0].east;
    int32_t tiles = work[0].tiles > work[1].tiles ? work[0].tiles : work[1].tiles;
    for (int32_t u = 0; u < tiles; u++) {
        struct lane_group at = {emit_outward(east), STREAM_ROWS, emit_mxm_x(b, east),
                                compute_cycle(t, u) + b->chip->mxm_compute_skew_cycles};
        struct program_operand rows = emit_read(b, x->bytes[east], 0, 1, emit_walk(0, 1, t.rows),
                                                emit_pattern(t.rows, 1, t.k_tiles, t.period), at);
        for (int32_t local = 0; local < 2; local++)
            if (u < work[local].tiles)
                emit_compute(b, &work[local], t, u, rows);
    }
}

/* Repeats of a plane's results at the VXM: rows, then tiles. */
static struct pattern result_pattern(struct timing t, int32_t tiles)
{
    return emit_pattern(t.rows, 1, tiles, t.k_tiles * t.period);
}

static struct program_operand results_at_vxm(const struct plane_work *w, struct timing t)
{
    return emit_stream(emit_inward(w->east), 4 * w->local, 4, w->results, 0,
                       emit_walk(0, 1, t.rows));
}

static struct program_operand constant_at_vxm(struct block *b, const struct plane_work *w,
                                              struct timing t, int32_t tensor, int32_t stream,
                                              int64_t cycle)
{
    struct lane_group at = {emit_inward(w->east), stream + 2 * w->local, emit_vxm_x(b), cycle};
    return emit_read(b, tensor, 0, 2, emit_walk(0, 0, 1), result_pattern(t, w->tiles), at);
}

/* The row scale comes from the west, once for all planes, as often as the busiest needs it. */
static struct program_operand row_scale_at_vxm(struct block *b, const struct quantised *x,
                                               struct timing t, int32_t tiles, int64_t cycle)
{
    struct lane_group at = {PROGRAM_EAST, STREAM_ROW_SCALE, emit_vxm_x(b), cycle};
    return emit_read(b, x->scale, 0, 2, emit_walk(0, 1, 0), result_pattern(t, tiles), at);
}

static void write_tiles(struct block *b, const struct plane_work *w, struct timing t,
                        int32_t tensor, int64_t cycle)
{
    struct lane_group from = {emit_outward(w->east), STREAM_RESULT + 2 * w->local, emit_vxm_x(b),
                              cycle};
    if (!t.singly)
        emit_write(b, tensor, 0, 2, emit_walk(0, 1, t.rows), result_pattern(t, w->tiles), from);
    for (int32_t u = 0; t.singly && u < w->tiles; u++, from.cycle += t.k_tiles * t.period)
        emit_write(b, tensor, 0, 2, emit_walk(u, 0, 0), emit_pattern(1, 0, 1, 0), from);
}

static struct program_operand tiles_out(const struct plane_work *w, struct timing t, int32_t tensor)
{
    return emit_stream(emit_outward(w->east), STREAM_RESULT + 2 * w->local, 2, tensor, 0,
                       emit_walk(0, 1, t.rows));
}

static struct alu alu_of(struct timing t, const struct plane_work *w, int32_t unit,
                         enum program_vxm_function function, int64_t cycle)
{
    return (struct alu){
        .unit = unit, .function = function, .p = result_pattern(t, w->tiles), .cycle = cycle};
}

/* acc * column scale / 127 * row scale, to fp16 rows: a byte of the row is value * 127 / scale. */
static void emit_scaling(struct block *b, const struct plane_work *w, struct timing t,
                         int32_t scale, struct program_operand row_scale, int32_t out)
{
    int32_t unit = 2 * w->quad;
    struct program_operand in[2] = {
        results_at_vxm(w, t), constant_at_vxm(b, w, t, scale, STREAM_SCALE, t.results_at_vxm)};
    struct alu a = alu_of(t, w, unit, PROGRAM_VXM_MUL, t.results_at_vxm);
    a.immediate = 1.0f / 127.0f;
    int64_t c = emit_alu(b, a, in, 2, NULL, 0);
    struct program_operand to = tiles_out(w, t, out);
    struct program_operand second[2] = {emit_alu_operand(unit), row_scale};
    c = emit_alu(b, alu_of(t, w, unit + 1, PROGRAM_VXM_MUL, c), second, 2, &to, 1);
    write_tiles(b, w, t, out, c);
}

static void prepare_plane(struct block *b, struct plane_work *w, const struct quads *out,
                          int32_t quad, struct timing t, const char *name)
{
    int32_t tiles = shape_tiles_of(out->tiles, SHAPE_QUADS, quad);
    *w = (struct plane_work){
        .quad = quad, .east = quads_east(out, quad), .local = quad / 2, .tiles = tiles};
    if (tiles <= 0)
        return;
    char full[24];
    snprintf(full, sizeof full, "%.12s.acc%d", name, quad);
    w->weights = weight_tensor(b, w, name, tiles * t.k_tiles * t.load);
    w->results = emit_transient(b, full, PROGRAM_DTYPE_INT32, 4);
}

static void emit_product(struct block *b, const struct plane_work work[SHAPE_QUADS],
                         struct timing t, const struct quantised *x)
{
    for (int32_t q = 0; q < SHAPE_QUADS; q++)
        if (work[q].tiles > 0) {
            emit_loads(b, &work[q], t);
            emit_installs(b, &work[q], t);
        }
    for (int32_t q = 0; q < 2; q++) {
        struct plane_work both[2] = {work[q], work[q + 2]};
        emit_hemisphere_computes(b, both, t, x);
    }
}

static struct quads linear(struct block *b, const struct quantised *x, struct linear_shape s,
                           const char *name, int32_t mirror, int32_t pace)
{
    emit_op(b, name, true);
    struct timing t = timing_of(b, s, pace);
    int32_t rows = shape_tile_rows(s.n_tiles, SHAPE_QUADS);
    struct plane_work work[SHAPE_QUADS];
    struct quads out = ops_inner_quads(b, name, s.n_tiles, t.rows, mirror);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        prepare_plane(b, &work[q], &out, q, t, name);
        if (t.singly && work[q].tiles > 0)
            emit_follow_rows(b, out.tensor[q]);
    }
    emit_product(b, work, t, x);
    struct program_operand row_scale = row_scale_at_vxm(
        b, x, t, rows, t.results_at_vxm + b->chip->vxm_alu_cycles - b->chip->vxm_skew_cycles);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        if (work[q].tiles <= 0)
            continue;
        char full[24];
        snprintf(full, sizeof full, "%.10s.s", name);
        int32_t slot = work[q].local ? OPS_SLOT_SCALE_Y : OPS_SLOT_SCALE_X;
        emit_scaling(b, &work[q], t, column_constant(b, &work[q], full, slot), row_scale,
                     out.tensor[q]);
    }
    place_group(b, 0);
    return out;
}

struct quads ops_linear(struct block *b, const struct quantised *x, struct linear_shape s,
                        const char *name, int32_t mirror)
{
    return linear(b, x, s, name, mirror, 0);
}

/* Cycles between the vectors of a row that leave while the product runs: a whole round, since only
 * the gaps between loads let them pass, and a link slot. 0 where it is quicker to send them
 * afterwards. They leave at the earliest when their tiles are there, and when they arrive after the
 * last load of the second planes, whose slices take them. */
static int32_t pace_of(const struct block *b, struct linear_shape s)
{
    int64_t slot = machine_link_slot_cycles(b->chip), period = timing_of(b, s, 0).period;
    int64_t pace = slot > period ? slot : period, vectors = 2 * s.n_tiles;
    int64_t tile_rows = shape_tile_rows(s.n_tiles, SHAPE_QUADS), all = tile_rows * s.k_tiles;
    int64_t loads = (int64_t)shape_tiles_of(s.n_tiles, SHAPE_QUADS, 2) * s.k_tiles * pace;
    if (b->shape->rows > 1 || b->shape->group == 1 || s.by_columns)
        return 0;
    int64_t late = (tile_rows - 1) * (s.k_tiles - 2 * SHAPE_QUADS);
    int64_t first = (s.k_tiles + (late > 0 ? late : 0)) * pace;
    first = loads - b->chip->c2c_hop_cycles > first ? loads - b->chip->c2c_hop_cycles : first;
    return first + vectors * pace < all * period + vectors * slot ? (int32_t)pace : 0;
}

void ops_linear_sum(struct block *b, const struct quantised *x, struct linear_shape s,
                    const char *name, int32_t mirror, const struct quads *residual,
                    const int32_t *bias, const struct quads *out)
{
    char sum[24];
    int32_t pace = pace_of(b, s);
    struct quads partial = linear(b, x, s, name, mirror, pace);
    snprintf(sum, sizeof sum, "%.12s.sum", name);
    if (s.by_columns)
        ops_gather_columns(b, &partial, residual, bias, out, sum);
    else
        ops_reduce(b, &partial, residual, bias, out, sum, pace);
}
