/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts rows into shards and chunks and emits the exchanges of each. */
#include "partition/collective.h"

#include <stdio.h>

#include "partition/exchange.h"
#include "partition/lone.h"

/* Chunks are as short as they can be without more of them than this: the schedule's length grows by
 * a chunk where two phases follow each other, its search time with their number. */
enum { MOST_CHUNKS = 48 };

struct work {
    const struct collective *c;
    struct exchange e;
    int32_t rank, ports;
    int32_t shard, chunk, chunks;                           /* rows of a shard and of a chunk */
    int32_t part[EXCHANGE_PLACES], result[EXCHANGE_PLACES]; /* by port; EXCHANGE_OWN: this chip's */
    int32_t received[2][EXCHANGE_PORTS];
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

static int32_t place_shard(const struct work *w, int32_t place)
{
    if (w->c->kind == COLLECTIVE_ONE_SHOT)
        return 0;
    return place == EXCHANGE_OWN ? w->rank : place < w->rank ? place : place + 1;
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
    return exchange_tensor(w->e.b, loaded ? PROGRAM_TENSOR_CONSTANT : PROGRAM_TENSOR_ACTIVATION,
                           full, low, high, w->shard);
}

static void source_tensor(struct work *w, int32_t place)
{
    w->part[place] = shard_tensor(w, "part", place, exchange_source_slice(w->e.b, place, 0),
                                  exchange_source_slice(w->e.b, place, 1));
}

/* What is sent as it is stands beside the links. */
static void sent_tensor(struct work *w)
{
    enum { TURN = 2 };
    w->part[EXCHANGE_OWN] =
        shard_tensor(w, "part", EXCHANGE_OWN, exchange_sum_slice(w->e.b, TURN, 0),
                     exchange_sum_slice(w->e.b, TURN, 1));
}

static void result_tensor(struct work *w, int32_t place)
{
    w->result[place] = shard_tensor(w, "sum", place, exchange_result_slice(w->e.b, place, 0),
                                    exchange_result_slice(w->e.b, place, 1));
}

/* What comes to be added: even and odd chunks in slices of their own. */
static void received_tensors(struct work *w)
{
    for (int32_t turn = 0; turn < 2 && turn < w->chunks; turn++)
        for (int32_t port = 0; port < w->ports; port++) {
            char name[24];
            snprintf(name, sizeof name, "from.%d.%d", (int)port, (int)turn);
            w->received[turn][port] = exchange_tensor(
                w->e.b, PROGRAM_TENSOR_ACTIVATION, name,
                exchange_received_slice(w->e.b, turn, port, 0),
                exchange_received_slice(w->e.b, turn, port, 1), (w->chunks + 1) / 2 * w->chunk);
        }
}

static struct work work_of(const struct collective *c, int32_t rank, struct block *b)
{
    struct work w = {.c = c,
                     .e = exchange_in_node(b, c->group),
                     .rank = rank,
                     .ports = c->group - 1,
                     .shard = collective_shard_rows(c)};
    w.chunk = shape_ceil_div(w.shard, MOST_CHUNKS);
    w.chunks = shape_ceil_div(w.shard, w.chunk);
    return w;
}

/* Rows of chunk `n` of a shard's tensor. */
static struct exchange_rows chunk_of(const struct work *w, int32_t tensor, int32_t n)
{
    int32_t first = n * w->chunk, left = w->shard - first;
    return (struct exchange_rows){tensor, first, left < w->chunk ? left : w->chunk};
}

static void received_chunk(const struct work *w, int32_t n, struct exchange_rows *into)
{
    for (int32_t port = 0; port < w->ports; port++)
        into[port] = (struct exchange_rows){w->received[n % 2][port], n / 2 * w->chunk,
                                            chunk_of(w, 0, n).rows};
}

/* Chunk n of what all others sent, and of this chip's own, into its result and, where it goes on,
 * into `near`. */
static void add_chunk(const struct work *w, int32_t n, int32_t near)
{
    struct exchange_rows term[EXCHANGE_PLACES], on = chunk_of(w, near, n);
    on.first = 0;
    received_chunk(w, n, term);
    term[w->ports] = chunk_of(w, w->part[EXCHANGE_OWN], n);
    exchange_sum(&w->e, term, w->ports + 1, on, chunk_of(w, w->result[EXCHANGE_OWN], n), 0);
}

static int32_t passed_on_tensor(const struct work *w, int32_t n)
{
    char name[24];
    snprintf(name, sizeof name, "own.%d", (int)n);
    return exchange_tensor(w->e.b, PROGRAM_TENSOR_ACTIVATION, name,
                           exchange_sum_slice(w->e.b, n % 2, 0),
                           exchange_sum_slice(w->e.b, n % 2, 1), chunk_of(w, 0, n).rows);
}

static void scatter_chunk(struct work *w, int32_t n)
{
    struct exchange_rows to[EXCHANGE_PORTS], into[EXCHANGE_PORTS];
    for (int32_t port = 0; port < w->ports; port++)
        to[port] = chunk_of(w, w->part[port], n);
    received_chunk(w, n, into);
    exchange_scatter(&w->e, to, chunk_of(w, w->part[EXCHANGE_OWN], n), into, 0);
}

/* Chunk n of this chip's shard, which stands in `what`, to all others, and theirs into the results.
 */
static void gather_chunk(struct work *w, int32_t n, struct exchange_rows what)
{
    struct exchange_rows into[EXCHANGE_PORTS];
    for (int32_t port = 0; port < w->ports; port++)
        into[port] = chunk_of(w, w->result[port], n);
    exchange_share(&w->e, what, into, 0);
}

static void emit_all_gather(struct work *w)
{
    emit_op(w->e.b, "all_gather", true);
    sent_tensor(w);
    for (int32_t port = 0; port < w->ports; port++)
        result_tensor(w, port);
    for (int32_t n = 0; n < w->chunks; n++)
        gather_chunk(w, n, chunk_of(w, w->part[EXCHANGE_OWN], n));
}

/* All scatters leave before the first sum is sent on: links are busy with them anyway. */
static void emit_two_phases(struct work *w, bool gather)
{
    int32_t near[MOST_CHUNKS];
    emit_op(w->e.b, "reduce_scatter", true);
    for (int32_t place = 0; place < EXCHANGE_PLACES; place++)
        if (place < w->ports || place == EXCHANGE_OWN)
            source_tensor(w, place);
    result_tensor(w, EXCHANGE_OWN);
    received_tensors(w);
    for (int32_t n = 0; n < w->chunks; n++) {
        near[n] = gather ? passed_on_tensor(w, n) : -1;
        scatter_chunk(w, n);
        add_chunk(w, n, near[n]);
    }
    if (!gather)
        return;
    emit_op(w->e.b, "all_gather", true);
    for (int32_t port = 0; port < w->ports; port++)
        result_tensor(w, port);
    for (int32_t n = 0; n < w->chunks; n++)
        gather_chunk(w, n, (struct exchange_rows){near[n], 0, chunk_of(w, 0, n).rows});
}

static void emit_one_shot(struct work *w)
{
    emit_op(w->e.b, "one_shot", true);
    sent_tensor(w);
    result_tensor(w, EXCHANGE_OWN);
    received_tensors(w);
    for (int32_t n = 0; n < w->chunks; n++) {
        struct exchange_rows into[EXCHANGE_PORTS];
        received_chunk(w, n, into);
        exchange_share(&w->e, chunk_of(w, w->part[EXCHANGE_OWN], n), into, 0);
        add_chunk(w, n, -1);
    }
}

void collective_emit(const struct collective *c, int32_t rank, struct block *b)
{
    struct work w = work_of(c, rank, b);
    if (c->kind == COLLECTIVE_ALL_GATHER)
        emit_all_gather(&w);
    else if (c->kind == COLLECTIVE_ONE_SHOT)
        emit_one_shot(&w);
    else
        emit_two_phases(&w, c->kind == COLLECTIVE_ALL_REDUCE);
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
    if (c->rows > collective_most_rows(&one))
        return two.kind;
    return collective_cycles(&one) <= collective_cycles(&two) ? one.kind : two.kind;
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
