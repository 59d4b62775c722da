/* SPDX-License-Identifier: BSD-3-Clause */
/* Products with the experts that rows have chosen: one slot after the other, as op_linear.c does it
 * for one matrix.
 *
 * A slot is one choice of one row, so that a pass has one activation row whatever is routed. All
 * experts are resident, each split over the tensor group like a dense MLP; a quad holds the same
 * tiles of every expert at equal distances, and the id of a slot completes the address that its
 * weights and scales are read from. Streams carry the slot's vectors; which expert they are of, the
 * read alone knows. A quad that has a tile less than the longest brings the vectors that follow and
 * computes nothing with them, so that all quads keep step. */
#include "partition/ops.h"

#include <stdio.h>

#include "partition/place.h"

enum {
    STREAM_ROWS = 31,      /* activations, outward, in the gap of the loads */
    STREAM_SCALE = 8,      /* inward, two for each plane */
    STREAM_ROW_SCALE = 12, /* eastward */
    STREAM_BIAS = 18,      /* inward */
    STREAM_RESULT = 20,    /* outward, two for each plane */
    ACCUMULATOR_SETS = 8,
};

struct product {
    struct block *b;
    const struct experts *experts;
    const struct quantised *x;
    int32_t x_rows;                       /* rows of x: those of the step, or one a slot */
    int32_t k_tiles, load, period, tiles; /* tiles of the longest quad */
    uint8_t flags;                        /* PROGRAM_ROWS: weights install as rows */
    int64_t results_at_vxm;               /* the first one */
    struct quads out;
};

/* One plane's share. */
struct plane {
    int32_t quad;
    bool east;
    int32_t local, tiles;
    int32_t weights, label, results;
};

/* Consecutive slots whose results one instruction scales: those of one row of x, or, where each
 * slot has its own, all. */
struct batch {
    int32_t first, slots;
};

static uint8_t plane_queue(const struct plane *w, int32_t use)
{
    return (uint8_t)(PROGRAM_QUEUE_MXM + PROGRAM_MXM_QUEUES * (2 * w->east + w->local) + use);
}

static int32_t rounds_of_slot(const struct product *p)
{
    return p->tiles * p->k_tiles;
}

static int64_t compute_cycle(const struct product *p, int32_t slot, int32_t tile)
{
    return (int64_t)(slot * rounds_of_slot(p) + tile * p->k_tiles + 1) * p->period + p->load;
}

/* Vectors of all experts, and behind them what a short quad brings of an expert beyond the last. */
static void place_weights(const struct product *p, struct plane *w, const char *name)
{
    struct block *b = p->b;
    int32_t slice[EMIT_OUTER_SLICES], n = b->chip->mxm_load_streams;
    for (int32_t j = 0; j < n; j++)
        slice[j] =
            emit_outer_slice(b, w->east, 2 * j + (w->local + j + w->east + b->rotation / 2) % 2);
    int32_t tile = p->k_tiles * p->load, valid = b->shape->experts * w->tiles * tile;
    char full[24];
    snprintf(full, sizeof full, "%.12s.w%d", name, w->quad);
    w->weights = emit_tensor(b,
                             &(struct tensor_spec){.name = full,
                                                   .kind = PROGRAM_TENSOR_WEIGHT,
                                                   .dtype = PROGRAM_DTYPE_INT8,
                                                   .subs = n,
                                                   .count = valid + (p->tiles - w->tiles) * tile,
                                                   .valid = valid,
                                                   .slice = slice},
                             -1);
    w->label = emit_transient(b, "slot.weights", PROGRAM_DTYPE_INT8, n);
    w->results = emit_transient(b, "slot.sums", PROGRAM_DTYPE_INT32, 4);
}

/* A table with `tiles` vectors an expert: scales, or biases, of a quad's columns. */
static int32_t place_table(struct block *b, const char *name, char letter, int32_t quad, bool east,
                           int32_t slot, int32_t tiles)
{
    int32_t slice[2] = {emit_inner_slice(b, east, slot), emit_inner_slice(b, east, slot + 1)};
    char full[24];
    snprintf(full, sizeof full, "%.12s.%c%d", name, letter, quad);
    return emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16, full, slice, 2,
                       b->shape->experts * tiles);
}

