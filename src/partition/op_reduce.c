/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums over the tensor group, as schedules: who sends which vector over which link in which cycle.
 *
 * A few rows: every chip sends its whole partial rows to every other, one hop, and all of them add
 * (one-shot). A single row's vectors may leave while later ones are still computed. A prefill
 * chunk, and a batch that is worth it: each chip adds the rows it owns (reduce-scatter), then sends
 * the sums to all others (all-gather), two hops with 1/T of the bytes each. Row r belongs to rank r
 * mod T; where T does not divide the rows, some ranks own one less, or none. All chips of a group
 * run the same cycles; a link carries one vector a slot. In the all-gather rank r starts with place
 * r of eight, so that no two senders reach the same SRAM slice of a receiver at once. */
#include "partition/ops.h"

#include <assert.h>
#include <stdio.h>

#include "partition/emit_link.h"
#include "partition/place.h"

enum {
    STREAM_SEND = 25,    /* westward, SRAM to links */
    STREAM_IN = 0,       /* links to SRAM, one a source; SRAM to VXM, two a source */
    STREAM_PARTIAL = 16, /* inward: this chip's own */
    STREAM_RESIDUAL = 18,
    STREAM_OUT = 20,
    STREAM_OWN = 22,
    STREAM_BIAS = 26, /* inward */
    STREAM_ROW =
        20, /* eastward, links to SRAM, one a source: clear of what products bring inward */
    FIRST_OWN_SLICE = 16, /* outer slices of the west */
    PLACES = 2 * SHAPE_QUADS,
    START_MARGIN = 104,      /* cycles from any slice to the links */
    ROUND_TRIP_MARGIN = 400, /* cycles for the last sum on its way from the links and back */
};

/* What one exchange moves: of each tile the rows of every `owners`-th, at most `rows` of them, from
 * each source. */
struct exchange {
    struct block *b;
    int32_t slot; /* link slot in cycles */
    int32_t owners, rows;
    bool east;                        /* hemisphere that received rows stand in */
    int32_t received[PROGRAM_QUEUES]; /* by source rank; none of this one */
    int32_t echo;                     /* one row that takes what nobody else samples of a scatter */
};

static int32_t ranks(const struct block *b)
{
    return b->shape->group;
}

/* Rows of a tile that a rank adds. */
static int32_t rows_added(const struct exchange *e, int32_t rank)
{
    int32_t all = e->b->shape->rows;
    return e->owners == 1 ? all : (all - rank + e->owners - 1) / e->owners;
}

static bool holds_residual(const struct block *b, int32_t slice)
{
    for (int32_t n = 0; n < 4 * SHAPE_QUADS; n++)
        if (ops_residual_slice(b, n % 2, n / 4, n / 2 % 2) == slice)
            return true;
    return false;
}

void ops_receive_slices(const struct block *b, bool east, int32_t slice[])
{
    for (int32_t j = 0, n = 0; n < 2 * ranks(b) - 2; j++) {
        slice[n] = ops_weight_slice(b, east, 1, j);
        n += !holds_residual(b, slice[n]);
    }
}

/* Place of the rows of each other source: tile j, row i at j * rows + i. */
static void receive_tensors(struct exchange *e, const char *name, int32_t tiles)
{
    int32_t slice[PROGRAM_QUEUES];
    ops_receive_slices(e->b, e->east, slice);
    for (int32_t source = 0; source < ranks(e->b); source++) {
        if (source == e->b->rank)
            continue;
        char full[24];
        snprintf(full, sizeof full, "%.12s.from%u", name, (unsigned)source % 100u);
        e->received[source] =
            emit_placed(e->b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, full,
                        slice + 2 * ops_place_of_peer(e->b, source), 2, tiles * e->rows);
        emit_follow_rows(e->b, e->received[source]);
    }
}

/* Tile rows [first, end) of an exchange, in all quads. */
struct part {
    int32_t first, end;
};

