/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits an fp16 product: loads, installs, passes and results of both hemispheres. */
#include "partition/op_matmul.h"

#include <stdio.h>

#include "partition/place.h"

enum {
    STREAM_WEIGHTS = 0, /* outward, 16 */
    STREAM_ROWS = 16,   /* outward */
    STREAM_RESULT = 20, /* outward */
    LOAD_STREAMS = 16,
    PLANES = 2,
    RESULT_PAIRS = 2, /* of slices, that tiles take turns in */
    FIRST_X = 26,     /* places from the VXM outward; pairs of x go inward from here */
    FIRST_WEIGHT = 28,
};

/* When one hemisphere does what: install r of a tile at first_install + r * period. */
struct passes {
    struct block *b;
    const struct matmul *m;
    struct matmul_side *side;
    bool east;
    int32_t load, period;
    int64_t first_install;
};

int32_t matmul_slice(const struct block *b, bool east, int32_t place)
{
    int32_t slices = b->chip->mem_slices_per_hemisphere;
    return east ? slices + place : slices - 1 - place;
}

static int32_t load_cycles(const struct lpu_chip *chip)
{
    return chip->mxm_fp16_rows / (LOAD_STREAMS / PLANES);
}

int32_t matmul_period_cycles(const struct lpu_chip *chip, int32_t rows)
{
    int32_t load = load_cycles(chip);
    return (rows > load ? rows : load) + chip->mxm_install_cycles;
}

/* How many vectors of every row a pair of slices holds. */
static int32_t vectors_per_pair(const struct lpu_chip *chip, const struct matmul_side *s)
{
    return s->rows ? chip->vectors_per_slice / s->rows : MATMUL_MOST_VECTORS;
}

static const char *side_refusal(const struct lpu_chip *chip, const struct matmul *m,
                                const struct matmul_side *s)
{
    int32_t vectors = shape_ceil_div(m->k_tiles, 2), each = vectors_per_pair(chip, s);
    int32_t results = shape_ceil_div(s->tiles, RESULT_PAIRS) * s->rows;
    if (s->rows > chip->mxm_accumulator_rows)
        return "more rows than accumulators";
    if (vectors > MATMUL_MOST_VECTORS || s->tiles > MATMUL_MOST_TILES || each == 0 ||
        FIRST_X - 2 * (shape_ceil_div(vectors, each) - 1) < 2 * RESULT_PAIRS)
        return "more activations than slices hold";
    if ((int64_t)m->k_tiles * s->tiles * load_cycles(chip) > chip->vectors_per_slice)
        return "more weights than slices hold";
    return results > chip->vectors_per_slice ? "more results than slices hold" : NULL;
}

/* A side without rows has no tiles. */
static void share_rows(const struct matmul *m, struct matmul_side side[2])
{
    int32_t west = m->rows / 2;
    for (int32_t east = 0; east < 2; east++) {
        int32_t rows = east ? m->rows - west : west;
        side[east] = (struct matmul_side){
            .tiles = rows ? m->n_tiles : 0, .first_row = east * west, .rows = rows};
    }
}

static void share_columns(const struct matmul *m, struct matmul_side side[2])
{
    int32_t west = (m->n_tiles + 1) / 2;
    for (int32_t east = 0; east < 2; east++)
        side[east] = (struct matmul_side){
            .first_tile = east * west, .tiles = east ? m->n_tiles - west : west, .rows = m->rows};
}

static const char *sides_refusal(const struct lpu_chip *chip, const struct matmul *m,
                                 const struct matmul_side side[2])
{
    const char *why = side_refusal(chip, m, &side[0]);
    return why ? why : side_refusal(chip, m, &side[1]);
}

/* NULL, or why neither way fits. */
static const char *share_out(const struct lpu_chip *chip, const struct matmul *m,
                             struct matmul_side side[2])
{
    share_rows(m, side);
    if (!sides_refusal(chip, m, side))
        return NULL;
    share_columns(m, side);
    return sides_refusal(chip, m, side);
}

const char *matmul_refusal(const struct lpu_chip *chip, const struct matmul *m)
{
    struct matmul_side side[2];
    return share_out(chip, m, side);
}

static int32_t pair_tensor(const struct passes *p, enum program_tensor_kind kind, const char *what,
                           int32_t n, int32_t place)
{
    char name[24];
    int32_t slice[PLANES] = {matmul_slice(p->b, p->east, place),
                             matmul_slice(p->b, p->east, place + 1)};
    snprintf(name, sizeof name, "%.8s.%c%d", what, p->east ? 'e' : 'w', (int)n);
    return emit_placed(p->b, kind, PROGRAM_DTYPE_FP16, name, slice, PLANES, p->side->rows);
}

static void add_tensors(const struct passes *p)
{
    struct matmul_side *s = p->side;
    int32_t slice[LOAD_STREAMS], each = vectors_per_pair(p->b->chip, s);
    for (int32_t j = 0; j < LOAD_STREAMS; j++)
        slice[j] = matmul_slice(p->b, p->east, FIRST_WEIGHT + j);
    s->weight =
        emit_placed(p->b, PROGRAM_TENSOR_WEIGHT, PROGRAM_DTYPE_FP16, p->east ? "w.e" : "w.w", slice,
                    LOAD_STREAMS, p->m->k_tiles * s->tiles * p->load);
    for (int32_t v = 0; 2 * v < p->m->k_tiles; v++)
        s->x[v] = pair_tensor(p, PROGRAM_TENSOR_CONSTANT, "x", v, FIRST_X - 2 * (v / each));
    for (int32_t t = 0; t < s->tiles; t++)
        s->y[t] = pair_tensor(p, PROGRAM_TENSOR_ACTIVATION, "y", t, PLANES * (t % RESULT_PAIRS));
}

