/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses cables and emits the way of each row through the rack. */
#include "partition/hierarchy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "partition/exchange.h"
#include "partition/lone.h"
#include "partition/place.h"

enum {
    MOST_PLACES = 8,
    MOST_CABLES = 4, /* that end at one chip */
    MOST_TERMS = 2 * MOST_PLACES,
    SLOWEST = 2, /* trains that links could carry for each row that they do */
};

/* Streams, two a train. Westward: a row to the links, sums to them, this chip's own from the east.
 * Eastward: terms by place and by cable or node, sums to the east. */
enum {
    STREAM_PART = 0,
    STREAM_NODE = 2,
    STREAM_TAKEN = 4,
    STREAM_OWN = 6,
    STREAM_TERM = 0,
    STREAM_MINE = 14,
    STREAM_CABLE = 16,
    STREAM_EAST = 24,
};

/* Slices from the links inward, and from the VXM eastward; first units of the sums. */
enum {
    SLICE_PART = 0,
    SLICE_TERM_LOW = 2,
    SLICE_TERM_HIGH = 9,
    SLICE_CABLE_LOW = 16,
    SLICE_CABLE_HIGH = 24,
    SLICE_NODE = 40,
    SLICE_TAKEN = 42,
    EAST_SUM = 0,
    EAST_NODE = 2,
    EAST_TAKEN = 4,
    UNIT_NODE = 0,
    UNIT_TAKEN = 7,
    UNIT_SUM = 5,
};

/* A cable at a chip: to which node, by which link. */
struct relay {
    int32_t node, link;
};

/* One chip's share. */
struct share {
    const struct hierarchy *h;
    struct block *b;
    int32_t node, place, places;
    int32_t taken, told; /* cables by which this chip takes sums and sends its node's */
    struct relay relay[MOST_CABLES], telling[MOST_CABLES];
    int32_t part, sum, own_node, own_taken; /* tensors */
    struct exchange_passage from[MOST_PLACES], node_sum, cable[MOST_PLACES], all[MOST_PLACES],
        taken_sum;
};

static int32_t nodes_of(const struct hierarchy *h)
{
    return h->topology->nodes;
}

/* The cable by which `node` takes the sum of `other`: its own end first. */
static struct lpu_cable cable_of(const struct hierarchy *h, int32_t node, int32_t other)
{
    struct lpu_cable cable[PROGRAM_QUEUES];
    lpu_topology_cables(h->topology, node, other, cable);
    return cable[h->cable[node][other]];
}

/* The cables by which a chip takes sums, or sends its node's; by node. */
static int32_t cables_at(const struct hierarchy *h, int32_t chip_id, bool takes,
                         struct relay *relay)
{
    int32_t count = 0, node = chip_id / h->topology->chips_per_node;
    for (int32_t other = 0; other < nodes_of(h); other++) {
        if (other == node)
            continue;
        struct lpu_port here = takes ? cable_of(h, node, other).a : cable_of(h, other, node).b;
        if (here.chip == chip_id)
            relay[count++] = (struct relay){other, here.link};
    }
    return count;
}

/* Of the cables from another node the one whose end has taken the fewest so far. */
static void choose_cable(struct hierarchy *h, int32_t node, int32_t other, int32_t *taken)
{
    struct lpu_cable cable[PROGRAM_QUEUES];
    int32_t cables = lpu_topology_cables(h->topology, node, other, cable), best = 0;
    for (int32_t k = 1; k < cables; k++)
        if (taken[cable[k].a.chip] < taken[cable[best].a.chip])
            best = k;
    h->cable[node][other] = (uint8_t)best;
    taken[cable[best].a.chip]++;
}

static void choose_cables(struct hierarchy *h)
{
    int32_t taken[LPU_TOPOLOGY_MAX_NODES * MOST_PLACES] = {0};
    for (int32_t node = 0; node < nodes_of(h); node++)
        for (int32_t other = 0; other < nodes_of(h); other++)
            if (other != node)
                choose_cable(h, node, other, taken);
    h->relays = 0;
    for (int32_t c = 0; c < h->topology->chips; c++)
        h->relays = taken[c] > h->relays ? taken[c] : h->relays;
}