/* The part of `tile_rows` after `part`: half of what is left, so that little remains to be summed
 * when the last rows arrive. Empty after the last one. */
static struct part part_after(struct part part, int32_t tile_rows)
{
    int32_t left = tile_rows - part.end, rows = left > 1 ? left / 2 : left;
    return (struct part){part.end, part.end + rows};
}

/* Tiles of a part among `tiles`. */
static int32_t tiles_of(struct part part, int32_t tiles)
{
    int32_t end = part.end * SHAPE_QUADS < tiles ? part.end * SHAPE_QUADS : tiles;
    return end - part.first * SHAPE_QUADS;
}

/* What `peer` sends in `departure` as `sent` goes into sub `sub` of `tensor` here. */
static void emit_receive(struct block *b, int32_t peer, struct program_operand sent,
                         struct pattern p, int64_t departure, int32_t tensor, int32_t sub,
                         struct walk walk)
{
    emit_link_receive(b, peer, sent, p, departure,
                      (struct link_target){STREAM_IN + peer, tensor, sub, walk});
}

/* Westward streams that reach the links in `cycle`, seen from the VXM that they may pass. */
static struct lane_group passing_west(const struct block *b, int64_t cycle)
{
    int32_t x = emit_vxm_x(b);
    return (struct lane_group){PROGRAM_WEST, STREAM_SEND, x, cycle - (x - emit_link_x(b))};
}

/* Rows of a part, `step` cycles apart as they come in by `in`, whose first repeat is at `from`:
 * byte planes by turns. Between two parts the slices can be read. */
static void store_part(struct exchange *e, int32_t peer, struct program_operand in, int32_t step,
                       struct part part, int32_t tiles, struct lane_group from)
{
    int32_t rows = e->rows, first = part.first * SHAPE_QUADS;
    struct pattern plane = emit_pattern(rows, step, tiles_of(part, tiles), 2 * rows * step);
    from.cycle += (int64_t)2 * first * rows * step;
    in.stride[1] = 2 * rows;
    for (int32_t sub = 0; sub < 2; sub++, from.cycle += rows * step) {
        in.index = (2 * first + sub) * rows;
        emit_store(e->b, in, e->received[peer], sub, emit_walk(first * rows, 1, rows), plane, from);
    }
}

/* What `peer` sends as `sent` goes into its place. */
static void receive_rows(struct exchange *e, int32_t peer, struct program_operand sent,
                         struct pattern p)
{
    struct block *b = e->b;
    int32_t raw = emit_transient(b, "rows.in", PROGRAM_DTYPE_INT8, 1);
    int32_t tiles = p.n[0] / (2 * e->rows), tile_rows = shape_tile_rows(tiles, SHAPE_QUADS);
    struct program_operand in = emit_stream(PROGRAM_EAST, STREAM_ROW + ops_place_of_peer(b, peer),
                                            1, raw, 0, emit_walk(0, 1, 0));
    struct lane_group from = emit_link_arrive(b, peer, sent, p, 0, in);
    for (struct part part = part_after((struct part){0}, tile_rows); part.first < part.end;
         part = part_after(part, tile_rows))
        store_part(e, peer, in, p.d[0], part, tiles, from);
}