static void emit_loads(const struct product *p, const struct plane *w)
{
    struct block *b = p->b;
    int32_t n = b->chip->mxm_load_streams, rounds = p->experts->slots * rounds_of_slot(p);
    struct pattern repeats = emit_pattern(p->load, 1, rounds, p->period);
    struct expert_read read = {.table = w->weights,
                               .subs = n,
                               .label = w->label,
                               .ids = p->experts->ids,
                               .per_expert = w->tiles * p->k_tiles * p->load,
                               .repeats_a_slot = rounds_of_slot(p)};
    struct lane_group at = {emit_outward(w->east), w->local * n, emit_mxm_x(b, w->east),
                            b->chip->mxm_load_skew_cycles};
    struct program_operand in = emit_read_expert(b, &read, emit_walk(0, 1, p->load), repeats, at);
    emit(b,
         (struct program_instruction){.queue = plane_queue(w, 0),
                                      .opcode = PROGRAM_MXM_LOAD,
                                      .flags = p->flags,
                                      .count = {p->load, rounds},
                                      .interval = {1, p->period}},
         &in, 1, NULL, 0);
    struct program_operand want = emit_expect(w->label, n, emit_walk(0, 0, p->load));
    emit(b,
         (struct program_instruction){.cycle = p->load + 1,
                                      .queue = plane_queue(w, 1),
                                      .opcode = PROGRAM_MXM_INSTALL,
                                      .flags = p->flags,
                                      .count = {1, rounds},
                                      .interval = {0, p->period}},
         &want, 1, NULL, 0);
}

/* The row of x that a slot multiplies. */
static int32_t row_of_slot(const struct product *p, int32_t slot)
{
    return slot / (p->experts->slots / p->x_rows);
}

/* All contraction tiles of one column tile of one slot. */
static void emit_compute(const struct product *p, const struct plane *w, int32_t slot, int32_t tile)
{
    int32_t subs = p->b->chip->mxm_load_streams, n = slot * p->tiles + tile;
    struct program_operand in[2] = {
        emit_stream(emit_outward(w->east), STREAM_ROWS, 1, p->x->bytes[w->east], 0,
                    emit_walk(row_of_slot(p, slot), 0, p->x_rows)),
        emit_expect(w->label, subs, emit_walk(n * p->k_tiles * p->load, 0, p->load))};
    struct program_operand out =
        emit_stream(emit_inward(w->east), 4 * w->local, 4, w->results, 0, emit_walk(n, 0, 0));
    emit(p->b,
         (struct program_instruction){.cycle = compute_cycle(p, slot, tile),
                                      .queue = plane_queue(w, 2),
                                      .opcode = PROGRAM_MXM_COMPUTE,
                                      .flags = PROGRAM_FIRST | PROGRAM_LAST,
                                      .count = {1, p->k_tiles},
                                      .interval = {0, p->period},
                                      .address = n % ACCUMULATOR_SETS},
         in, 2, &out, 1);
}

/* Rows for both planes of a hemisphere, as often as the one with more tiles needs them. */
static void emit_rows(const struct product *p, bool east, int32_t tiles)
{
    struct block *b = p->b;
    int32_t per = p->experts->slots / p->x_rows, column = p->k_tiles * p->period;
    for (int32_t slot = 0; slot < p->experts->slots; slot += tiles == p->tiles ? per : 1) {
        int32_t columns = tiles == p->tiles ? per * tiles : tiles;
        struct lane_group at = {emit_outward(east), STREAM_ROWS, emit_mxm_x(b, east),
                                compute_cycle(p, slot, 0) + b->chip->mxm_compute_skew_cycles};
        emit_read(b, p->x->bytes[east], 0, 1, emit_walk(row_of_slot(p, slot), p->x_rows, 0),
                  emit_pattern(p->k_tiles, p->period, columns, column), at);
    }
}

/* Repeats of a batch's results: tiles, then slots. */
static struct pattern result_pattern(const struct product *p, int32_t tiles, int32_t slots)
{
    int32_t column = p->k_tiles * p->period;
    return emit_pattern(tiles, column, slots, p->tiles * column);
}