/* Whether chips forward what they take as it is. */
static bool forwards(const struct hierarchy *h)
{
    return h->relays <= 1;
}

/* The chip of a node that takes the fewest sums, which adds the node's own sum to what it takes. */
static int32_t adder_of(const struct hierarchy *h, int32_t node)
{
    struct relay relay[MOST_CABLES];
    int32_t per_node = h->topology->chips_per_node, adder = 0, fewest = INT32_MAX;
    for (int32_t place = 0; place < per_node; place++) {
        int32_t count = cables_at(h, node * per_node + place, true, relay);
        if (count <= fewest) {
            fewest = count;
            adder = place;
        }
    }
    return adder;
}

/* Terms that the chip at `place` adds in the middle stage. */
static int32_t terms_taken(const struct hierarchy *h, int32_t node, int32_t place)
{
    struct relay relay[MOST_CABLES];
    int32_t chip_id = node * h->topology->chips_per_node + place;
    return cables_at(h, chip_id, true, relay) + (place == adder_of(h, node));
}

static int32_t most_taken(const struct hierarchy *h)
{
    int32_t most = 1;
    for (int32_t node = 0; node < nodes_of(h); node++)
        for (int32_t place = 0; place < h->topology->chips_per_node; place++) {
            int32_t terms = terms_taken(h, node, place);
            most = terms > most ? terms : most;
        }
    return most;
}

static void time_stages(struct hierarchy *h, const struct block *b)
{
    struct hierarchy_stage *s = h->stage;
    int32_t places = h->topology->chips_per_node;
    s[0] = (struct hierarchy_stage){0, exchange_meeting(b, 1, 0), exchange_levels(places)};
    s[1].departs = s[0].meets + exchange_adding(b, s[0].levels) + exchange_crossing(b);
    if (forwards(h)) {
        s[1].meets = s[1].levels = 0;
        s[2].departs = s[1].departs + h->chip->c2c_hop_cycles + h->chip->c2c_receive_cycles;
        s[2].levels = exchange_levels(nodes_of(h));
    } else {
        s[1].levels = exchange_levels(most_taken(h));
        s[1].meets = exchange_meeting(b, 1, s[1].departs);
        s[2].departs = s[1].meets + exchange_adding(b, s[1].levels) + exchange_crossing(b);
        s[2].levels = exchange_levels(places);
    }
    s[2].meets = exchange_meeting(b, 1, s[2].departs);
}

static int32_t link_to(const struct share *s, int32_t place)
{
    return place < s->place ? place : place - 1;
}

static int32_t from_vxm(const struct share *s, int32_t place)
{
    return s->b->chip->mem_slices_per_hemisphere + place;
}

static struct exchange_passage passage(struct share *s, const char *name, int32_t number,
                                       int32_t low, int32_t high)
{
    char full[24];
    const int32_t wait[EXCHANGE_PLANES] = {low, high};
    snprintf(full, sizeof full, "%.12s.%d", name, (int)number);
    return exchange_passage_open(s->b, full, s->h->rows, wait);
}

/* Of the cables, by which what is taken is told apart: their nodes. */
static void cable_passages(struct share *s)
{
    for (int32_t node = 0, k = 0; forwards(s->h) && node < nodes_of(s->h); node++)
        if (node != s->node) {
            s->cable[k] = passage(s, "of", node, SLICE_CABLE_LOW + k, SLICE_CABLE_HIGH + k);
            k++;
        }
    for (int32_t k = 0; !forwards(s->h) && k < s->taken; k++)
        s->cable[k] = passage(s, "of", k, SLICE_CABLE_LOW + k, SLICE_CABLE_HIGH + k);
}

static int32_t tensor(struct share *s, enum program_tensor_kind kind, const char *name,
                      int32_t slice)
{
    return exchange_tensor(s->b, kind, name, slice, slice + 1, s->h->rows);
}