/* One-shot: all rows to all, tile by tile, both byte planes of each. */
static void one_shot(struct exchange *e, const struct quads *partial, int32_t interval)
{
    struct block *b = e->b;
    int32_t rows = e->rows, step = interval > 0 ? interval : e->slot, pieces = 2 * partial->tiles;
    int32_t label = emit_transient(b, "rows", PROGRAM_DTYPE_INT8, 1);
    struct pattern p = emit_pattern(pieces * rows, step, 1, 0),
                   piece = emit_pattern(rows, step, 1, 0);
    struct program_operand sent =
        emit_stream(PROGRAM_WEST, STREAM_SEND, 1, label, 0, emit_walk(0, 1, 0));
    for (int32_t k = 0; k < pieces; k++) {
        struct program_operand carried = sent;
        int32_t tile = k / 2;
        carried.index = k * rows;
        emit_read_as(b, partial->tensor[tile % SHAPE_QUADS], k % 2,
                     emit_walk(tile / SHAPE_QUADS * rows, 1, 0), piece, carried,
                     (struct lane_group){PROGRAM_WEST, STREAM_SEND, emit_link_x(b),
                                         (int64_t)k * rows * step});
    }
    for (int32_t peer = 0; peer < ranks(b); peer++)
        if (peer != b->rank) {
            emit_link_send(b, peer, sent, p, 0);
            receive_rows(e, peer, sent, p);
        }
    place_group(b, interval > 0 ? 0 : b->end);
}

/* One stream feeds all links of a scatter: a slot has a cycle for each rank at the least. */
static int32_t scatter_slot(const struct exchange *e)
{
    return e->slot > ranks(e->b) ? e->slot : ranks(e->b);
}

/* All rows of a tile for their owners: in each slot a vector for every rank, `step` cycles apart.
 */
static struct program_operand read_turns(const struct exchange *e, int32_t tensor, int32_t first,
                                         int32_t sub, int32_t step, int64_t cycle)
{
    struct block *b = e->b;
    int32_t turns = b->shape->rows / ranks(b), rest = b->shape->rows % ranks(b);
    struct lane_group at = {PROGRAM_WEST, STREAM_SEND, emit_link_x(b), cycle};
    if (turns > 0)
        emit_read(b, tensor, sub, 1, emit_walk(first, 1, ranks(b)),
                  emit_pattern(ranks(b), step, turns, scatter_slot(e)), at);
    at.cycle += (int64_t)turns * scatter_slot(e);
    if (rest > 0)
        emit_read(b, tensor, sub, 1, emit_walk(first + turns * ranks(b), 1, 0),
                  emit_pattern(rest, step, 1, 0), at);
    return emit_stream(PROGRAM_WEST, STREAM_SEND, 1, tensor, sub, emit_walk(first, ranks(b), 0));
}

/* Reduce-scatter of one tile. */
static void scatter_tile(struct exchange *e, const struct quads *partial, int32_t tile, int32_t sub,
                         int64_t cycle)
{
    struct block *b = e->b;
    int32_t slot = scatter_slot(e), step = slot / ranks(b), mine = rows_added(e, b->rank);
    int32_t first = tile / SHAPE_QUADS * b->shape->rows;
    struct pattern own = emit_pattern(mine, slot, 1, 0);
    struct program_operand sent =
        read_turns(e, partial->tensor[tile % SHAPE_QUADS], first, sub, step, cycle);
    for (int32_t peer = 0; peer < ranks(b); peer++) {
        int32_t theirs = rows_added(e, peer);
        sent.index = first + peer;
        if (peer == b->rank && mine > 0)
            emit_store(b, sent, e->echo, 0, emit_walk(0, 0, 0), own,
                       passing_west(b, cycle + peer * step));
        if (peer == b->rank)
            continue;
        if (theirs > 0)
            emit_link_send(b, peer, sent, emit_pattern(theirs, slot, 1, 0), cycle + peer * step);
        sent.index = first + b->rank;
        if (mine > 0)
            emit_receive(b, peer, sent, own, cycle + b->rank * step, e->received[peer], sub,
                         emit_walk(tile * e->rows, 1, 0));
    }
}

/* Returns the cycle in which the last vector has left. */
static int64_t reduce_scatter(struct exchange *e, const struct quads *partial)
{
    int64_t cycle = 0;
    for (int32_t tile = 0; tile < partial->tiles; tile++)
        for (int32_t sub = 0; sub < 2; sub++, cycle += (int64_t)e->rows * scatter_slot(e))
            scatter_tile(e, partial, tile, sub, cycle);
    return cycle + place_group(e->b, e->b->end + START_MARGIN);
}

