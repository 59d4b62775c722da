/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts rows into shards and chunks and emits the way of each chunk through the node. */
#include "partition/collective.h"

#include <stdio.h>

#include "partition/emit_link.h"
#include "partition/exchange.h"
#include "partition/lone.h"
#include "partition/place.h"

enum {
    MOST_PORTS = 7,
    OWN = MOST_PORTS, /* the place of this chip itself beside its ports */
    PLACES = MOST_PORTS + 1,
    /* Chunks are as short as they can be without more of them than this: the schedule's length
     * grows by a chunk where two phases follow each other, its search time with their number. */
    MOST_CHUNKS = 48,
};

/* Streams, two a port or train. Westward: from SRAM and from the VXM to the links, this chip's own
 * term from the east. Eastward: terms, what is kept as it comes, sums. */
enum {
    STREAM_SEND = 0,
    STREAM_ON = 14,
    STREAM_OWN = 16, /* both ways */
    STREAM_AGAIN = 18,
    STREAM_TERM = 0,
    STREAM_KEEP = 18, /* one a port */
    STREAM_RESULT = 26,
    STREAM_LATER = 28,
};

/* Slices, from the links inward: first what departs first and what arrives last, then their other
 * planes, then where planes wait. From the VXM eastward: this chip's own, and sums that must wait
 * for the links, in turns. */
enum {
    SEND_LOW = 0,
    KEEP_HIGH = 7,
    SEND_HIGH = 14,
    KEEP_LOW = 21,
    WAIT_LOW = 28,
    WAIT_HIGH = 35,
    WAIT_ON = 42,
    EAST_RESULT = 0,
    EAST_OWN = 2,
    EAST_LATER = 4,
    TURNS = 8,
};

struct work {
    const struct collective *c;
    struct block *b;
    int32_t rank, ports;
    int32_t shard, chunk, chunks;         /* rows of a shard and of a chunk */
    int32_t part[PLACES], result[PLACES]; /* by port; OWN: this chip's */
    struct exchange_passage term[MOST_PORTS], on;
    int64_t links_free; /* departures of the next chunk begin here or later */
};

static int32_t shards_of(const struct collective *c)
{
    return c->kind == COLLECTIVE_ONE_SHOT ? 1 : c->group;
}

int32_t collective_shard_rows(const struct collective *c)
{
    return shape_ceil_div(c->rows, shards_of(c));
}

int32_t collective_most_rows(const struct collective *c)
{
    return c->chip->vectors_per_slice * shards_of(c);
}

static int32_t from_vxm(const struct work *w, int32_t place)
{
    return w->b->chip->mem_slices_per_hemisphere + place;
}

static int32_t rank_of(const struct work *w, int32_t place)
{
    return place == OWN ? w->rank : place < w->rank ? place : place + 1;
}

static int32_t place_shard(const struct work *w, int32_t place)
{
    return w->c->kind == COLLECTIVE_ONE_SHOT ? 0 : rank_of(w, place);
}

static int32_t shard_tensor(struct work *w, const char *name, int32_t place, int32_t low,
                            int32_t high)
{
    char full[24];
    bool loaded = name[0] == 'p';
    /* What a chip gathers from has one name on all of them. */
    if (loaded && w->c->kind == COLLECTIVE_ALL_GATHER)
        snprintf(full, sizeof full, "%.8s", name);
    else
        snprintf(full, sizeof full, "%.8s.%d", name, (int)place_shard(w, place));
    return exchange_tensor(w->b, loaded ? PROGRAM_TENSOR_CONSTANT : PROGRAM_TENSOR_ACTIVATION, full,
                           low, high, w->shard);
}

/* What is sent: to each port its own, or this chip's to all. */
static void sent_tensors(struct work *w, bool scatters)
{
    for (int32_t port = 0; scatters && port < w->ports; port++)
        w->part[port] = shard_tensor(w, "part", port, SEND_LOW + port, SEND_HIGH + port);
    w->part[OWN] =
        scatters ? shard_tensor(w, "part", OWN, from_vxm(w, EAST_OWN), from_vxm(w, EAST_OWN + 1))
                 : shard_tensor(w, "part", OWN, SEND_LOW, SEND_LOW + 1);
}

