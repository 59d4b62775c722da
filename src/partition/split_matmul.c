/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits a chip's product and, tile by tile, the exchanges and sums that follow. */
#include "partition/split_matmul.h"

#include <stdio.h>

#include "partition/emit_link.h"
#include "partition/exchange.h"
#include "partition/place.h"

/* Streams that the product leaves free: inward of it 0 to 3 carry results, outward 0 to 17, 20 and
 * 21 weights, rows and results. */
enum {
    STREAM_TERM = 4,   /* inward, two a port */
    STREAM_OWN = 18,   /* inward */
    STREAM_SEND = 22,  /* westward: a vector for every port in a slot */
    STREAM_SUM = 23,   /* westward */
    STREAM_CROSS = 25, /* westward, one a plane: to the other node */
    STREAM_FROM = 22,  /* eastward, one a port */
    STREAM_TOTAL = 30, /* eastward */
    PLANES = 2,
    MOST_PORTS = 7,
    MOST_CABLES = 4,
    FIRST_ALU = 1,    /* 0 and 8 convert results */
    PLACE_SUM = 18,   /* slices from the VXM outward: west, what the node has added */
    PLACE_OTHER = 20, /* west, two pairs: what the other node sends */
    PLACE_TOTAL = 18, /* east */
};

/* Streams of the four cables from the other node, in the west. */
static const int32_t cable_stream[MOST_CABLES] = {20, 21, 29, 30};

/* Column tile `n` of a side; of both sides where they share the rows. */
struct tile {
    bool east;
    int32_t n;
};

struct reduction {
    const struct split_matmul *s;
    struct block *b;
    struct split_matmul_share *share;
    bool by_rows;                    /* the sides of the product share rows, not columns */
    int32_t chip, ports, block;      /* rows of one owner */
    int32_t slot, step;              /* of a link; between the ports' vectors in it */
    int32_t received[2][MOST_PORTS]; /* by turn */
    int32_t other[2];                /* halves of what the other node sends */
    int64_t links_free;
    int32_t tiles; /* reduced so far */
};

/* Chips that share a contraction. */
static int32_t sharers(const struct split_matmul *s)
{
    return s->nodes * s->topology->chips_per_node;
}

static struct matmul matmul_of(const struct split_matmul *s)
{
    const struct lpu_chip *chip = s->chip;
    int64_t columns = shape_ceil_div(s->n, s->topology->nodes / s->nodes);
    int64_t k = shape_ceil_div(s->k, sharers(s));
    return (struct matmul){.rows = s->rows,
                           .k_tiles = shape_ceil_div(k, chip->mxm_fp16_rows),
                           .n_tiles = shape_ceil_div(columns, chip->mxm_columns)};
}

const char *split_matmul_refusal(const struct split_matmul *s)
{
    const struct lpu_topology *t = s->topology;
    if (t->chips_per_node % 2 || s->nodes < 1 || s->nodes > 2 || t->nodes < s->nodes)
        return "a contraction is split over one node or two of an even number of chips";
    if (s->nodes == 2 &&
        (t->nodes != 2 || t->cables_per_node_pair != MOST_CABLES * t->chips_per_node))
        return "two nodes that share a contraction are joined by four cables a chip";
    if (s->rows % (sharers(s) * s->nodes) || machine_link_slot_cycles(s->chip) < t->chips_per_node)
        return "rows must be a multiple of the chips, and a link slot hold a vector for each";
    struct matmul m = matmul_of(s);
    return matmul_refusal(s->chip, &m);
}

static int32_t tensor_at(struct block *b, const char *name, bool east, int32_t place, int32_t count)
{
    int32_t slice[PLANES] = {matmul_slice(b, east, place), matmul_slice(b, east, place + 1)};
    return emit_placed(b, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_FP16, name, slice, PLANES,
                       count);
}

/* Received rows of even tiles in the west, of odd ones in the east. */
static void receive_tensors(struct reduction *r)
{
    int32_t tiles = (r->share->matmul.n_tiles + 1) / 2;
    for (int32_t turn = 0; turn < 2; turn++)
        for (int32_t port = 0; port < r->ports; port++) {
            char name[24];
            snprintf(name, sizeof name, "from.%d.%d", (int)port, (int)turn);
            r->received[turn][port] =
                tensor_at(r->b, name, turn, MATMUL_FREE_FIRST + PLANES * port, tiles * r->block);
        }
    for (int32_t half = 0; half < 2 && r->s->nodes == 2; half++)
        r->other[half] = tensor_at(r->b, half ? "other.1" : "other.0", false,
                                   PLACE_OTHER + PLANES * half, 2 * tiles * (r->block / 4));
}