/* Sources added pair by pair into term[0]; returns when it is sampled. */
static int64_t add_tree(struct block *b, struct program_operand *term, int32_t terms,
                        struct pattern p, int64_t cycle, int32_t *unit)
{
    struct alu a = {.function = PROGRAM_VXM_ADD, .p = p, .cycle = cycle};
    for (; terms > 1; terms /= 2) {
        int64_t next = cycle;
        for (int32_t k = 0; k < terms / 2; k++) {
            a.unit = (*unit)++, a.cycle = cycle;
            next = emit_alu(b, a, term + 2 * k, 2, NULL, 0);
            term[k] = emit_alu_operand(a.unit);
        }
        cycle = next;
    }
    return cycle;
}

/* One sum: quad q of rows first, first + stride, ... of each tile row of a part. */
struct quad_sum {
    const struct quads *partial, *residual, *out, *own; /* residual, own: may be NULL */
    const int32_t *bias;                                /* or NULL */
    int32_t q, first, stride;
    struct part part;
    struct pattern p;
};

/* Its rows where all rows of the step stand. */
static struct walk rows_of(const struct block *b, const struct quad_sum *s)
{
    return emit_walk(s->part.first * b->shape->rows + s->first, s->stride, b->shape->rows);
}

/* What all ranks contribute, at the VXM in cycle 0; this rank's rows come from where they were
 * made. */
static void read_terms(struct exchange *e, const struct quad_sum *s, struct program_operand *term)
{
    struct block *b = e->b;
    int32_t rows = e->rows, x = emit_vxm_x(b);
    for (int32_t k = 0; k < ranks(b); k++)
        if (k == b->rank)
            term[k] = emit_read(b, s->partial->tensor[s->q], 0, 2, rows_of(b, s), s->p,
                                (struct lane_group){emit_inward(quads_east(s->partial, s->q)),
                                                    STREAM_PARTIAL, x, 0});
        else
            term[k] = emit_read(
                b, e->received[k], 0, 2,
                emit_walk((s->part.first * SHAPE_QUADS + s->q) * rows, 1, SHAPE_QUADS * rows), s->p,
                emit_at_vxm(b, e->east, STREAM_IN + 2 * ops_place_of_peer(b, k), 0));
}

int32_t ops_read_addends(struct block *b, const struct addends *a, int64_t cycle,
                         struct program_operand *term)
{
    int32_t side = a->q % 2, terms = 1;
    if (a->residual)
        term[terms++] = emit_read(b, a->residual->tensor[a->q], 0, 2, a->rows, a->p,
                                  emit_at_vxm(b, side, STREAM_RESIDUAL, cycle));
    if (a->bias)
        term[terms++] = emit_read(b, a->bias[a->q], 0, 2, a->constants, a->p,
                                  emit_at_vxm(b, side, STREAM_BIAS, cycle));
    return terms;
}

/* Behind the sum itself in term[0]. */
static int32_t read_addends(struct block *b, const struct quad_sum *s, int64_t cycle,
                            struct program_operand *term)
{
    const struct addends a = {.residual = s->residual,
                              .bias = s->bias,
                              .q = s->q,
                              .rows = rows_of(b, s),
                              .constants = emit_walk(s->part.first, 0, 1),
                              .p = s->p};
    return ops_read_addends(b, &a, cycle, term);
}

