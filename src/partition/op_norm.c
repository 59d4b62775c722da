/* SPDX-License-Identifier: BSD-3-Clause */
/* Norms and quantisation: what a row needs before it can meet int8 weights.
 *
 * Nothing adds or compares across lanes for free. Sums over lanes go through the MXM against ones,
 * which also spreads the sum over all lanes. Maxima go through the SXM: a 16x16 transpose brings
 * the lanes of each superlane side by side for a tree of 15 ALUs; a single row goes in twenty
 * times, rotated by whole superlanes, rows that follow each other cross three times. The quantised
 * row is independent of the norm's root mean square, so both reductions run side by side and only
 * the row's scale needs both. */
#include "partition/ops.h"

#include <stdio.h>
#include <string.h>

#include "partition/place.h"

enum {
    STREAM_IN = 8,        /* inward rows, two a quad of the hemisphere */
    STREAM_GAIN = 12,     /* inward constants */
    STREAM_OUT = 20,      /* outward rows, two a quad of the hemisphere */
    STREAM_TREE_OUT = 24, /* outward, VXM to SXM */
    STREAM_SPREAD = 28,
    STREAM_BYTES = 30,
    STREAM_ROW = 18, /* eastward, one vector a row */
    TREE_INPUTS = 16,
    MOST_TRAINS = 12,      /* of rows whose magnitudes are compared: others of a group, own heads */
    WRITE_CYCLES = 2,      /* from the issue of a write until its row can be read */
    MOST_ROTATED_ROWS = 8, /* rotations of more take longer than two crossings */
    TREE_ROOT = 14,        /* unit of the last comparison in a tree of 15 */
    TREE_GAP_CYCLES = 100, /* trees of one group start this far apart at least */
    SQUARE_SCALE = 64,     /* squares are summed as square / 64 */
};

static int32_t row_vector(struct block *b, const char *name, const char *part, bool east,
                          int32_t slot, int32_t subs)
{
    int32_t slice[2] = {emit_inner_slice(b, east, slot), emit_inner_slice(b, east, slot + 1)};
    char full[24];
    snprintf(full, sizeof full, "%.12s.%s", name, part);
    return emit_placed(b, PROGRAM_TENSOR_ACTIVATION,
                       subs == 1 ? PROGRAM_DTYPE_INT8 : PROGRAM_DTYPE_FP16, full, slice, subs,
                       b->shape->rows);
}

int32_t ops_lane_max_rows(int32_t interval)
{
    return interval >= TREE_GAP_CYCLES ? 1 : TREE_GAP_CYCLES / interval;
}

/* Cycle at which what the VXM drives outward in `cycle` stands at the SXM of the west, and back. */
static int64_t across(const struct block *b, int64_t cycle)
{
    return cycle + emit_vxm_x(b) - emit_sxm_x(b, false);
}

/* A train of the west SXM: its second queue transposes, its first or second permutes. */
static struct program_instruction sxm_instruction(const struct block *b, int32_t queue,
                                                  enum program_opcode opcode, struct pattern p,
                                                  int64_t cycle)
{
    return (struct program_instruction){.cycle = cycle - b->chip->sxm_skew_cycles,
                                        .queue = (uint8_t)(PROGRAM_QUEUE_SXM + queue),
                                        .opcode = (uint8_t)opcode,
                                        .count = {p.n[0], p.n[1]},
                                        .interval = {p.d[0], p.d[1]}};
}

/* Vectors of a train: rows, or several each. */
static struct walk train_walk(struct pattern p)
{
    return emit_walk(0, p.n[0] > 1, p.n[0]);
}

/* Two streams westward at the SXM in `cycle` to 16 pairs eastward. Returns when they stand at the
 * VXM. */
static int64_t emit_transpose(struct block *b, struct program_operand in, int32_t to,
                              struct pattern p, int64_t cycle)
{
    struct program_operand out =
        emit_stream(PROGRAM_EAST, 0, 2 * TREE_INPUTS, to, 0, train_walk(p));
    emit(b, sxm_instruction(b, 1, PROGRAM_SXM_TRANSPOSE, p, cycle), &in, 1, &out, 1);
    return across(b, cycle - b->chip->sxm_skew_cycles + b->chip->sxm_transpose_cycles);
}