/* Of the chip `distance` places on. */
static int32_t link_at(const struct reduction *r, int32_t distance)
{
    int32_t links[PROGRAM_QUEUES], all = r->s->topology->chips_per_node;
    int32_t node = r->chip / all, place = r->chip % all;
    lpu_topology_direct_links(r->s->topology, r->chip, node * all + (place + distance) % all,
                              links);
    return links[0];
}

/* Where the block of place `place` of a tile stands: in one tensor, or half of them in each. */
static struct exchange_rows block_at(const struct reduction *r, struct tile t, int32_t place)
{
    int32_t first = place * r->block, west = r->share->side[0].rows;
    if (!r->by_rows)
        return (struct exchange_rows){r->share->side[t.east].y[t.n], first, r->block};
    bool east = first >= west;
    return (struct exchange_rows){r->share->side[east].y[t.n], first - east * west, r->block};
}

/* Reads `ports` blocks that follow each other from `port` on: in each slot a vector of each. */
static struct program_operand read_blocks(const struct reduction *r, struct tile t, int32_t sub,
                                          int32_t port, int32_t ports, int64_t cycle)
{
    struct exchange_rows first = block_at(r, t, port);
    struct lane_group at = {PROGRAM_WEST, STREAM_SEND, emit_link_x(r->b), cycle + port * r->step};
    return emit_read(r->b, first.tensor, sub, 1, emit_walk(first.first, r->block, 1),
                     emit_pattern(ports, r->step, r->block, r->slot), at);
}

static struct program_operand block_of(struct program_operand sent, struct exchange_rows rows)
{
    sent.tensor = rows.tensor;
    sent.index = rows.first;
    sent.stride[0] = 1;
    sent.stride[1] = 0;
    return sent;
}

/* Plane `sub` of a tile. A chip d places on has this one ports + 1 - d places on. */
static void scatter_plane(struct reduction *r, struct tile t, int32_t sub, int64_t cycle)
{
    int32_t turn = r->tiles % 2, first = r->tiles / 2 * r->block;
    int32_t together = r->by_rows ? (r->ports + 1) / 2 : r->ports;
    struct pattern one = emit_pattern(r->block, r->slot, 1, 0);
    struct program_operand sent = read_blocks(r, t, sub, 0, together, cycle);
    if (together < r->ports)
        read_blocks(r, t, sub, together, r->ports - together, cycle);
    for (int32_t port = 0; port < r->ports; port++) {
        int32_t back = r->ports - 1 - port;
        emit_link_send(r->b, link_at(r, port + 1), block_of(sent, block_at(r, t, port)), one,
                       cycle + port * r->step);
        emit_link_receive(r->b, link_at(r, port + 1), block_of(sent, block_at(r, t, back)), one,
                          cycle + back * r->step,
                          (struct link_target){STREAM_FROM + port, r->received[turn][port], sub,
                                               emit_walk(first, 1, 0)});
    }
}

static void scatter_tile(struct reduction *r, struct tile t)
{
    int64_t plane = (int64_t)r->block * r->slot;
    for (int32_t sub = 0; sub < PLANES; sub++)
        scatter_plane(r, t, sub, sub * plane);
    r->links_free = place_group(r->b, r->links_free) + PLANES * plane;
}

/* What all chips of the node contribute to this one's block of a tile, into `sum`. */
static void add_tile(struct reduction *r, struct tile t, int32_t sum)
{
    struct block *b = r->b;
    bool east = r->tiles % 2;
    struct program_operand term[MOST_PORTS + 1];
    struct pattern p = emit_pattern(r->block, 1, 1, 0);
    for (int32_t port = 0; port < r->ports; port++)
        term[port] = emit_read(b, r->received[east][port], 0, PLANES,
                               emit_walk(r->tiles / 2 * r->block, 1, 0), p,
                               emit_at_vxm(b, east, STREAM_TERM + PLANES * port, 0));
    struct exchange_rows own = block_at(r, t, r->ports);
    term[r->ports] = emit_read(b, own.tensor, 0, PLANES, emit_walk(own.first, 1, 0), p,
                               emit_at_vxm(b, r->by_rows || t.east, STREAM_OWN, 0));
    struct lane_group from = {PROGRAM_WEST, STREAM_SUM, emit_vxm_x(b), 0};
    struct program_operand out =
        emit_stream(from.direction, from.stream, PLANES, sum, 0, emit_walk(0, 1, 0));
    struct exchange_sum add = {FIRST_ALU, exchange_levels(r->ports + 1), p, 0};
    from.cycle = exchange_add(b, add, term, r->ports + 1, &out, 1);
    emit_write(b, sum, 0, PLANES, emit_walk(0, 1, 0), p, from);
    place_group(b, 0);
}