/* Terms and residual to rows of `out`, and to `own` where another hop follows. */
static void sum_quad(struct exchange *e, const struct quad_sum *s)
{
    struct block *b = e->b;
    int32_t unit = 0, x = emit_vxm_x(b), side = s->q % 2;
    struct walk to = rows_of(b, s), near = emit_walk(s->part.first * e->rows, 1, e->rows);
    struct program_operand term[PROGRAM_QUEUES], result[2];
    read_terms(e, s, term);
    int64_t c = add_tree(b, term, ranks(b), s->p, 0, &unit);
    struct alu a = {.unit = unit,
                    .function = s->residual ? PROGRAM_VXM_ADD : PROGRAM_VXM_COPY,
                    .p = s->p,
                    .cycle = c};
    int32_t terms = read_addends(b, s, c, term);
    result[0] = emit_stream(emit_outward(side), STREAM_OUT, 2, s->out->tensor[s->q], 0, to);
    if (s->own)
        result[1] = emit_stream(PROGRAM_WEST, STREAM_OWN, 2, s->own->tensor[s->q], 0, near);
    c = emit_alu(b, a, term, terms, result, s->own ? 2 : 1);
    emit_write(b, s->out->tensor[s->q], 0, 2, to, s->p,
               (struct lane_group){emit_outward(side), STREAM_OUT, x, c});
    if (s->own)
        emit_write(b, s->own->tensor[s->q], 0, 2, near, s->p,
                   (struct lane_group){PROGRAM_WEST, STREAM_OWN, x, c});
    place_group(b, 0);
}

static void sum_part(struct exchange *e, struct quad_sum s)
{
    for (s.q = 0; s.q < SHAPE_QUADS; s.q++) {
        int32_t tiles = shape_tiles_of(tiles_of(s.part, s.out->tiles), SHAPE_QUADS, s.q);
        int32_t rows = rows_added(e, e->b->rank);
        s.p = emit_pattern(rows, 1, tiles, rows);
        if (tiles > 0 && rows > 0)
            sum_quad(e, &s);
    }
}

/* All at once where another hop follows, for which the last sum counts; else part by part, as rows
 * come in. */
static void sum_all(struct exchange *e, struct quad_sum s)
{
    int32_t tile_rows = shape_tile_rows(s.out->tiles, SHAPE_QUADS);
    for (int32_t q = 0; q < SHAPE_QUADS; q++)
        if (s.out->tensor[q] >= 0)
            emit_follow_rows(e->b, s.out->tensor[q]);
    s.part = s.own ? (struct part){0, tile_rows} : part_after((struct part){0}, tile_rows);
    for (; s.part.first < s.part.end; s.part = part_after(s.part, tile_rows))
        sum_part(e, s);
}

/* The rows that this chip has summed, beside the links. */
static struct quads own_tensors(struct exchange *e, const char *name, int32_t tiles)
{
    struct quads own = {.tiles = tiles};
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t first = FIRST_OWN_SLICE + 2 * q;
        int32_t count = shape_tiles_of(tiles, SHAPE_QUADS, q) * e->rows;
        if (count <= 0)
            continue;
        int32_t slice[2] = {emit_outer_slice(e->b, false, first),
                            emit_outer_slice(e->b, false, first + 1)};
        char full[24];
        snprintf(full, sizeof full, "%.12s.own%d", name, q);
        own.tensor[q] =
            emit_placed(e->b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, full, slice, 2, count);
    }
    return own;
}

/* Phase f: this rank sends place (rank + f) % 8 and takes place (source + f) % 8 from each source.
 */
static void gather_place(struct exchange *e, const struct quads *own, const struct quads *out,
                         int32_t source, int32_t place, int64_t cycle)
{
    struct block *b = e->b;
    int32_t q = place / 2, sub = place % 2, rows = rows_added(e, source);
    int32_t tiles = shape_tiles_of(out->tiles, SHAPE_QUADS, q);
    if (tiles <= 0 || rows <= 0)
        return;
    struct pattern p = emit_pattern(rows, e->slot, tiles, e->rows * e->slot);
    struct walk near = emit_walk(0, 1, e->rows), to = emit_walk(source, e->owners, b->shape->rows);
    struct program_operand sent =
        emit_stream(PROGRAM_WEST, STREAM_SEND, 1, own->tensor[q], sub, near);
    if (source != b->rank) {
        emit_receive(b, source, sent, p, cycle, out->tensor[q], sub, to);
        return;
    }
    sent = emit_read(b, own->tensor[q], sub, 1, near, p,
                     (struct lane_group){PROGRAM_WEST, STREAM_SEND, emit_link_x(b), cycle});
    for (int32_t peer = 0; peer < ranks(b); peer++)
        if (peer != source)
            emit_link_send(b, peer, sent, p, cycle);
}

