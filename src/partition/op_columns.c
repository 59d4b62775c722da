/* SPDX-License-Identifier: BSD-3-Clause */
/* The second matrix of a pair by output columns: its inputs gathered over the tensor group before
 * the product, its outputs behind it.
 *
 * Inputs travel as fp16 rows, and each chip quantises all of them, so that a row has one scale.
 * Outputs go out in hidden tiles: tile t is that of rank t mod T, which adds the residual to it. No
 * two chips of a group send to one slice of a receiver at once: their tiles stand in different
 * quads, or ranks four apart in the same, and of those one begins with the other plane. */
#include "partition/ops.h"

#include <assert.h>
#include <stdio.h>

#include "partition/emit_link.h"
#include "partition/place.h"

enum {
    STREAM_SEND = 25,    /* westward, SRAM to links */
    STREAM_ROWS = 20,    /* eastward, links to SRAM, one a source: clear of what comes inward */
    STREAM_IN = 0,       /* the same for what goes on to the east */
    STREAM_PRODUCT = 16, /* inward */
    STREAM_OUT = 20,     /* outward */
    STREAM_OWN = 22,     /* westward */
    OWN_SLICE = 16,      /* outer, of the west */
    PLANES = 2,
    ROWS_AT_ONCE = 16,                                 /* of a prefill pass */
    INNER_SLICES = EMIT_FREE_SLICES + EMIT_SET_SLICES, /* between the VXM and any row of a sum */
};

static int32_t link_slot(const struct block *b)
{
    return (int32_t)machine_link_slot_cycles(b->chip);
}

/* What all chips of the group call `sent`, to every other, and what the others send into
 * received[source], plane `sub`. */
static void swap_plane(struct block *b, struct program_operand sent, struct pattern p,
                       int64_t cycle, const int32_t received[], int32_t sub, struct walk walk)
{
    for (int32_t peer = 0; peer < b->shape->group; peer++)
        if (peer != b->rank) {
            int32_t stream = STREAM_ROWS + ops_place_of_peer(b, peer);
            emit_link_send(b, peer, sent, p, cycle);
            emit_link_receive(b, peer, sent, p, cycle,
                              (struct link_target){stream, received[peer], sub, walk});
        }
}

/* Places for `count` rows of each other chip. */
static void receive_tensors(struct block *b, const char *name, int32_t count, int32_t received[])
{
    int32_t slice[PROGRAM_QUEUES];
    ops_receive_slices(b, false, slice);
    for (int32_t source = 0; source < b->shape->group; source++) {
        char full[24];
        snprintf(full, sizeof full, "%.16s%u", name, (unsigned)source % 100u);
        if (source != b->rank)
            received[source] =
                emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, full,
                            slice + PLANES * ops_place_of_peer(b, source), PLANES, count);
    }
}

static int32_t vectors_of(const struct block *b, const struct row_source *s)
{
    return s->tiles * b->shape->rows;
}

/* Vectors that leave together: a sequence's, or so many rows', where they stand row by row. */
static int32_t vectors_at_once(const struct block *b, const struct row_source *s)
{
    int32_t rows = shape_rows_each(b->shape);
    rows = rows > ROWS_AT_ONCE && rows % ROWS_AT_ONCE == 0 ? ROWS_AT_ONCE : rows;
    return s->per_tile == 1 ? s->per_row * rows : vectors_of(b, s);
}

/* Vectors [from, from + count) of `own`, to become those behind `first` of what was received. */
static void swap_vectors(struct block *b, const struct row_source *own, int32_t from, int32_t count,
                         const int32_t received[], int32_t first)
{
    struct pattern p = emit_pattern(count, link_slot(b), 1, 0);
    for (int32_t sub = 0; sub < PLANES; sub++) {
        int64_t cycle = (int64_t)sub * p.n[0] * p.d[0];
        struct program_operand sent =
            emit_read(b, own->tensor, sub, 1, emit_walk(from, 1, 0), p,
                      (struct lane_group){PROGRAM_WEST, STREAM_SEND, emit_link_x(b), cycle});
        swap_plane(b, sent, p, cycle, received, sub, emit_walk(first + from, 1, 0));
    }
    place_group(b, 0);
}