/* Returns when `out` appears at the SXM. */
static int64_t emit_permute(struct block *b, struct program_instruction i,
                            struct program_operand in, struct program_operand out)
{
    emit(b, i, &in, 1, &out, 1);
    return i.cycle + b->chip->sxm_cycles;
}

/* Levels of the tree over 16 transposed pairs of streams that stand at the VXM in `cycle`; all but
 * the root. Returns the cycle in which the root samples units 12 and 13. */
static int64_t emit_tree(struct block *b, int32_t leaves, struct pattern p, int64_t cycle)
{
    struct alu a = {.function = PROGRAM_VXM_MAX, .p = p, .cycle = cycle};
    int64_t next = 0;
    for (int32_t j = 0; j < TREE_INPUTS / 2; j++, a.unit++) {
        struct program_operand in[2];
        for (int32_t k = 0; k < 2; k++)
            in[k] =
                emit_stream(PROGRAM_EAST, 4 * j + 2 * k, 2, leaves, 4 * j + 2 * k, train_walk(p));
        next = emit_alu(b, a, in, 2, NULL, 0);
    }
    for (int32_t first = 0, width = TREE_INPUTS / 2; width > 2; first += width, width /= 2) {
        a.cycle = next;
        for (int32_t j = 0; j < width / 2; j++, a.unit++) {
            struct program_operand in[2] = {emit_alu_operand(first + 2 * j),
                                            emit_alu_operand(first + 2 * j + 1)};
            next = emit_alu(b, a, in, 2, NULL, 0);
        }
    }
    return next;
}

static struct alu tree_root(struct pattern p, int64_t cycle, struct program_operand in[2])
{
    in[0] = emit_alu_operand(TREE_ROOT - 2);
    in[1] = emit_alu_operand(TREE_ROOT - 1);
    return (struct alu){.unit = TREE_ROOT, .function = PROGRAM_VXM_MAX, .p = p, .cycle = cycle};
}

static int32_t max_label(struct block *b, int32_t vectors)
{
    return emit_transient(b, "max", PROGRAM_DTYPE_FP16, 2 * vectors);
}

static struct program_operand max_train(int32_t stream, int32_t label, struct pattern p)
{
    return emit_stream(PROGRAM_WEST, stream, 2, label, 0, train_walk(p));
}

/* Rows that stand westward at the VXM in `cycle` as `row`, each into two slices of its own near the
 * SXM and from there to it once for each superlane, where they stand in pattern p as `again`.
 * Returns when. */
static int64_t keep_rows(struct block *b, struct program_operand row, struct pattern rows,
                         struct program_operand again, struct pattern p, int64_t cycle)
{
    const struct lpu_chip *chip = b->chip;
    struct pattern one = emit_pattern(1, 0, 1, 0), many = emit_pattern(p.n[0], p.d[0], 1, 0);
    struct walk same = emit_walk(0, 0, 0);
    int64_t there =
        across(b, cycle) - chip->mem_write_skew_cycles + WRITE_CYCLES + chip->mem_read_cycles;
    row.stride[1] = again.stride[1] = 0;
    for (int32_t n = 0; n < rows.n[1]; n++) {
        int32_t slice[2] = {emit_outer_slice(b, false, 2 * n),
                            emit_outer_slice(b, false, 2 * n + 1)};
        int32_t kept =
            emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, "max.row", slice, 2, 1);
        row.index = again.index = n;
        emit_store(b, row, kept, 0, same, one,
                   (struct lane_group){PROGRAM_WEST, row.stream, emit_vxm_x(b),
                                       cycle + (int64_t)n * rows.d[1]});
        for (int32_t sub = 0; sub < 2; sub++) {
            struct program_operand plane = again;
            plane.stream += (uint8_t)sub, plane.sub = (uint8_t)sub, plane.streams = 1;
            emit_read_as(b, kept, sub, same, many, plane,
                         (struct lane_group){PROGRAM_WEST, plane.stream, emit_sxm_x(b, false),
                                             there + (int64_t)n * p.d[1]});
        }
    }
    return there;
}

/* A few rows, in one crossing: each goes into the SXM once for each superlane, rotated by one more
 * each time, and the root of the tree folds what comes back. */