static void open_tensors(struct share *s)
{
    s->part = tensor(s, PROGRAM_TENSOR_CONSTANT, "part", SLICE_PART);
    s->sum = tensor(s, PROGRAM_TENSOR_ACTIVATION, "sum", from_vxm(s, EAST_SUM));
    s->own_node = tensor(s, PROGRAM_TENSOR_ACTIVATION, "node.own", from_vxm(s, EAST_NODE));
    s->own_taken = tensor(s, PROGRAM_TENSOR_ACTIVATION, "taken.own", from_vxm(s, EAST_TAKEN));
    for (int32_t place = 0; place < s->places; place++)
        if (place != s->place) {
            int32_t port = link_to(s, place);
            s->from[place] =
                passage(s, "from", port, SLICE_TERM_LOW + port, SLICE_TERM_HIGH + port);
            s->all[place] = passage(s, "all", port, SLICE_TERM_LOW + port, SLICE_TERM_HIGH + port);
        }
    cable_passages(s);
    s->node_sum = passage(s, "node", 0, SLICE_NODE + 1, SLICE_NODE);
    s->taken_sum = passage(s, "taken", 0, SLICE_TAKEN + 1, SLICE_TAKEN);
}

static struct exchange_rows row_of(int32_t tensor, int32_t row)
{
    return (struct exchange_rows){tensor, row, 1};
}

static void send_to_node(const struct share *s, struct exchange_rows what, uint8_t direction,
                         int32_t stream, int64_t departure)
{
    for (int32_t place = 0; place < s->places; place++)
        if (place != s->place)
            exchange_send(s->b, link_to(s, place), what, direction, stream, departure);
}

/* `term` into a tensor in the east and, as `on`, to the links by the departure of stage `next`. */
struct outlet {
    int32_t tensor;
    const struct exchange_passage *on;
    int32_t stream, next;
};

static void add(const struct share *s, struct exchange_sum how, struct program_operand *term,
                int32_t terms, int32_t row, struct outlet to)
{
    struct walk walk = emit_walk(row, 1, 0);
    struct program_operand out[2] = {
        emit_stream(PROGRAM_EAST, STREAM_EAST + to.stream, EXCHANGE_PLANES, to.tensor, 0, walk)};
    if (to.on)
        out[1] = emit_stream(PROGRAM_WEST, to.stream, EXCHANGE_PLANES, to.on->label, 0, walk);
    int64_t cycle = exchange_add(s->b, how, term, terms, out, to.on ? 2 : 1);
    emit_write(s->b, to.tensor, 0, EXCHANGE_PLANES, walk, how.p,
               (struct lane_group){PROGRAM_EAST, STREAM_EAST + to.stream, emit_vxm_x(s->b), cycle});
    if (to.on)
        exchange_lead(s->b, to.on, row_of(to.on->label, row), to.stream, cycle,
                      s->h->stage[to.next].departs);
}

static struct exchange_sum sum_of(const struct share *s, int32_t stage, int32_t unit)
{
    const struct hierarchy_stage *at = &s->h->stage[stage];
    return (struct exchange_sum){unit, at->levels, exchange_slots(s->b, 1), at->meets};
}

/* What the other chips of the node send in the first or last stage, and this chip's `own`, by
 * place; of the last stage those that have something. */
static int32_t bring_node(const struct share *s, int32_t stage, struct exchange_rows sent,
                          const struct exchange_passage *as, struct program_operand own,
                          struct program_operand *term)
{
    const struct hierarchy_stage *at = &s->h->stage[stage];
    int32_t terms = 0;
    for (int32_t place = 0; place < s->places; place++) {
        if (stage > 0 && terms_taken(s->h, s->node, place) == 0)
            continue;
        if (place == s->place)
            term[terms++] = own;
        else
            term[terms++] =
                exchange_bring(s->b, link_to(s, place), sent, at->departs, &as[place], sent.first,
                               STREAM_TERM + EXCHANGE_PLANES * link_to(s, place), at->meets);
    }
    return terms;
}