/* Source `own` of rank `rank`: the same in what came from there, if it is another one. */
static struct row_source source_of(const struct block *b, struct row_source own, int32_t rank,
                                   int32_t tiles, const int32_t received[], int32_t first)
{
    own.k_first += rank * tiles;
    if (rank != b->rank)
        own.tensor = received[rank], own.first = first, own.east = false;
    return own;
}

int32_t ops_gather_rows(struct block *b, const struct row_source *own, int32_t sources,
                        const char *name, struct row_source *all)
{
    int32_t received[PROGRAM_QUEUES], group = b->shape->group, tiles = 0;
    for (int32_t k = 0; k < sources; k++)
        tiles += own[k].tiles;
    emit_op(b, name, true);
    receive_tensors(b, name, tiles * b->shape->rows, received);
    for (int32_t k = 0, first = 0; k < sources; first += vectors_of(b, &own[k]), k++) {
        int32_t all_vectors = vectors_of(b, &own[k]), count = vectors_at_once(b, &own[k]);
        for (int32_t from = 0; from < all_vectors; from += count)
            swap_vectors(b, &own[k], from, count, received, first);
        for (int32_t rank = 0; rank < group; rank++) {
            int32_t place = rank == b->rank ? 0 : 1 + ops_place_of_peer(b, rank);
            all[place * sources + k] = source_of(b, own[k], rank, tiles, received, first);
        }
    }
    return group * sources;
}

/* How many of the hidden tiles first, first + step, ... there are. */
static int32_t tiles_from(const struct block *b, int32_t first, int32_t step)
{
    return shape_tiles_of(b->shape->hidden_tiles, step, first);
}

/* Quad q of the product: column tiles q, q + 4, ... of this rank, into `out` and beside the links.
 */
static void add_quad(struct block *b, const struct quads *product, struct addends a, int32_t q,
                     const struct quads *out, int32_t own)
{
    int32_t rows = b->shape->rows, group = b->shape->group, first = q * group + b->rank;
    int32_t tiles = tiles_from(b, first, SHAPE_QUADS * group), x = emit_vxm_x(b);
    if (tiles <= 0)
        return;
    a.q = first % SHAPE_QUADS;
    a.p = emit_pattern(rows, 1, tiles, rows);
    a.rows = emit_walk(first / SHAPE_QUADS * rows, 1, group * rows);
    a.constants = emit_walk(first / SHAPE_QUADS, 0, group);
    struct walk near = emit_walk(q * rows, 1, SHAPE_QUADS * rows);
    struct lane_group to = {emit_outward(a.q % 2), STREAM_OUT, x, 0},
                      west = {PROGRAM_WEST, STREAM_OWN, x, 0};
    struct program_operand term[3],
        result[2] = {emit_stream(to.direction, to.stream, PLANES, out->tensor[a.q], 0, a.rows),
                     emit_stream(west.direction, west.stream, PLANES, own, 0, near)};
    term[0] = emit_read(b, product->tensor[q], 0, PLANES, emit_walk(0, 1, rows), a.p,
                        emit_at_vxm(b, quads_east(product, q), STREAM_PRODUCT, 0));
    int32_t terms = ops_read_addends(b, &a, 0, term);
    struct alu add = {.unit = q, .function = PROGRAM_VXM_ADD, .p = a.p};
    to.cycle = west.cycle = emit_alu(b, add, term, terms, result, 2);
    emit_write(b, out->tensor[a.q], 0, PLANES, a.rows, a.p, to);
    emit_write(b, own, 0, PLANES, near, a.p, west);
    place_group(b, 0);
}