static struct alu over_rotations(struct block *b, struct alu source,
                                 const struct program_operand *in, int32_t inputs,
                                 struct program_operand last[2])
{
    struct pattern rows = emit_alu_results(source);
    int32_t superlanes = b->chip->lanes / b->chip->lanes_per_superlane;
    int32_t apart = rows.d[1] > superlanes ? rows.d[1] : superlanes;
    struct pattern p = emit_pattern(superlanes, 1, rows.n[1], apart);
    int32_t label = max_label(b, 1), turned = max_label(b, 1), leaves = max_label(b, TREE_INPUTS);
    struct program_operand row = max_train(STREAM_TREE_OUT, label, rows),
                           again = max_train(STREAM_SPREAD, label, rows),
                           train = max_train(STREAM_TREE_OUT, turned, p);
    int64_t c = emit_alu(b, source, in, inputs, &row, 1);
    c = keep_rows(b, row, rows, again, p, c);
    struct program_instruction turn = sxm_instruction(b, 0, PROGRAM_SXM_PERMUTE, p, c);
    turn.function = PROGRAM_SXM_ROTATE, turn.argument_stride = 1;
    c = emit_transpose(b, train, leaves, p, emit_permute(b, turn, again, train));
    struct alu root = tree_root(p, emit_tree(b, leaves, p, c), last);
    root.flags = PROGRAM_REDUCE;
    return root;
}

/* Through the transpose and the tree: `train`, westward at the SXM in cycle `at_sxm`. Returns the
 * root. */
static struct alu through_tree(struct block *b, struct program_operand train, struct pattern p,
                               int64_t at_sxm, struct program_operand last[2])
{
    int32_t leaves = max_label(b, TREE_INPUTS);
    int64_t c = emit_transpose(b, train, leaves, p, at_sxm);
    return tree_root(p, emit_tree(b, leaves, p, c), last);
}

/* A train of rows, a cycle each: three crossings, within superlanes, over sixteen of them, and the
 * window of sixteen against itself, rotated. */
static struct alu over_windows(struct block *b, struct alu source, const struct program_operand *in,
                               int32_t inputs, struct program_operand last[2])
{
    struct pattern p = emit_alu_results(source);
    struct program_operand row = max_train(STREAM_TREE_OUT, max_label(b, 1), p),
                           maxima = max_train(STREAM_TREE_OUT, max_label(b, 1), p),
                           spread = max_train(STREAM_SPREAD, max_label(b, 1), p),
                           window = max_train(STREAM_TREE_OUT, max_label(b, 1), p);
    int64_t c = across(b, emit_alu(b, source, in, inputs, &row, 1));
    struct alu root = through_tree(b, row, p, c, last);
    c = across(b, emit_alu(b, root, last, 2, &maxima, 1));
    struct program_instruction i = sxm_instruction(b, 0, PROGRAM_SXM_PERMUTE, p, c);
    i.function = PROGRAM_SXM_SPREAD;
    root = through_tree(b, spread, p, emit_permute(b, i, maxima, spread), last);
    c = across(b, emit_alu(b, root, last, 2, &window, 1));
    for (int32_t k = 0; k < 2; k++)
        last[k] = emit_stream(PROGRAM_EAST, 2 * k, 2, max_label(b, 1), 0, train_walk(p));
    i = sxm_instruction(b, 0, PROGRAM_SXM_PERMUTE, p, c);
    i.function = PROGRAM_SXM_ROTATE, i.argument = 4;
    emit_permute(b, i, window, last[0]);
    c = emit_permute(b, sxm_instruction(b, 1, PROGRAM_SXM_PERMUTE, p, c), window, last[1]);
    return (struct alu){
        .unit = TREE_ROOT + 1, .function = PROGRAM_VXM_MAX, .p = p, .cycle = across(b, c)};
}

/* One crossing where the rows are few enough for slices of their own. */
struct alu ops_lane_max(struct block *b, struct alu source, const struct program_operand *in,
                        int32_t inputs, struct program_operand last[2])
{
    return emit_alu_results(source).n[1] <= MOST_ROTATED_ROWS
               ? over_rotations(b, source, in, inputs, last)
               : over_windows(b, source, in, inputs, last);
}

/* Emits the last comparison with its result into rows [first, ...) of `tensor`, a west row vector.
 */