static void all_gather(struct exchange *e, const struct quads *own, const struct quads *out,
                       int64_t earliest)
{
    int64_t phase = (int64_t)shape_tile_rows(out->tiles, SHAPE_QUADS) * e->rows * e->slot;
    for (int32_t f = 0; f < PLACES; f++)
        for (int32_t source = 0; source < ranks(e->b); source++)
            gather_place(e, own, out, source, (source + f) % PLACES, f * phase);
    int64_t start = place_group(e->b, earliest);
    assert(start == earliest && "an all-gather must start in the same cycle on all chips");
    (void)start;
}

static int32_t echo_tensor(struct block *b)
{
    /* Outside of the slots that partial rows come from: streams to the links pass it. */
    int32_t slice = emit_inner_slice(b, false, OPS_SLOT_SPARE);
    return emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, "echo", &slice, 1, 1);
}

/* A group of one: add the residual where there is one. */
static void add_residual(struct block *b, struct quad_sum s)
{
    const struct quads *partial = s.partial, *out = s.out;
    int32_t rows = b->shape->rows, x = emit_vxm_x(b);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t tiles = shape_tiles_of(out->tiles, SHAPE_QUADS, q);
        if (tiles <= 0)
            continue;
        struct pattern p = emit_pattern(rows, 1, tiles, rows);
        s.q = q, s.p = p;
        struct walk walk = emit_walk(0, 1, rows);
        uint8_t outward = emit_outward(q % 2);
        struct program_operand in[3],
            to = emit_stream(outward, STREAM_OUT, 2, out->tensor[q], 0, walk);
        in[0] =
            emit_read(b, partial->tensor[q], 0, 2, walk, p,
                      (struct lane_group){emit_inward(quads_east(partial, q)), STREAM_IN, x, 0});
        int32_t terms = read_addends(b, &s, 0, in);
        struct alu a = {
            .unit = q, .function = terms > 1 ? PROGRAM_VXM_ADD : PROGRAM_VXM_COPY, .p = p};
        int64_t c = emit_alu(b, a, in, terms, &to, 1);
        emit_write(b, out->tensor[q], 0, 2, walk, p,
                   (struct lane_group){outward, STREAM_OUT, x, c});
        place_group(b, 0);
    }
}

/* Whether rows are added where they are owned: in prefill, whose rows could not all be received,
 * and where a second hop costs less than the vectors that it saves. */
static bool takes_two_hops(const struct exchange *e, int32_t tiles)
{
    const struct shape *s = e->b->shape;
    int64_t rows = shape_ceil_div(s->rows, s->group), all = 2 * (int64_t)tiles * s->rows * e->slot;
    int64_t scatter = 2 * tiles * rows * scatter_slot(e),
            gather = PLACES * shape_tile_rows(tiles, SHAPE_QUADS) * rows * e->slot;
    int64_t second = e->b->chip->c2c_hop_cycles + START_MARGIN + ROUND_TRIP_MARGIN + tiles * rows;
    return shape_rows_each(s) > 1 || scatter + gather + second < all;
}