static struct program_instruction on_mxm(const struct passes *p, enum program_opcode opcode,
                                         int32_t use, struct pattern when, int64_t cycle)
{
    int32_t plane = p->east ? 2 * PROGRAM_MXM_QUEUES : 0;
    return (struct program_instruction){.cycle = cycle,
                                        .queue = (uint8_t)(PROGRAM_QUEUE_MXM + plane + use),
                                        .opcode = (uint8_t)opcode,
                                        .flags = PROGRAM_FP16,
                                        .count = {when.n[0], when.n[1]},
                                        .interval = {when.d[0], when.d[1]}};
}

static void emit_weights(const struct passes *p)
{
    struct block *b = p->b;
    int32_t all = p->m->k_tiles * p->side->tiles;
    struct pattern when = emit_pattern(p->load, 1, all, p->period);
    struct walk tiles = emit_walk(0, 1, p->load);
    int64_t sampled = p->first_install - p->load;
    struct lane_group at = {emit_outward(p->east), STREAM_WEIGHTS, emit_mxm_x(b, p->east), sampled};
    struct program_operand in = emit_read(b, p->side->weight, 0, LOAD_STREAMS, tiles, when, at);
    struct program_operand want =
        emit_expect(p->side->weight, LOAD_STREAMS, emit_walk(0, 0, p->load));
    struct program_instruction load =
        on_mxm(p, PROGRAM_MXM_LOAD, 0, when, sampled - b->chip->mxm_load_skew_cycles);
    struct program_instruction install =
        on_mxm(p, PROGRAM_MXM_INSTALL, 1, emit_pattern(1, 0, all, p->period), p->first_install);
    load.flags |= PROGRAM_ROWS;
    install.flags |= PROGRAM_ROWS;
    emit(b, load, &in, 1, NULL, 0);
    emit(b, install, &want, 1, NULL, 0);
}

/* All rows under one installed tile. */
static void emit_pass(const struct passes *p, int32_t tile, int32_t k, int32_t sums)
{
    struct block *b = p->b;
    int32_t pass = tile * p->m->k_tiles + k, rows = p->side->rows;
    bool last = k + 1 == p->m->k_tiles;
    int64_t cycle = p->first_install + (int64_t)pass * p->period + b->chip->mxm_install_cycles;
    struct pattern when = emit_pattern(rows, 1, 1, 0);
    struct lane_group at = {emit_outward(p->east), STREAM_ROWS, emit_mxm_x(b, p->east),
                            cycle + b->chip->mxm_compute_skew_cycles};
    struct program_operand in[2] = {
        emit_read(b, p->side->x[k / 2], 0, PLANES, emit_walk(0, 1, 0), when, at),
        emit_expect(p->side->weight, LOAD_STREAMS, emit_walk(pass * p->load, 0, 0))};
    struct program_operand out =
        emit_stream(emit_inward(p->east), 0, 4, sums, 0, emit_walk(tile * rows, 1, 0));
    struct program_instruction i = on_mxm(p, PROGRAM_MXM_COMPUTE, 2, when, cycle);
    i.flags |= (uint8_t)((k ? 0 : PROGRAM_FIRST) | (last ? PROGRAM_LAST : 0));
    i.stride[0] = 1;
    i.low = k % 2 * b->chip->mxm_fp16_rows;
    emit(b, i, in, 2, &out, last);
}

/* Sums of a finished tile to fp16 and into SRAM. */
static void emit_results(const struct passes *p, int32_t tile, int32_t sums)
{
    struct block *b = p->b;
    int32_t rows = p->side->rows, last = (tile + 1) * p->m->k_tiles - 1;
    int64_t left = p->first_install + (int64_t)last * p->period + b->chip->mxm_install_cycles +
                   b->chip->mxm_compute_cycles;
    struct alu a = {.unit = 8 * p->east,
                    .function = PROGRAM_VXM_COPY,
                    .p = emit_pattern(rows, 1, 1, 0),
                    .cycle = left + emit_vxm_x(b) - emit_mxm_x(b, false)};
    struct program_operand in =
        emit_stream(emit_inward(p->east), 0, 4, sums, 0, emit_walk(tile * rows, 1, 0));
    struct lane_group from = {emit_outward(p->east), STREAM_RESULT, emit_vxm_x(b), 0};
    struct program_operand out =
        emit_stream(from.direction, from.stream, PLANES, p->side->y[tile], 0, emit_walk(0, 1, 0));
    from.cycle = emit_alu(b, a, &in, 1, &out, 1);
    emit_write(b, p->side->y[tile], 0, PLANES, emit_walk(0, 1, 0), a.p, from);
}

static void emit_side(const struct passes *p)
{
    int32_t sums = emit_transient(p->b, p->east ? "sums.e" : "sums.w", PROGRAM_DTYPE_FP32, 4);
    add_tensors(p);
    emit_weights(p);
    for (int32_t t = 0; t < p->side->tiles; t++) {
        for (int32_t k = 0; k < p->m->k_tiles; k++)
            emit_pass(p, t, k, sums);
        emit_results(p, t, sums);
    }
}

void ops_matmul(struct block *b, const struct matmul *m, struct matmul_side side[2])
{
    emit_op(b, "matmul", true);
    share_out(b->chip, m, side);
    for (int32_t east = 0; east < 2; east++) {
        struct passes p = {.b = b,
                           .m = m,
                           .side = &side[east],
                           .east = east,
                           .load = load_cycles(b->chip),
                           .period = matmul_period_cycles(b->chip, side[east].rows)};
        p.first_install = p.load;
        if (side[east].tiles)
            emit_side(&p);
    }
    place_group(b, 0);
}