static void write_row_max(struct block *b, struct alu last, const struct program_operand in[2],
                          int32_t tensor, int32_t first)
{
    struct walk walk = emit_walk(first, 0, 1);
    struct program_operand out = emit_stream(PROGRAM_WEST, STREAM_BYTES, 2, tensor, 0, walk);
    struct lane_group from = {PROGRAM_WEST, STREAM_BYTES, emit_vxm_x(b), 0};
    from.cycle = emit_alu(b, last, in, 2, &out, 1);
    emit_write(b, tensor, 0, 2, walk, emit_alu_results(last), from);
}

/* Largest magnitude of trains that end in ALUs or stand on streams, over the inner repeat: a tree
 * of pairs, all but the root. */
static struct alu magnitude_tree(struct block *b, struct program_operand *in, int32_t inputs,
                                 int32_t unit, struct pattern p, int64_t cycle,
                                 struct program_operand root[2], int32_t *root_inputs)
{
    struct alu a = {.unit = unit, .function = PROGRAM_VXM_MAXABS, .p = p, .cycle = cycle};
    while (inputs > 2) {
        int32_t pairs = (inputs + 1) / 2, first = a.unit;
        int64_t next = a.cycle;
        for (int32_t k = 0; k < pairs; k++, a.unit++) {
            int64_t c = emit_alu(b, a, in + 2 * k, inputs - 2 * k > 1 ? 2 : 1, NULL, 0);
            next = k ? next : c;
        }
        for (int32_t k = 0; k < pairs; k++)
            in[k] = emit_alu_operand(first + k);
        inputs = pairs;
        a.cycle = next;
    }
    *root_inputs = inputs;
    for (int32_t k = 0; k < inputs; k++)
        root[k] = in[k];
    a.flags = PROGRAM_REDUCE;
    return a;
}

/* Trains of rows that run side by side; sources that stand in one tensor are turns of one train. */
struct trains {
    int32_t count, turns;
    int32_t turn[MOST_TRAINS]; /* of each train; those behind the last repeat it */
    const struct row_source *source[MOST_TRAINS][SHAPE_QUADS];
};

static struct trains deal_out(const struct row_source *source, int32_t sources)
{
    struct trains t = {0};
    for (int32_t k = 0; k < sources; k++) {
        int32_t n = 0;
        while (n < t.count && t.source[n][0]->tensor != source[k].tensor)
            n++;
        t.count = n < t.count ? t.count : n + 1;
        t.source[n][t.turn[n]++] = &source[k];
        t.turns = t.turn[n] > t.turns ? t.turn[n] : t.turns;
    }
    return t;
}

/* A turn of a train for one row, as what follows `label`. */
static void read_turn(struct block *b, const struct row_source *s, int32_t row,
                      struct program_operand label, struct lane_group at)
{
    struct pattern p = emit_pattern(s->padded_tiles, 1, 1, 0);
    label.streams = 1;
    for (int32_t sub = 0; sub < 2; sub++, label.stream++, at.stream++) {
        label.sub = (uint8_t)sub;
        emit_read_as(b, s->tensor, sub, emit_walk(s->first + s->per_row * row, s->per_tile, 0), p,
                     label, at);
    }
}

/* Rows [first, ...) of a train at the VXM in pattern p, whose inner repeats are all turns. Turns of
 * a tensor share slices, and follow each other there row by row. */
static struct program_operand read_train(struct block *b, const struct trains *t, int32_t train,
                                         int32_t first, struct pattern p, struct lane_group at)
{
    const struct row_source *const *s = t->source[train];
    struct walk walk =
        emit_walk(s[0]->first + s[0]->per_row * first, s[0]->per_tile, s[0]->per_row);
    if (t->turns == 1)
        return emit_read(b, s[0]->tensor, 0, 2, walk, p, at);
    struct program_operand label =
        emit_stream(at.direction, at.stream, 2, emit_transient(b, "rows", PROGRAM_DTYPE_FP16, 2), 0,
                    emit_walk(0, 1, p.n[0]));
    for (int32_t k = 0; k < p.n[1] * t->turns; k++, at.cycle += s[0]->padded_tiles) {
        int32_t turn = k % t->turns, last = t->turn[train] - 1;
        struct program_operand carried = label;
        carried.index = k * s[0]->padded_tiles;
        read_turn(b, s[turn < last ? turn : last], first + k / t->turns, carried, at);
    }
    return label;
}