/* Tiles of `source` in one of its quads: places n, n + quads, ... among its tiles. */
static void gather_quad(struct block *b, const struct quads *out, int32_t own, int32_t source,
                        int32_t phase, int64_t cycle)
{
    int32_t rows = b->shape->rows, group = b->shape->group, slot = link_slot(b);
    int32_t quads = group < SHAPE_QUADS ? SHAPE_QUADS / group : 1, n = phase / PLANES;
    int32_t first = n * group + source, sub = (phase + source / SHAPE_QUADS) % PLANES;
    int32_t tiles = tiles_from(b, first, quads * group);
    struct pattern p = emit_pattern(rows, slot, tiles, rows * slot);
    struct walk near = emit_walk(n * rows, 1, quads * rows),
                to = emit_walk(first / SHAPE_QUADS * rows, 1, quads * group / SHAPE_QUADS * rows);
    if (tiles <= 0)
        return;
    struct program_operand sent = emit_stream(PROGRAM_WEST, STREAM_SEND, 1, own, sub, near);
    if (source != b->rank) {
        int32_t stream = STREAM_IN + ops_place_of_peer(b, source);
        emit_link_receive(b, source, sent, p, cycle,
                          (struct link_target){stream, out->tensor[first % SHAPE_QUADS], sub, to});
        return;
    }
    emit_read(b, own, sub, 1, near, p,
              (struct lane_group){PROGRAM_WEST, STREAM_SEND, emit_link_x(b), cycle});
    for (int32_t peer = 0; peer < group; peer++)
        if (peer != source)
            emit_link_send(b, peer, sent, p, cycle);
}

/* All tiles of all ranks, quad by quad and plane by plane. */
static void gather_all(struct block *b, const struct quads *out, int32_t own, int64_t earliest)
{
    int32_t group = b->shape->group, quads = group < SHAPE_QUADS ? SHAPE_QUADS / group : 1;
    int32_t most = tiles_from(b, 0, quads * group);
    int64_t cycles = (int64_t)most * b->shape->rows * link_slot(b);
    for (int32_t phase = 0; phase < PLANES * quads; phase++)
        for (int32_t source = 0; source < group; source++)
            gather_quad(b, out, own, source, phase, phase * cycles);
    int64_t start = place_group(b, earliest);
    assert(start == earliest && "an all-gather must start in the same cycle on all chips");
    (void)start;
}

/* Cycles that `quads` sums of `rows` rows in all take from their first operands to the links,
 * wherever tiles of a rank stand: all ranks have to send in the same cycle. A group of two has
 * tiles in two quads, and reads one where it has just written the other. */
static int64_t sum_cycles(const struct block *b, int32_t quads, int64_t rows)
{
    const struct lpu_chip *chip = b->chip;
    int64_t there = chip->mem_read_cycles + INNER_SLICES + chip->vxm_alu_cycles,
            kept = chip->mem_write_skew_cycles + 2;
    int64_t turn = b->shape->group == 2 ? there + INNER_SLICES + kept : kept;
    return rows + there + emit_vxm_x(b) - emit_link_x(b) + kept + chip->mem_read_cycles +
           (quads - 1) * turn;
}

void ops_gather_columns(struct block *b, const struct quads *product, const struct quads *residual,
                        const int32_t *bias, const struct quads *out, const char *name)
{
    int32_t rows = b->shape->rows, most = tiles_from(b, 0, b->shape->group);
    int32_t slice[PLANES] = {emit_outer_slice(b, false, OWN_SLICE),
                             emit_outer_slice(b, false, OWN_SLICE + 1)};
    const struct addends addends = {.residual = residual, .bias = bias};
    int64_t ready = b->end;
    char full[24];
    emit_op(b, name, true);
    snprintf(full, sizeof full, "%.16s.own", name);
    int32_t own = emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, full, slice, PLANES,
                              most * rows);
    for (int32_t q = 0; q < SHAPE_QUADS; q++)
        if (out->tensor[q] >= 0)
            emit_follow_rows(b, out->tensor[q]);
    for (int32_t q = 0; q < SHAPE_QUADS; q++)
        add_quad(b, product, addends, q, out, own);
    int32_t quads = most < SHAPE_QUADS ? most : SHAPE_QUADS;
    gather_all(b, out, own, ready + sum_cycles(b, quads, (int64_t)most * rows));
}