void ops_reduce(struct block *b, const struct quads *partial, const struct quads *residual,
                const int32_t *bias, const struct quads *out, const char *name, int32_t interval)
{
    struct quad_sum sum = {
        .partial = partial, .residual = residual, .out = out, .bias = bias, .stride = 1};
    int32_t group = ranks(b), all = b->shape->rows,
            slot = (int32_t)machine_link_slot_cycles(b->chip);
    struct exchange e = {.b = b, .slot = slot, .owners = 1, .rows = all};
    emit_op(b, name, true);
    if (group == 1) {
        add_residual(b, sum);
    } else if (!takes_two_hops(&e, out->tiles)) {
        receive_tensors(&e, name, out->tiles);
        one_shot(&e, partial, interval);
        sum_all(&e, sum);
    } else {
        e.owners = sum.stride = group;
        e.rows = shape_ceil_div(all, group);
        e.east = true;
        receive_tensors(&e, name, out->tiles);
        struct quads own = own_tensors(&e, name, out->tiles);
        e.echo = echo_tensor(b);
        int64_t left = reduce_scatter(&e, partial);
        sum.own = &own, sum.first = b->rank;
        sum_all(&e, sum);
        int64_t sums = (int64_t)out->tiles * e.rows;
        all_gather(&e, &own, out, left + b->chip->c2c_hop_cycles + sums + ROUND_TRIP_MARGIN);
    }
}

/* One-shot exchange of the four byte planes of every row's key, then the greatest of all. */
static void share_keys(struct block *b, int32_t key, const int32_t received[])
{
    int32_t slot = (int32_t)machine_link_slot_cycles(b->chip), rows = b->shape->rows;
    struct pattern p = emit_pattern(rows, slot, 1, 0);
    struct walk walk = emit_walk(0, 1, 0);
    for (int32_t sub = 0; sub < 4; sub++) {
        int64_t cycle = (int64_t)sub * rows * slot;
        struct program_operand sent =
            emit_read(b, key, sub, 1, walk, p,
                      (struct lane_group){PROGRAM_WEST, STREAM_SEND, emit_link_x(b), cycle});
        for (int32_t peer = 0; peer < ranks(b); peer++) {
            if (peer == b->rank)
                continue;
            emit_link_send(b, peer, sent, p, cycle);
            emit_receive(b, peer, sent, p, cycle, received[peer], sub, walk);
        }
    }
    place_group(b, b->end);
}

static int32_t key_tensor(struct block *b, const char *name, const int32_t *slice)
{
    return emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_KEY, name, slice, 4,
                       b->shape->rows);
}

void ops_greatest_key(struct block *b, int32_t key, int32_t token)
{
    int32_t received[PROGRAM_QUEUES], unit = 0, x = emit_vxm_x(b);
    struct pattern p = emit_pattern(b->shape->rows, 1, 1, 0);
    struct walk walk = emit_walk(0, 1, 0);
    struct program_operand term[PROGRAM_QUEUES];
    for (int32_t source = 0; source < ranks(b); source++) {
        int32_t slice[4];
        char name[24];
        received[source] = key;
        if (source == b->rank)
            continue;
        for (int32_t j = 0; j < 4; j++)
            slice[j] = emit_outer_slice(b, false, 4 * source + j);
        snprintf(name, sizeof name, "key.from%d", source);
        received[source] = key_tensor(b, name, slice);
    }
    share_keys(b, key, received);
    for (int32_t source = 0; source < ranks(b); source++)
        term[source] = emit_read(b, received[source], 0, 4, walk, p,
                                 (struct lane_group){PROGRAM_EAST, STREAM_IN + 4 * source, x, 0});
    struct alu a = {.function = PROGRAM_VXM_MAX, .p = p};
    int64_t c = 0;
    for (int32_t terms = ranks(b); terms > 1; terms /= 2, a.cycle = c)
        for (int32_t k = 0; k < terms / 2; k++) {
            struct program_operand out = emit_stream(PROGRAM_WEST, STREAM_OUT, 4, token, 0, walk);
            a.unit = unit++;
            c = emit_alu(b, a, term + 2 * k, 2, &out, terms == 2);
            term[k] = emit_alu_key(a.unit);
        }
    emit_write(b, token, 0, 4, walk, p, (struct lane_group){PROGRAM_WEST, STREAM_OUT, x, c});
    place_group(b, 0);
}