/* Rows [first, first + n): largest magnitude over all tiles of all sources, into `magnitude`. */
static void source_magnitudes(struct block *b, const struct trains *t, int32_t first, int32_t n,
                              int32_t magnitude)
{
    int32_t tiles = t->source[0][0]->padded_tiles * t->turns, inputs;
    int32_t stream[2] = {STREAM_IN, STREAM_IN};
    struct pattern p = emit_pattern(tiles, 1, n, tiles);
    struct program_operand in[MOST_TRAINS], root[2], last[2];
    for (int32_t k = 0; k < t->count; k++) {
        bool east = t->source[k][0]->east;
        in[k] = read_train(b, t, k, first, p, emit_at_vxm(b, east, stream[east], 0));
        stream[east] += 2;
    }
    struct alu a = magnitude_tree(b, in, t->count, 0, p, 0, root, &inputs);
    a = ops_lane_max(b, a, root, inputs, last);
    write_row_max(b, a, last, magnitude, first);
    place_group(b, 0);
}

/* One source to int8 rows in both hemispheres: y * 127 / magnitude, the reciprocal as a squared
 * rsqrt. */
static void quantise_source(struct block *b, const struct row_source *s, int32_t magnitude,
                            const int32_t bytes[2])
{
    int32_t rows = b->shape->rows, step = b->chip->vxm_alu_cycles - b->chip->vxm_skew_cycles;
    struct pattern p = emit_pattern(rows, 1, s->tiles, rows);
    struct program_operand m =
        emit_read(b, magnitude, 0, 2, emit_walk(0, 1, 0), p, emit_at_vxm(b, false, STREAM_ROW, 0));
    struct program_operand y =
        emit_read(b, s->tensor, 0, 2, emit_walk(s->first, s->per_row, s->per_tile), p,
                  emit_at_vxm(b, s->east, STREAM_IN, 2 * step));
    struct alu a = {.unit = 0, .function = PROGRAM_VXM_RSQRT, .p = p};
    a.cycle = emit_alu(b, a, &m, 1, NULL, 0);
    struct program_operand twice[2] = {emit_alu_operand(0), emit_alu_operand(0)};
    a.unit = 1, a.function = PROGRAM_VXM_MUL;
    a.cycle = emit_alu(b, a, twice, 2, NULL, 0);
    struct program_operand in[2] = {y, emit_alu_operand(1)}, out[2];
    struct walk walk = emit_walk(s->k_first * rows, 1, s->k_step * rows);
    for (int32_t east = 0; east < 2; east++)
        out[east] = emit_stream(emit_outward(east), STREAM_BYTES, 1, bytes[east], 0, walk);
    a.unit = 2, a.function = PROGRAM_VXM_QUANTISE, a.immediate = 127.0f;
    int64_t c = emit_alu(b, a, in, 2, out, 2);
    for (int32_t east = 0; east < 2; east++)
        emit_write(b, bytes[east], 0, 1, walk, p,
                   (struct lane_group){emit_outward(east), STREAM_BYTES, emit_vxm_x(b), c});
    place_group(b, 0);
}

static void byte_rows(struct block *b, const char *name, int32_t k_tiles, int32_t bytes[2])
{
    for (int32_t east = 0; east < 2; east++) {
        int32_t slice = emit_inner_slice(b, east, OPS_SLOT_BYTES), count = k_tiles * b->shape->rows;
        char full[24];
        snprintf(full, sizeof full, "%.12s.int8%c", name, east ? 'e' : 'w');
        bytes[east] =
            emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_INT8, full, &slice, 1, count);
    }
}

static void quantise_sources(struct block *b, const struct row_source *source, int32_t sources,
                             int32_t magnitude, const struct quantised *out)
{
    for (int32_t k = 0; k < sources; k++)
        if (source[k].tiles > 0)
            quantise_source(b, &source[k], magnitude, out->bytes);
}