static int64_t result_cycle(const struct product *p, int32_t slot)
{
    return p->results_at_vxm + (int64_t)slot * rounds_of_slot(p) * p->period;
}

/* The row scale comes from the west, once for all planes. */
static struct program_operand read_row_scale(const struct product *p, struct batch batch)
{
    struct block *b = p->b;
    int64_t cycle =
        result_cycle(p, batch.first) + b->chip->vxm_alu_cycles - b->chip->vxm_skew_cycles;
    bool own = p->x_rows == p->experts->slots;
    return emit_read(b, p->x->scale, 0, 2, emit_walk(row_of_slot(p, batch.first), 0, own),
                     result_pattern(p, p->tiles, batch.slots),
                     emit_at_vxm(b, false, STREAM_ROW_SCALE, cycle));
}

/* acc * column scale / 127 * row scale, to fp16 rows. */
static void emit_scaling(const struct product *p, const struct plane *w, struct batch batch,
                         struct program_operand scale, struct program_operand row_scale)
{
    struct block *b = p->b;
    struct pattern repeats = result_pattern(p, w->tiles, batch.slots);
    scale.index = batch.first * w->tiles;
    struct program_operand in[2] = {emit_stream(emit_inward(w->east), 4 * w->local, 4, w->results,
                                                0, emit_walk(batch.first * p->tiles, 1, p->tiles)),
                                    scale};
    struct alu a = {.unit = 2 * w->quad,
                    .function = PROGRAM_VXM_MUL,
                    .immediate = 1.0f / 127.0f,
                    .p = repeats,
                    .cycle = result_cycle(p, batch.first)};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(a.unit), in[1] = row_scale;
    struct lane_group from = {emit_outward(w->east), STREAM_RESULT + 2 * w->local, emit_vxm_x(b),
                              0};
    struct walk to = emit_walk(batch.first, p->experts->slots, 1);
    struct program_operand out =
        emit_stream(from.direction, from.stream, 2, p->out.tensor[w->quad], 0, to);
    a.unit++, a.immediate = 0;
    from.cycle = emit_alu(b, a, in, 2, &out, 1);
    emit_write(b, p->out.tensor[w->quad], 0, 2, to, repeats, from);
}

static struct program_operand read_column_scale(const struct product *p, const struct plane *w,
                                                const char *name)
{
    struct block *b = p->b;
    char full[24];
    snprintf(full, sizeof full, "%.10s", name);
    struct expert_read read = {.table = place_table(b, full, 's', w->quad, w->east,
                                                    w->local ? OPS_SLOT_SCALE_Y : OPS_SLOT_SCALE_X,
                                                    w->tiles),
                               .subs = 2,
                               .label = emit_transient(b, "slot.scales", PROGRAM_DTYPE_FP16, 2),
                               .ids = p->experts->ids,
                               .per_expert = w->tiles,
                               .repeats_a_slot = 1};
    return emit_read_expert(
        b, &read, emit_walk(0, 1, w->tiles), result_pattern(p, w->tiles, p->experts->slots),
        emit_at_vxm(b, w->east, STREAM_SCALE + 2 * w->local, p->results_at_vxm));
}

static void emit_plane(const struct product *p, const struct plane *w)
{
    emit_loads(p, w);
    for (int32_t slot = 0; slot < p->experts->slots; slot++)
        for (int32_t tile = 0; tile < w->tiles; tile++)
            emit_compute(p, w, slot, tile);
}

static void emit_results(const struct product *p, const struct plane plane[SHAPE_QUADS],
                         const char *name)
{
    struct program_operand scale[SHAPE_QUADS];
    bool own = p->x_rows == p->experts->slots;
    struct batch batch = {.slots = own ? p->experts->slots : p->experts->slots / p->x_rows};
    for (int32_t q = 0; q < SHAPE_QUADS; q++)
        if (plane[q].tiles > 0)
            scale[q] = read_column_scale(p, &plane[q], name);
    for (; batch.first < p->experts->slots; batch.first += batch.slots) {
        struct program_operand row_scale = read_row_scale(p, batch);
        for (int32_t q = 0; q < SHAPE_QUADS; q++)
            if (plane[q].tiles > 0)
                emit_scaling(p, &plane[q], batch, scale[q], row_scale);
    }
}