static void kept_tensors(struct work *w)
{
    for (int32_t port = 0; port < w->ports; port++)
        w->result[port] = shard_tensor(w, "sum", port, KEEP_LOW + port, KEEP_HIGH + port);
}

static void added_tensors(struct work *w)
{
    const int32_t wait_on[EXCHANGE_PLANES] = {WAIT_ON + 1, WAIT_ON};
    for (int32_t port = 0; port < w->ports; port++) {
        char name[24];
        const int32_t wait[EXCHANGE_PLANES] = {WAIT_LOW + port, WAIT_HIGH + port};
        snprintf(name, sizeof name, "from.%d", (int)port);
        w->term[port] = exchange_passage_open(w->b, name, w->shard, wait);
    }
    w->on = exchange_passage_open(w->b, "on", w->shard, wait_on);
    w->result[OWN] =
        shard_tensor(w, "sum", OWN, from_vxm(w, EAST_RESULT), from_vxm(w, EAST_RESULT + 1));
}

/* Each train costs the gap between its planes, and each phase ends a train's planes later.
 * One-shot, this chip's rows are read once for the links and once for the sum, which a slice does
 * not do for trains of several rows. */
static int32_t chunk_rows(const struct collective *c, const struct block *b)
{
    int32_t shard = collective_shard_rows(c), least = shape_ceil_div(shard, MOST_CHUNKS),
            best = least;
    int64_t fewest = INT64_MAX, slot = machine_link_slot_cycles(b->chip),
            gap = exchange_plane_cycles(b, 1) - slot;
    if (c->kind == COLLECTIVE_ONE_SHOT)
        return 1;
    for (int32_t n = least; n <= shard; n++) {
        int64_t cost = shape_ceil_div(shard, n) * gap + n * slot;
        if (cost < fewest) {
            fewest = cost;
            best = n;
        }
    }
    return best;
}

static struct work work_of(const struct collective *c, int32_t rank, struct block *b)
{
    struct work w = {.c = c,
                     .b = b,
                     .rank = rank,
                     .ports = c->group - 1,
                     .shard = collective_shard_rows(c),
                     .chunk = chunk_rows(c, b)};
    w.chunks = shape_ceil_div(w.shard, w.chunk);
    return w;
}

/* Rows of chunk `n` of a shard's tensor. */
static struct exchange_rows chunk_of(const struct work *w, int32_t tensor, int32_t n)
{
    int32_t first = n * w->chunk, left = w->shard - first;
    return (struct exchange_rows){tensor, first, left < w->chunk ? left : w->chunk};
}

static void place_departures(struct work *w, int32_t rows)
{
    w->links_free = place_group(w->b, w->links_free) + exchange_train_cycles(w->b, rows);
}

/* Chunk n departs in cycle 0: to each port its own, or this chip's to all. */
static void send_chunk(const struct work *w, int32_t n, bool scatters)
{
    for (int32_t port = 0; port < w->ports; port++) {
        int32_t stream = STREAM_SEND + (scatters ? EXCHANGE_PLANES * port : 0);
        struct exchange_rows what = chunk_of(w, w->part[scatters ? port : OWN], n);
        if (scatters || port == 0)
            exchange_read(w->b, what, stream, 0);
        exchange_send(w->b, port, what, PROGRAM_WEST, stream, 0);
    }
}

/* Chunk n of what all others send, which departs in cycle 0, and of this chip's own, in the order
 * of ranks, at the VXM in `meeting`. */
static void bring_terms(const struct work *w, int32_t n, int64_t meeting,
                        struct program_operand *term)
{
    struct exchange_rows own = chunk_of(w, w->part[OWN], n);
    term[w->rank] = exchange_fetch(w->b, own, STREAM_OWN, meeting);
    for (int32_t port = 0; port < w->ports; port++)
        term[rank_of(w, port)] = exchange_bring(w->b, port, own, 0, &w->term[port], own.first,
                                                STREAM_TERM + EXCHANGE_PLANES * port, meeting);
}