struct quantised ops_quantise(struct block *b, const struct row_source *source, int32_t sources,
                              int32_t k_tiles, const char *name)
{
    emit_op(b, name, true);
    struct quantised out = {.scale = row_vector(b, name, "amax", false, OPS_SLOT_ROW, 2)};
    struct trains trains = deal_out(source, sources);
    int32_t chunk = ops_lane_max_rows(trains.turns * source[0].padded_tiles);
    for (int32_t row = 0; row < b->shape->rows; row += chunk) {
        int32_t left = b->shape->rows - row;
        source_magnitudes(b, &trains, row, left < chunk ? left : chunk, out.scale);
    }
    byte_rows(b, name, k_tiles, out.bytes);
    quantise_sources(b, source, sources, out.scale, &out);
    return out;
}

static void quad_sources(const struct block *b, const struct quads *q,
                         struct row_source source[SHAPE_QUADS])
{
    for (int32_t k = 0; k < SHAPE_QUADS; k++)
        source[k] = (struct row_source){.tensor = q->tensor[k],
                                        .east = k % 2,
                                        .tiles = shape_tiles_of(q->tiles, SHAPE_QUADS, k),
                                        .per_tile = b->shape->rows,
                                        .per_row = 1,
                                        .k_first = k,
                                        .k_step = SHAPE_QUADS};
}

/* Rows [first, first + n): y = h * gain into quads, and their largest magnitude. */
static void scale_and_measure(struct block *b, const struct quads *h,
                              const int32_t gain[SHAPE_QUADS], const struct quads *y, int32_t first,
                              int32_t n, int32_t magnitude)
{
    int32_t rows = b->shape->rows, tiles = shape_tile_rows(h->tiles, SHAPE_QUADS), inputs;
    struct pattern p = emit_pattern(tiles, 1, n, tiles);
    struct program_operand product[SHAPE_QUADS], root[2], last[2];
    int64_t c = 0;
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        struct walk walk = emit_walk(first, rows, 1);
        struct program_operand in[2] = {
            emit_read(b, h->tensor[q], 0, 2, walk, p,
                      emit_at_vxm(b, q % 2, STREAM_IN + 2 * (q / 2), 0)),
            emit_read(b, gain[q], 0, 2, emit_walk(0, 1, 0), p,
                      emit_at_vxm(b, q % 2, STREAM_GAIN + 2 * (q / 2), 0))};
        struct lane_group from = {emit_outward(q % 2), STREAM_OUT + 2 * (q / 2), emit_vxm_x(b), 0};
        struct program_operand out =
            emit_stream(from.direction, from.stream, 2, y->tensor[q], 0, walk);
        struct alu a = {.unit = q, .function = PROGRAM_VXM_MUL, .p = p};
        from.cycle = c = emit_alu(b, a, in, 2, &out, 1);
        emit_write(b, y->tensor[q], 0, 2, walk, p, from);
        product[q] = emit_alu_operand(q);
    }
    struct alu a = magnitude_tree(b, product, SHAPE_QUADS, SHAPE_QUADS, p, c, root, &inputs);
    a = ops_lane_max(b, a, root, inputs, last);
    write_row_max(b, a, last, magnitude, first);
    place_group(b, 0);
}

/* Squares of all tiles added lane by lane; the result leaves for both MXMs as fp16, scaled so that
 * hidden values from 0.01 to 2,000 neither vanish nor overflow. Returns when. */
static int64_t emit_square_sum(struct block *b, const struct quads *h, struct pattern p,
                               int32_t first, int32_t squares)
{
    struct program_operand partial[SHAPE_QUADS], out[2];
    struct alu a = {.function = PROGRAM_VXM_MUL, .immediate = 1.0f / SQUARE_SCALE, .p = p};
    int64_t next = 0;
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        struct program_operand in =
            emit_read(b, h->tensor[q], 0, 2, emit_walk(first, b->shape->rows, 1), p,
                      emit_at_vxm(b, q % 2, STREAM_IN + 2 * (q / 2), 0));
        struct program_operand twice[2] = {in, in};
        a.unit = q;
        next = emit_alu(b, a, twice, 2, NULL, 0);
        partial[q] = emit_alu_operand(q);
    }
    a.function = PROGRAM_VXM_ADD, a.immediate = 0, a.cycle = next;
    for (a.unit = 4; a.unit < 6; a.unit++)
        next = emit_alu(b, a, partial + 2 * (a.unit - 4), 2, NULL, 0);
    struct program_operand both[2] = {emit_alu_operand(4), emit_alu_operand(5)};
    for (int32_t east = 0; east < 2; east++)
        out[east] =
            emit_stream(emit_outward(east), OPS_STREAM_RAISE, 2, squares, 0, emit_walk(0, 0, 1));
    a.flags = PROGRAM_REDUCE, a.cycle = next;
    return emit_alu(b, a, both, 2, out, 2);
}