static struct product product_of(struct block *b, const struct experts *e,
                                 const struct quantised *x, struct linear_shape s)
{
    const struct lpu_chip *chip = b->chip;
    struct product p = {.b = b,
                        .experts = e,
                        .x = x,
                        .k_tiles = s.k_tiles,
                        .load = (s.rows ? s.rows : s.columns) / chip->mxm_load_streams,
                        .tiles = shape_tile_rows(s.n_tiles, SHAPE_QUADS),
                        .flags = s.rows ? PROGRAM_ROWS : 0};
    p.x_rows = b->shape->rows;
    p.period = p.load + 1 + chip->mxm_install_cycles - chip->mxm_load_skew_cycles;
    p.results_at_vxm = (int64_t)p.k_tiles * p.period + p.load + chip->mxm_compute_cycles +
                       emit_vxm_x(b) - emit_mxm_x(b, false);
    return p;
}

struct quads ops_expert_linear(struct block *b, const struct experts *e, const struct quantised *x,
                               struct linear_shape s, const char *name, int32_t mirror)
{
    emit_op(b, name, true);
    struct product p = product_of(b, e, x, s);
    struct plane plane[SHAPE_QUADS];
    p.out = ops_quads_at(b, name, s.n_tiles, e->slots, mirror, OPS_SLOT_X, OPS_SLOT_Y);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        plane[q] = (struct plane){.quad = q,
                                  .east = quads_east(&p.out, q),
                                  .local = q / 2,
                                  .tiles = shape_tiles_of(s.n_tiles, SHAPE_QUADS, q)};
        if (plane[q].tiles <= 0)
            continue;
        place_weights(&p, &plane[q], name);
        emit_plane(&p, &plane[q]);
    }
    for (int32_t q = 0; q < 2; q++) {
        int32_t tiles = plane[q].tiles > plane[q + 2].tiles ? plane[q].tiles : plane[q + 2].tiles;
        if (tiles > 0)
            emit_rows(&p, plane[q].east, tiles);
    }
    emit_results(&p, plane, name);
    place_group(b, 0);
    return p.out;
}

struct quads ops_expert_bias(struct block *b, const struct experts *e, const struct quads *in,
                             const char *name)
{
    emit_op(b, name, true);
    struct quads out =
        ops_quads_at(b, name, in->tiles, e->slots, in->mirror, OPS_SLOT_SCALE_X, OPS_SLOT_SCALE_Y);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t tiles = shape_tiles_of(in->tiles, SHAPE_QUADS, q), east = quads_east(in, q);
        if (tiles <= 0)
            continue;
        struct pattern p = emit_pattern(tiles, 1, e->slots, tiles);
        struct walk walk = emit_walk(0, e->slots, 1);
        struct expert_read read = {.table = place_table(b, name, 'b', q, east, OPS_SLOT_ROW, tiles),
                                   .subs = 2,
                                   .label = emit_transient(b, "slot.bias", PROGRAM_DTYPE_FP16, 2),
                                   .ids = e->ids,
                                   .per_expert = tiles,
                                   .repeats_a_slot = 1};
        struct program_operand term[2] = {
            emit_read(b, in->tensor[q], 0, 2, walk, p, emit_at_vxm(b, east, STREAM_SCALE, 0)),
            emit_read_expert(b, &read, emit_walk(0, 1, tiles), p,
                             emit_at_vxm(b, east, STREAM_BIAS, 0))};
        struct lane_group from = {emit_outward(east), STREAM_RESULT, emit_vxm_x(b), 0};
        struct program_operand sum =
            emit_stream(from.direction, from.stream, 2, out.tensor[q], 0, walk);
        struct alu a = {.unit = q, .function = PROGRAM_VXM_ADD, .p = p};
        from.cycle = emit_alu(b, a, term, 2, &sum, 1);
        emit_write(b, out.tensor[q], 0, 2, walk, p, from);
        place_group(b, 0);
    }
    return out;
}