/* Where a sum goes besides its result: nowhere, straight on over the links, or to a tensor. */
struct next {
    bool on;
    int32_t tensor;
};

/* Adds chunk n at the VXM in `meeting`. Returns when the sum leaves it. */
static int64_t add_chunk(const struct work *w, int32_t n, int64_t meeting, struct next next)
{
    struct block *b = w->b;
    struct program_operand term[PLACES], out[2];
    struct exchange_rows own = chunk_of(w, w->result[OWN], n);
    struct exchange_sum add = {0, exchange_levels(w->ports + 1), exchange_slots(b, own.rows),
                               meeting};
    struct lane_group to = {PROGRAM_EAST, STREAM_RESULT, emit_vxm_x(b), 0};
    struct walk walk = emit_walk(own.first, 1, 0), later = emit_walk(0, 1, 0);
    bring_terms(w, n, meeting, term);
    out[0] = emit_stream(to.direction, to.stream, EXCHANGE_PLANES, own.tensor, 0, walk);
    if (next.on)
        out[1] = emit_stream(PROGRAM_WEST, STREAM_ON, EXCHANGE_PLANES, w->on.label, 0, walk);
    else if (next.tensor >= 0)
        out[1] = emit_stream(PROGRAM_EAST, STREAM_LATER, EXCHANGE_PLANES, next.tensor, 0, later);
    to.cycle = exchange_add(b, add, term, w->ports + 1, out, next.on || next.tensor >= 0 ? 2 : 1);
    emit_write(b, own.tensor, 0, EXCHANGE_PLANES, walk, add.p, to);
    to.stream = STREAM_LATER;
    if (next.tensor >= 0)
        emit_write(b, next.tensor, 0, EXCHANGE_PLANES, later, add.p, to);
    return to.cycle;
}

/* Chunk n of this chip's shard, called `what` at the links on `stream` from `departure` on, to all
 * others, and theirs into the results. */
static void gather_chunk(const struct work *w, int32_t n, struct exchange_rows what, int32_t stream,
                         int64_t departure)
{
    for (int32_t port = 0; port < w->ports; port++) {
        exchange_send(w->b, port, what, PROGRAM_WEST, stream, departure);
        exchange_keep(w->b, port, what, departure, chunk_of(w, w->result[port], n),
                      STREAM_KEEP + port);
    }
}

static void emit_all_gather(struct work *w)
{
    emit_op(w->b, "all_gather", true);
    sent_tensors(w, false);
    kept_tensors(w);
    for (int32_t n = 0; n < w->chunks; n++) {
        struct exchange_rows what = chunk_of(w, w->part[OWN], n);
        exchange_read(w->b, what, STREAM_SEND, 0);
        gather_chunk(w, n, what, STREAM_SEND, 0);
        place_departures(w, what.rows);
    }
}

static void emit_sums(struct work *w, bool scatters)
{
    emit_op(w->b, scatters ? "reduce_scatter" : "one_shot", true);
    sent_tensors(w, scatters);
    added_tensors(w);
    for (int32_t n = 0; n < w->chunks; n++) {
        int32_t rows = chunk_of(w, 0, n).rows;
        send_chunk(w, n, scatters);
        add_chunk(w, n, exchange_meeting(w->b, rows, 0), (struct next){false, -1});
        place_departures(w, rows);
    }
}

/* When the sum of `rows` rows that depart in cycle 0 departs at the earliest. */
static int64_t sum_departure(const struct work *w, int32_t rows)
{
    int64_t adding = exchange_adding(w->b, exchange_levels(w->ports + 1));
    return exchange_meeting(w->b, rows, 0) + adding + exchange_crossing(w->b);
}