/* Ones into the fp16 array of hemisphere `east`, whole `lead` cycles before cycle 0, in which the
 * group's own rows stand at the VXM: without a lead they have left the slices of rows near the VXM
 * well before. */
static void emit_ones(struct block *b, int32_t ones, bool east, int32_t lead)
{
    int32_t columns = b->chip->mxm_columns / 16;
    uint8_t queue = (uint8_t)(PROGRAM_QUEUE_MXM + (east ? 2 * PROGRAM_MXM_QUEUES : 0));
    int64_t load = -lead - columns, install = load + b->chip->mxm_load_skew_cycles + columns;
    struct pattern p = emit_pattern(columns, 1, 1, 0);
    struct lane_group at = {emit_outward(east), 0, emit_mxm_x(b, east),
                            load + b->chip->mxm_load_skew_cycles};
    int32_t sub = east ? EMIT_OUTER_SLICES : 0;
    struct program_operand in =
        emit_read(b, ones, sub, EMIT_OUTER_SLICES, emit_walk(0, 0, 0), p, at);
    struct program_operand want = emit_expect(ones, EMIT_OUTER_SLICES, emit_walk(0, 0, 0));
    want.sub = (uint8_t)sub;
    emit(b,
         (struct program_instruction){.cycle = load,
                                      .queue = queue,
                                      .opcode = PROGRAM_MXM_LOAD,
                                      .flags = PROGRAM_FP16,
                                      .count = {columns, 1},
                                      .interval = {1, 0}},
         &in, 1, NULL, 0);
    emit(b,
         (struct program_instruction){.cycle = install,
                                      .queue = (uint8_t)(queue + 1),
                                      .opcode = PROGRAM_MXM_INSTALL,
                                      .flags = PROGRAM_FP16,
                                      .count = {1, 1}},
         &want, 1, NULL, 0);
}

int64_t ops_lane_sum(struct block *b, const struct lane_sum *s, struct pattern p, int64_t raised)
{
    bool east = s->east;
    int64_t cycle =
        raised + emit_vxm_x(b) - emit_mxm_x(b, false) - b->chip->mxm_compute_skew_cycles;
    emit_ones(b, s->ones, east, s->lead);
    struct program_operand in[2] = {
        emit_stream(emit_outward(east), OPS_STREAM_RAISE, 2, s->squares, 0, emit_walk(0, 0, 1)),
        emit_expect(s->ones, EMIT_OUTER_SLICES, emit_walk(0, 0, 0))};
    in[1].sub = east ? EMIT_OUTER_SLICES : 0;
    struct program_operand out =
        emit_stream(emit_inward(east), OPS_STREAM_SUM, 4, s->sums, 0, emit_walk(0, 0, 1));
    emit(b,
         (struct program_instruction){
             .cycle = cycle,
             .queue = (uint8_t)(PROGRAM_QUEUE_MXM + (east ? 2 * PROGRAM_MXM_QUEUES : 0) + 2),
             .opcode = PROGRAM_MXM_COMPUTE,
             .flags = PROGRAM_FP16 | PROGRAM_EVERY,
             .count = {p.n[0], p.n[1]},
             .interval = {p.d[0], p.d[1]},
             .low = s->low},
         in, 2, &out, 1);
    return cycle + b->chip->mxm_compute_cycles + emit_vxm_x(b) - emit_mxm_x(b, false);
}