/* Half of a block to the other node: planes by pairs of cables, quarters of the block within one.
 */
static void cross_tile(struct reduction *r, int32_t sum)
{
    struct block *b = r->b;
    int32_t quarter = r->block / 4, node = r->chip / r->s->topology->chips_per_node;
    int32_t away = node ? 0 : 2 * quarter, kept = node ? 2 * quarter : 0, shift = r->slot / 2;
    struct pattern one = emit_pattern(quarter, r->slot, 1, 0);
    for (int32_t sub = 0; sub < PLANES; sub++) {
        struct program_operand sent = emit_read(
            b, sum, sub, 1, emit_walk(away, quarter, 1), emit_pattern(2, shift, quarter, r->slot),
            (struct lane_group){PROGRAM_WEST, STREAM_CROSS + sub, emit_link_x(b), 0});
        for (int32_t half = 0; half < 2; half++) {
            int32_t cable = 2 * sub + half, link = r->s->topology->local_links + cable;
            struct exchange_rows goes = {sum, away + half * quarter, quarter},
                                 comes = {sum, kept + half * quarter, quarter};
            emit_link_send(b, link, block_of(sent, goes), one, half * shift);
            emit_link_receive(b, link, block_of(sent, comes), one, half * shift,
                              (struct link_target){cable_stream[cable], r->other[half], sub,
                                                   emit_walk(r->tiles * quarter, 1, 0)});
        }
    }
    place_group(b, 0);
}

static void add_other(struct reduction *r, int32_t sum, int32_t total)
{
    struct block *b = r->b;
    int32_t quarter = r->block / 4, node = r->chip / r->s->topology->chips_per_node;
    struct pattern p = emit_pattern(quarter, 1, 1, 0);
    for (int32_t half = 0; half < 2; half++) {
        struct walk to = emit_walk(half * quarter, 1, 0);
        struct program_operand term[2] = {
            emit_read(b, sum, 0, PLANES, emit_walk((2 * node + half) * quarter, 1, 0), p,
                      emit_at_vxm(b, false, STREAM_TERM, 0)),
            emit_read(b, r->other[half], 0, PLANES, emit_walk(r->tiles * quarter, 1, 0), p,
                      emit_at_vxm(b, false, STREAM_TERM + PLANES, 0))};
        struct lane_group from = {PROGRAM_EAST, STREAM_TOTAL, emit_vxm_x(b), 0};
        struct program_operand out = emit_stream(from.direction, from.stream, PLANES, total, 0, to);
        struct exchange_sum add = {FIRST_ALU, 1, p, 0};
        from.cycle = exchange_add(b, add, term, 2, &out, 1);
        emit_write(b, total, 0, PLANES, to, p, from);
        place_group(b, 0);
    }
}

static void reduce_tile(struct reduction *r, struct tile t)
{
    char name[24];
    int32_t column = r->share->side[t.east].first_tile + t.n;
    snprintf(name, sizeof name, "sum.%d", (int)column);
    int32_t sum = tensor_at(r->b, name, false, PLACE_SUM, r->block), total = sum;
    scatter_tile(r, t);
    add_tile(r, t, sum);
    if (r->s->nodes == 2) {
        snprintf(name, sizeof name, "total.%d", (int)column);
        total = tensor_at(r->b, name, true, PLACE_TOTAL, r->block / 2);
        cross_tile(r, sum);
        add_other(r, sum, total);
    }
    r->share->total[column] = total;
    r->tiles++;
}

/* In the order in which tiles are done. */
static void reduce_all(struct reduction *r)
{
    const struct matmul_side *side = r->share->side;
    for (int32_t n = 0; n < side[0].tiles; n++)
        for (int32_t east = 0; east < (r->by_rows ? 1 : 2); east++)
            if (n < side[east].tiles)
                reduce_tile(r, (struct tile){east, n});
}

void split_matmul_emit(const struct split_matmul *s, int32_t chip_id, struct block *b,
                       struct split_matmul_share *share)
{
    int32_t per_node = s->topology->chips_per_node;
    share->matmul = matmul_of(s);
    share->owned = s->rows / sharers(s);
    struct reduction r = {.s = s,
                          .b = b,
                          .share = share,
                          .chip = chip_id,
                          .ports = per_node - 1,
                          .block = s->rows / per_node,
                          .slot = (int32_t)machine_link_slot_cycles(s->chip)};
    r.step = r.slot / per_node;
    ops_matmul(b, &share->matmul, share->side);
    r.by_rows = share->side[0].rows < s->rows;
    emit_op(b, "reduce", true);
    receive_tensors(&r);
    reduce_all(&r);
}