static void add_node(const struct share *s, int32_t row)
{
    const struct hierarchy_stage *at = &s->h->stage[0];
    struct program_operand term[MOST_TERMS];
    struct exchange_rows part = row_of(s->part, row), node = row_of(s->node_sum.label, row);
    exchange_read(s->b, part, STREAM_PART, at->departs);
    send_to_node(s, part, PROGRAM_WEST, STREAM_PART, at->departs);
    int32_t terms =
        bring_node(s, 0, part, s->from, exchange_fetch(s->b, part, STREAM_MINE, at->meets), term);
    add(s, sum_of(s, 0, UNIT_NODE), term, terms, row,
        (struct outlet){s->own_node, s->told ? &s->node_sum : NULL, STREAM_NODE, 1});
    for (int32_t k = 0; k < s->told; k++)
        exchange_send(s->b, s->telling[k].link, node, PROGRAM_WEST, STREAM_NODE,
                      s->h->stage[1].departs);
}

/* The sums of the nodes whose cables end here, added and shared. */
static void add_taken(const struct share *s, int32_t row)
{
    const struct hierarchy_stage *at = &s->h->stage[1];
    struct program_operand term[MOST_TERMS];
    int32_t terms = 0;
    for (; terms < s->taken; terms++)
        term[terms] = exchange_bring(s->b, s->relay[terms].link, row_of(s->node_sum.label, row),
                                     at->departs, &s->cable[terms], row,
                                     STREAM_CABLE + EXCHANGE_PLANES * terms, at->meets);
    if (s->place == adder_of(s->h, s->node))
        term[terms++] = exchange_fetch(s->b, row_of(s->own_node, row), STREAM_OWN, at->meets);
    if (terms == 0)
        return;
    add(s, sum_of(s, 1, UNIT_TAKEN), term, terms, row,
        (struct outlet){s->own_taken, &s->taken_sum, STREAM_TAKEN, 2});
    send_to_node(s, row_of(s->taken_sum.label, row), PROGRAM_WEST, STREAM_TAKEN,
                 s->h->stage[2].departs);
}

/* What each chip of the node has taken and added. */
static void add_all(const struct share *s, int32_t row)
{
    struct program_operand term[MOST_TERMS], own = {0};
    if (terms_taken(s->h, s->node, s->place) > 0)
        own = exchange_fetch(s->b, row_of(s->own_taken, row), STREAM_OWN + EXCHANGE_PLANES,
                             s->h->stage[2].meets);
    int32_t terms = bring_node(s, 2, row_of(s->taken_sum.label, row), s->all, own, term);
    add(s, sum_of(s, 2, UNIT_SUM), term, terms, row, (struct outlet){.tensor = s->sum});
}

/* The sum of another node as it comes: off its cable and on to the others, or from the chip that
 * takes it. */
static struct program_operand forward(const struct share *s, int32_t node, int32_t k, int32_t row)
{
    const struct hierarchy_stage *stage = s->h->stage;
    struct lpu_port here = cable_of(s->h, s->node, node).a;
    int32_t place = here.chip % s->places, stream = STREAM_CABLE + EXCHANGE_PLANES * k;
    struct exchange_rows on = row_of(s->cable[k].label, row);
    if (place != s->place)
        return exchange_bring(s->b, link_to(s, place), on, stage[2].departs, &s->cable[k], row,
                              stream, stage[2].meets);
    send_to_node(s, on, PROGRAM_EAST, stream, stage[2].departs);
    return exchange_bring(s->b, here.link, row_of(s->node_sum.label, row), stage[1].departs,
                          &s->cable[k], row, stream, stage[2].meets);
}