/* 1 / sqrt(sum / hidden + epsilon) of every row, into `root`. */
static void inverse_root(struct block *b, const struct common *common, const struct quads *h,
                         int32_t root)
{
    int32_t tiles = shape_tile_rows(h->tiles, SHAPE_QUADS), unit = 6;
    struct pattern p = emit_pattern(tiles, 1, b->shape->rows, tiles), r = emit_reduced(p);
    int32_t squares = emit_transient(b, "squares", PROGRAM_DTYPE_FP16, 2), sums[2];
    struct program_operand in[2], out;
    int64_t raised = emit_square_sum(b, h, p, 0, squares), c = 0;
    for (int32_t east = 0; east < 2; east++) {
        sums[east] = emit_transient(b, east ? "sums.e" : "sums.w", PROGRAM_DTYPE_FP32, 4);
        struct lane_sum half = {
            common->ones, east, squares, sums[east], east ? b->chip->mxm_fp16_rows : 0, 0};
        c = ops_lane_sum(b, &half, r, raised);
        in[east] =
            emit_stream(emit_inward(east), OPS_STREAM_SUM, 4, sums[east], 0, emit_walk(0, 0, 1));
    }
    struct alu a = {.unit = 7, .function = PROGRAM_VXM_ADD, .p = r, .cycle = c};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    const enum program_vxm_function chain[3] = {PROGRAM_VXM_SCALE, PROGRAM_VXM_OFFSET,
                                                PROGRAM_VXM_RSQRT};
    const float immediate[3] = {(float)((double)SQUARE_SCALE / (double)b->shape->model->hidden),
                                (float)b->shape->model->norm_epsilon, 0};
    struct lane_group from = {PROGRAM_EAST, STREAM_TREE_OUT, emit_vxm_x(b), 0};
    out = emit_stream(from.direction, from.stream, 2, root, 0, emit_walk(0, 0, 1));
    for (int32_t k = 0; k < 3; k++) {
        struct program_operand before = emit_alu_operand(unit + 1 + k);
        a.unit = unit + 2 + k, a.function = chain[k], a.immediate = immediate[k];
        a.cycle = emit_alu(b, a, &before, 1, &out, k == 2);
    }
    from.cycle = a.cycle;
    emit_write(b, root, 0, 2, emit_walk(0, 0, 1), r, from);
    place_group(b, 0);
}

/* scale = magnitude * inverse root mean square, row by row. */
static void combine_scales(struct block *b, int32_t magnitude, int32_t root, int32_t scale)
{
    struct pattern p = emit_pattern(1, 0, b->shape->rows, 1);
    struct walk walk = emit_walk(0, 0, 1);
    struct program_operand in[2] = {
        emit_read(b, magnitude, 0, 2, walk, p, emit_at_vxm(b, false, STREAM_ROW, 0)),
        emit_read(b, root, 0, 2, walk, p, emit_at_vxm(b, true, STREAM_ROW, 0))};
    struct lane_group from = {PROGRAM_WEST, STREAM_OUT, emit_vxm_x(b), 0};
    struct program_operand out = emit_stream(from.direction, from.stream, 2, scale, 0, walk);
    struct alu a = {.unit = 3, .function = PROGRAM_VXM_MUL, .p = p};
    from.cycle = emit_alu(b, a, in, 2, &out, 1);
    emit_write(b, scale, 0, 2, walk, p, from);
    place_group(b, 0);
}

struct quantised ops_norm_quantise(struct block *b, const struct common *c, const struct quads *h,
                                   const char *name)
{
    emit_op(b, name, true);
    int32_t gain[SHAPE_QUADS], tiles = shape_tile_rows(h->tiles, SHAPE_QUADS),
                               rows = b->shape->rows;
    struct quantised out = {.scale = row_vector(b, name, "scale", false, OPS_SLOT_ROW, 2)};
    byte_rows(b, name, h->tiles, out.bytes);
    ops_hidden_constants(b, name, 'g', gain);
    /* The rest is read for the last time before the product that follows can write anything. */
    struct sram before = b->sram;
    int32_t magnitude = row_vector(b, name, "amax", false, OPS_SLOT_SCALE_X, 2);
    int32_t root = row_vector(b, name, "rms", true, OPS_SLOT_Y, 2);
    struct quads y = ops_inner_quads(b, name, tiles * SHAPE_QUADS, rows, 0);
    int32_t chunk = ops_lane_max_rows(tiles);
    for (int32_t row = 0; row < rows; row += chunk)
        scale_and_measure(b, h, gain, &y, row, rows - row < chunk ? rows - row : chunk, magnitude);
    inverse_root(b, c, h, root);
    struct row_source source[SHAPE_QUADS];
    y.tiles = h->tiles;
    quad_sources(b, &y, source);
    quantise_sources(b, source, SHAPE_QUADS, magnitude, &out);
    combine_scales(b, magnitude, root, out.scale);
    memcpy(b->sram.top, before.top, sizeof before.top);
    return out;
}