/* The links are free by the time that the first sum comes: it goes straight on. */
static void emit_straight_on(struct work *w)
{
    for (int32_t n = 0; n < w->chunks; n++) {
        struct exchange_rows on = chunk_of(w, w->on.label, n);
        int64_t meeting = exchange_meeting(w->b, on.rows, 0), departure = sum_departure(w, on.rows);
        send_chunk(w, n, true);
        int64_t added = add_chunk(w, n, meeting, (struct next){true, -1});
        exchange_lead(w->b, &w->on, on, STREAM_ON, added, departure);
        gather_chunk(w, n, on, STREAM_ON, departure);
        place_departures(w, on.rows);
    }
}

static int32_t later_tensor(struct work *w, int32_t n)
{
    char name[24];
    int32_t slice = from_vxm(w, EAST_LATER + EXCHANGE_PLANES * (n % TURNS));
    snprintf(name, sizeof name, "later.%d", (int)n);
    return exchange_tensor(w->b, PROGRAM_TENSOR_ACTIVATION, name, slice, slice + 1,
                           chunk_of(w, 0, n).rows);
}

/* All scatters leave before the first sum: links are busy with them anyway. */
static void emit_one_by_one(struct work *w)
{
    int32_t later[MOST_CHUNKS];
    for (int32_t n = 0; n < w->chunks; n++) {
        int32_t rows = chunk_of(w, 0, n).rows;
        later[n] = later_tensor(w, n);
        send_chunk(w, n, true);
        add_chunk(w, n, exchange_meeting(w->b, rows, 0), (struct next){false, later[n]});
        place_departures(w, rows);
    }
    emit_op(w->b, "all_gather", true);
    for (int32_t n = 0; n < w->chunks; n++) {
        struct exchange_rows what = {later[n], 0, chunk_of(w, 0, n).rows};
        exchange_read(w->b, what, STREAM_AGAIN, 0);
        gather_chunk(w, n, what, STREAM_AGAIN, 0);
        place_departures(w, what.rows);
    }
}

static void emit_all_reduce(struct work *w)
{
    emit_op(w->b, "all_reduce", true);
    sent_tensors(w, true);
    added_tensors(w);
    kept_tensors(w);
    if (w->chunks * exchange_train_cycles(w->b, w->chunk) <= sum_departure(w, w->chunk))
        emit_straight_on(w);
    else
        emit_one_by_one(w);
}

void collective_emit(const struct collective *c, int32_t rank, struct block *b)
{
    struct work w = work_of(c, rank, b);
    if (c->kind == COLLECTIVE_ALL_GATHER)
        emit_all_gather(&w);
    else if (c->kind == COLLECTIVE_ALL_REDUCE)
        emit_all_reduce(&w);
    else
        emit_sums(&w, c->kind == COLLECTIVE_REDUCE_SCATTER);
}

int64_t collective_cycles(const struct collective *c)
{
    struct block b = lone_open(c->chip);
    collective_emit(c, 0, &b);
    int64_t cycles = b.end;
    block_release(&b);
    return cycles;
}

enum collective_kind collective_best_reduce(const struct collective *c)
{
    struct collective two = *c, one = *c;
    two.kind = COLLECTIVE_ALL_REDUCE;
    one.kind = COLLECTIVE_ONE_SHOT;
    int64_t cycles = collective_cycles(&two), slot = machine_link_slot_cycles(c->chip);
    if (c->chip->c2c_hop_cycles + EXCHANGE_PLANES * c->rows * slot > cycles)
        return two.kind;
    return collective_cycles(&one) <= cycles ? one.kind : two.kind;
}

struct collective_split collective_split_cost(const struct lpu_chip *chip, int32_t group,
                                              int32_t tokens, int64_t middle, int64_t width)
{
    int32_t before = tokens * shape_ceil_div(middle, chip->lanes),
            after = tokens * shape_ceil_div(width, chip->lanes);
    struct collective reduce = {chip, COLLECTIVE_ALL_REDUCE, group, after},
                      gather_middle = {chip, COLLECTIVE_ALL_GATHER, group, before},
                      gather = {chip, COLLECTIVE_ALL_GATHER, group, after};
    reduce.kind = collective_best_reduce(&reduce);
    return (struct collective_split){collective_cycles(&reduce), collective_cycles(&gather_middle) +
                                                                     collective_cycles(&gather)};
}
