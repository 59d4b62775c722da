/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits the three stages of an all-reduce over a rack. */
#include "partition/hierarchy.h"

#include <assert.h>
#include <stdio.h>

#include "partition/exchange.h"
#include "partition/lone.h"

static int32_t peers_in_node(const struct hierarchy *h)
{
    return h->topology->chips_per_node;
}

/* The first cable of each pair of nodes takes part. Those of this chip become ports; -1 where there
 * are too many. */
static int32_t use_cables(const struct hierarchy *h, int32_t chip_id, struct exchange *e)
{
    const struct lpu_topology *t = h->topology;
    struct lpu_cable cable[LPU_TOPOLOGY_MAX_NODES];
    int32_t node = chip_id / t->chips_per_node;
    for (int32_t other = 0; other < t->nodes; other++) {
        if (!lpu_topology_cables(t, node < other ? node : other, node < other ? other : node,
                                 cable))
            continue;
        struct lpu_port here = node < other ? cable[0].a : cable[0].b;
        if (here.chip == chip_id && e->ports == EXCHANGE_PORTS)
            return -1;
        if (here.chip == chip_id)
            e->link[e->ports++] = here.link;
    }
    return e->ports;
}

/* The last chip of a node, which has the fewest cables, adds the node's own sum. */
static bool adds_own(const struct hierarchy *h, int32_t chip_id)
{
    return chip_id % h->topology->chips_per_node == h->topology->chips_per_node - 1;
}

static struct exchange_rows rows_of(const struct hierarchy *h, int32_t tensor)
{
    return (struct exchange_rows){tensor, 0, h->rows};
}

static struct exchange_rows nothing(void)
{
    return (struct exchange_rows){-1, 0, 0};
}

/* `what` of this chip to all ports, and what comes from them into `into`. */
static int64_t share(const struct hierarchy *h, struct exchange *e, int32_t stage, int32_t what,
                     struct exchange_rows *into)
{
    for (int32_t port = 0; port < e->ports; port++) {
        char name[24];
        snprintf(name, sizeof name, "from.%d.%d", (int)stage, (int)port);
        into[port] =
            rows_of(h, exchange_tensor(e->b, PROGRAM_TENSOR_ACTIVATION, name,
                                       exchange_received_slice(e->b, stage, port, 0),
                                       exchange_received_slice(e->b, stage, port, 1), h->rows));
    }
    return e->ports ? exchange_share(e, rows_of(h, what), into, h->start[stage]) : h->start[stage];
}

static int32_t beside_links(const struct hierarchy *h, struct block *b,
                            enum program_tensor_kind kind, const char *name, int32_t turn)
{
    return exchange_tensor(b, kind, name, exchange_sum_slice(b, turn, 0),
                           exchange_sum_slice(b, turn, 1), h->rows);
}

/* Stages 0 and 2: `what` of every chip of the node, added on all of them. */
static int64_t add_node(const struct hierarchy *h, struct block *b, int32_t stage, int32_t what,
                        int32_t near, int32_t far)
{
    struct exchange e = exchange_in_node(b, peers_in_node(h));
    struct exchange_rows term[EXCHANGE_PLACES];
    int64_t start = share(h, &e, stage, what, term);
    term[e.ports] = rows_of(h, what);
    exchange_sum(&e, term, e.ports + 1, near < 0 ? nothing() : rows_of(h, near),
                 far < 0 ? nothing() : rows_of(h, far), 0);
    return start;
}

/* Stage 1: the sums of the nodes at this chip's cables; nobody's where it has none. */
static int64_t add_cables(const struct hierarchy *h, struct block *b, int32_t chip_id, int32_t node,
                          int32_t cross)
{
    struct exchange e = {.b = b};
    struct exchange_rows term[EXCHANGE_PLACES];
    use_cables(h, chip_id, &e);
    int64_t start = share(h, &e, 1, node, term);
    if (adds_own(h, chip_id))
        term[e.ports++] = rows_of(h, node);
    if (e.ports)
        exchange_sum(&e, term, e.ports, rows_of(h, cross), nothing(), 0);
    return start;
}

/* Emits all stages; when each began. */
static void emit_stages(const struct hierarchy *h, int32_t chip_id, struct block *b,
                        int64_t begun[HIERARCHY_STAGES])
{
    emit_op(b, "rack_reduce", true);
    int32_t part = beside_links(h, b, PROGRAM_TENSOR_CONSTANT, "part", 2),
            node = beside_links(h, b, PROGRAM_TENSOR_ACTIVATION, "node", 0),
            cross = beside_links(h, b, PROGRAM_TENSOR_ACTIVATION, "cross", 1),
            sum = exchange_tensor(b, PROGRAM_TENSOR_ACTIVATION, "sum",
                                  exchange_result_slice(b, EXCHANGE_OWN, 0),
                                  exchange_result_slice(b, EXCHANGE_OWN, 1), h->rows);
    begun[0] = add_node(h, b, 0, part, node, -1);
    begun[1] = add_cables(h, b, chip_id, node, cross);
    begun[2] = add_node(h, b, 2, cross, -1, sum);
}

/* One round over all chips with the starts as they are; whether none of them began later. */
static bool try_starts(struct hierarchy *h)
{
    bool settled = true;
    h->length_cycles = 0;
    int64_t latest[HIERARCHY_STAGES] = {0};
    for (int32_t c = 0; c < h->topology->chips; c++) {
        int64_t begun[HIERARCHY_STAGES];
        struct block b = lone_open(h->chip);
        emit_stages(h, c, &b, begun);
        for (int32_t s = 0; s < HIERARCHY_STAGES; s++)
            latest[s] = begun[s] > latest[s] ? begun[s] : latest[s];
        h->length_cycles = b.end > h->length_cycles ? b.end : h->length_cycles;
        block_release(&b);
    }
    for (int32_t s = 0; s < HIERARCHY_STAGES; s++) {
        settled = settled && latest[s] == h->start[s];
        h->start[s] = latest[s];
    }
    return settled;
}

bool hierarchy_plan(struct hierarchy *h, const char **why)
{
    *why = NULL;
    if (peers_in_node(h) < 2 || peers_in_node(h) > EXCHANGE_PLACES)
        *why = "a node must have 2 to 8 chips";
    if (h->topology->racks > 1)
        *why = "nodes of several racks are not all joined";
    for (int32_t c = 0; c < h->topology->chips && !*why; c++) {
        struct exchange e = {0};
        int32_t cables = use_cables(h, c, &e);
        if (cables < 0 || (cables == 0 && !adds_own(h, c)))
            *why = "a chip must have 1 to 7 of the cables that join the nodes";
    }
    if (*why)
        return false;
    while (!try_starts(h))
        ;
    return true;
}

void hierarchy_emit(const struct hierarchy *h, int32_t chip_id, struct block *b)
{
    int64_t begun[HIERARCHY_STAGES];
    emit_stages(h, chip_id, b, begun);
    for (int32_t s = 0; s < HIERARCHY_STAGES; s++)
        assert(begun[s] == h->start[s] && "a stage must start in one cycle on all chips");
}