static void add_forwarded(const struct share *s, int32_t row)
{
    struct program_operand term[MOST_TERMS];
    for (int32_t node = 0, k = 0; node < nodes_of(s->h); node++)
        term[node] = node == s->node ? exchange_fetch(s->b, row_of(s->own_node, row), STREAM_OWN,
                                                      s->h->stage[2].meets)
                                     : forward(s, node, k++, row);
    add(s, sum_of(s, 2, UNIT_SUM), term, nodes_of(s->h), row, (struct outlet){.tensor = s->sum});
}

int64_t hierarchy_departure(const struct hierarchy *h, int32_t row)
{
    int64_t again = h->stage[HIERARCHY_STAGES - 1].departs, wave = again / h->period;
    wave = wave > 0 ? wave : 1;
    return h->start + row / wave * (again + wave * h->period) + row % wave * h->period;
}

/* Whether all rows depart when they should; else, when the first one that does not would. */
static bool emit_rows(const struct hierarchy *h, int32_t chip_id, struct block *b, int32_t *row,
                      int64_t *found)
{
    struct share s = {.h = h, .b = b, .places = h->topology->chips_per_node};
    s.node = chip_id / s.places, s.place = chip_id % s.places;
    s.taken = cables_at(h, chip_id, true, s.relay);
    s.told = cables_at(h, chip_id, false, s.telling);
    emit_op(b, "rack_reduce", true);
    open_tensors(&s);
    for (*row = 0; *row < h->rows; ++*row) {
        add_node(&s, *row);
        if (forwards(h)) {
            add_forwarded(&s, *row);
        } else {
            add_taken(&s, *row);
            add_all(&s, *row);
        }
        *found = place_group(b, hierarchy_departure(h, *row));
        if (*found != hierarchy_departure(h, *row))
            return false;
    }
    return true;
}

/* One chip with start and period as they are; where it does not fit, they become more. */
static bool try_chip(struct hierarchy *h, int32_t chip_id)
{
    struct block b = lone_open(h->chip);
    int32_t row;
    int64_t found;
    bool fits = emit_rows(h, chip_id, &b, &row, &found);
    if (fits)
        h->length_cycles = b.end > h->length_cycles ? b.end : h->length_cycles;
    else if (row == 0)
        h->start = found;
    else
        h->period++;
    block_release(&b);
    return fits;
}

/* Until all chips in turn have fitted. */
static bool settle(struct hierarchy *h, int64_t train)
{
    h->start = 0;
    h->period = train;
    for (int32_t fitted = 0, c = 0; fitted < h->topology->chips; c = (c + 1) % h->topology->chips) {
        if (h->period > SLOWEST * train)
            return false;
        if (fitted == 0)
            h->length_cycles = 0;
        fitted = try_chip(h, c) ? fitted + 1 : 0;
    }
    return true;
}

static const char *refusal(const struct hierarchy *h)
{
    const struct lpu_topology *t = h->topology;
    struct lpu_cable cable[PROGRAM_QUEUES];
    if (t->chips_per_node < 2 || t->chips_per_node > MOST_PLACES)
        return "a node must have 2 to 8 chips";
    if (t->racks > 1 || t->nodes < 2 || lpu_topology_cables(t, 0, 1, cable) < 1)
        return "two or more nodes must be joined pairwise";
    if (h->rows < 1 || h->rows > h->chip->vectors_per_slice / 2)
        return "rows must be at least one and fit into half a slice";
    return NULL;
}

bool hierarchy_plan(struct hierarchy *h, const char **why)
{
    *why = refusal(h);
    if (*why)
        return false;
    struct block b = lone_open(h->chip);
    int64_t train = exchange_train_cycles(&b, 1);
    choose_cables(h);
    time_stages(h, &b);
    block_release(&b);
    if (!settle(h, train))
        *why = "rows are too many to pass through links that carry all of them";
    return !*why;
}

void hierarchy_emit(const struct hierarchy *h, int32_t chip_id, struct block *b)
{
    int32_t row;
    int64_t found;
    bool fits = emit_rows(h, chip_id, b, &row, &found);
    assert(fits && "a row must depart in one cycle on all chips");
    (void)fits;
}
