/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the sends, forwards and receives of a transfer on the routes that were planned for it.
 *
 * A piece is one byte plane of one quad. Where both groups stand in one node, piece k leaves chip k
 * % T of the sender for all receivers at once. Otherwise interconnect/route.h gives every piece a
 * way from a sender to a receiver, who passes every vector on to its group as it comes: a received
 * vector runs from the link straight back to the links, and through the SXM inward to its own SRAM.
 * Pieces for the same slices go one behind the other: a slice takes one train at a time. */
#include "partition/transfer.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "interconnect/route.h"
#include "partition/emit_link.h"
#include "partition/place.h"

enum {
    STREAM_SEND = 24,   /* westward, SRAM to links; one a way */
    STREAM_PASS = 12,   /* westward, link to links; one a link */
    STREAM_IN = 0,      /* eastward, link to SRAM; one a link */
    START_MARGIN = 128, /* cycles from a slice to the links, and more */
    LINKS = PROGRAM_QUEUE_RECEIVE - PROGRAM_QUEUE_SEND,
    PIECES = 4 * SHAPE_QUADS,
};

struct piece {
    char name[24];     /* of its tensor */
    int32_t buffer[2]; /* where its rows stand at the sender, and at the receiver; token: unused */
    int32_t quad, sub, vectors;
    int32_t way;   /* that it takes */
    int64_t start; /* departure of its first vector from the first chip */
};

struct journey {
    struct transfer *transfer;
    const struct templates *t;
    const struct lpu_topology *topology;
    const struct transfer_request *request;
    struct route_net net;
    struct route_request ends;
    struct piece piece[PIECES];
    int32_t pieces;
};

static int32_t group_of(const struct journey *j)
{
    return j->t->shape[0].group;
}

static bool is_token(const struct journey *j)
{
    return j->request->what == TRANSFER_TOKEN;
}

static bool is_receiver(const struct journey *j, int32_t chip)
{
    return chip >= j->request->to_first && chip < j->request->to_first + group_of(j);
}

static bool is_sender(const struct journey *j, int32_t chip)
{
    return chip >= j->request->from_first && chip < j->request->from_first + group_of(j);
}

/* The block of `chip`, created at its first use from the tables of its rank. */
static struct block *part_of(struct journey *j, int32_t chip)
{
    struct transfer *x = j->transfer;
    for (size_t n = 0; n < x->parts; n++)
        if (x->part[n].chip == chip)
            return &x->part[n].block;
    x->part = base_grow(x->part, &x->capacity, x->parts + 1, sizeof *x->part);
    struct transfer_part *p = &x->part[x->parts++];
    const struct block *common = &j->t->rank[0].common[j->request->phase];
    *p = (struct transfer_part){chip, {.shape = common->shape, .chip = common->chip}};
    p->block.sram = common->sram;
    p->block.busy = reservations_create();
    emit_op(&p->block, is_token(j) ? "token" : "hidden", false);
    return &p->block;
}

/* The tensor that a piece belongs to, as `chip` knows it: a place of its own where it is a sender
 * or a receiver, a mere label where it passes on. */
static int32_t tensor_of(struct journey *j, struct block *b, int32_t chip,
                         const struct piece *piece)
{
    const struct template_rank *r = &j->t->rank[0];
    for (size_t n = 0; n < b->code.tensors; n++)
        if (strcmp(b->code.tensor[n].name, piece->name) == 0)
            return (int32_t)n;
    if (!is_sender(j, chip) && !is_receiver(j, chip)) {
        int32_t label = emit_transient(b, piece->name, PROGRAM_DTYPE_FP16, is_token(j) ? 4 : 2);
        b->meta[label].layer_step = is_token(j) ? -1 : 0;
        return label;
    }
    if (!is_token(j)) {
        const char buffer[] = {piece->name[0], piece->name[1], '\0'};
        return ops_residual(b, buffer, piece->buffer[is_receiver(j, chip)], 0,
                            r->residual[j->request->phase])
            .tensor[piece->quad];
    }
    const struct program *common = &r->common[0].code;
    const struct program_tensor *token = &common->tensor[r->tables.token];
    return emit_tensor(b,
                       &(struct tensor_spec){.name = piece->name,
                                             .kind = PROGRAM_TENSOR_ACTIVATION,
                                             .dtype = PROGRAM_DTYPE_KEY,
                                             .subs = 4,
                                             .count = token->count,
                                             .valid = token->valid,
                                             .slice = common->slice + token->slice,
                                             .shared = true,
                                             .layer_step = -1},
                       emit_address(&r->common[0], r->tables.token, 0));
}

static struct pattern pattern_of(const struct journey *j, const struct piece *piece)
{
    int32_t slot = (int32_t)machine_link_slot_cycles(j->t->shape[0].chip);
    return emit_pattern(piece->vectors, slot, 1, 0);
}

/* From SRAM to the links; returns the operand that sends name. */
static struct program_operand emit_departure(struct journey *j, int32_t chip,
                                             const struct piece *piece)
{
    struct block *b = part_of(j, chip);
    struct lane_group at = {PROGRAM_WEST, STREAM_SEND + piece->way, emit_link_x(b), piece->start};
    return emit_read(b, tensor_of(j, b, chip, piece), piece->sub, 1, emit_walk(0, 1, 0),
                     pattern_of(j, piece), at);
}

/* Inward through the SXM, from the stream on which vectors pass by the links. */
static struct lane_group emit_turn(struct block *b, struct program_operand passing, int32_t link,
                                   struct pattern p, int64_t cycle)
{
    struct program_operand inward = passing;
    inward.direction = PROGRAM_EAST;
    inward.stream = (uint8_t)(STREAM_IN + link);
    emit(b,
         (struct program_instruction){.cycle = cycle - b->chip->sxm_skew_cycles,
                                      .queue =
                                          (uint8_t)(PROGRAM_QUEUE_SXM + link % PROGRAM_SXM_QUEUES),
                                      .opcode = PROGRAM_SXM_PERMUTE,
                                      .function = PROGRAM_SXM_IDENTITY,
                                      .count = {p.n[0], p.n[1]},
                                      .interval = {p.d[0], p.d[1]}},
         &passing, 1, &inward, 1);
    return (struct lane_group){PROGRAM_EAST, STREAM_IN + link, emit_sxm_x(b, false),
                               cycle - b->chip->sxm_skew_cycles + b->chip->sxm_cycles};
}

/* A piece that left the far end of `port` in `departure` arrives: kept by a receiver, ready to be
 * passed on where `onward`. Returns the operand and, in *cycle, when it stands at the links. */
static struct program_operand emit_arrival(struct journey *j, struct lpu_port port,
                                           const struct piece *piece, int64_t departure,
                                           bool onward, int64_t *cycle)
{
    struct block *b = part_of(j, port.chip);
    struct pattern p = pattern_of(j, piece);
    int32_t tensor = tensor_of(j, b, port.chip, piece);
    uint8_t direction = onward ? PROGRAM_WEST : PROGRAM_EAST;
    int32_t stream = (onward ? STREAM_PASS : STREAM_IN) + port.link;
    struct program_operand out =
        emit_stream(direction, stream, 1, tensor, piece->sub, emit_walk(0, 1, 0));
    struct lane_group from = emit_link_arrive(b, port.link, out, p, departure, out);
    *cycle = from.cycle;
    if (is_receiver(j, port.chip)) {
        if (onward)
            from = emit_turn(b, out, port.link, p, *cycle);
        emit_write(b, tensor, piece->sub, 1, emit_walk(0, 1, 0), p, from);
    }
    return out;
}

/* Sends `what` of `chip` straight to every other receiver. */
static void emit_fan_out(struct journey *j, int32_t chip, struct program_operand what,
                         const struct piece *piece, int64_t departure)
{
    int32_t link[LINKS];
    for (int32_t r = 0; r < group_of(j); r++) {
        int32_t to = j->request->to_first + r;
        int64_t ignored;
        if (to == chip || !lpu_topology_direct_links(j->topology, chip, to, link))
            continue;
        emit_link_send(part_of(j, chip), link[0], what, pattern_of(j, piece), departure);
        emit_arrival(j, lpu_topology_peer(j->topology, chip, link[0]), piece, departure, false,
                     &ignored);
    }
}

/* Pieces k and k + count_items are for the same slices. */
static int32_t count_items(const struct journey *j)
{
    const struct piece *piece = j->piece;
    int32_t n = 1;
    while (n < j->pieces && (piece[n].quad != piece->quad || piece[n].sub != piece->sub))
        n++;
    return n;
}

/* All pieces, each from a chip of its own as far as there are, to all receivers in one hop. */
static void run_direct(struct journey *j)
{
    struct timetable_leg leg[TEMPLATE_RANKS];
    int32_t items = count_items(j);
    for (int32_t k = 0; k < j->pieces; k++) {
        struct piece *piece = &j->piece[k];
        int32_t chip = j->request->from_first + k % items % group_of(j);
        size_t legs = route_fan_out(&j->net, &j->ends, chip, 0, leg);
        piece->start = timetable_book_way(j->net.links, leg, legs, 0, piece->vectors);
        emit_fan_out(j, chip, emit_departure(j, chip, piece), piece, piece->start);
    }
}

static void run_way(struct journey *j, const struct route_way *way, const struct piece *piece)
{
    int64_t departure = piece->start;
    int32_t chip = way->first;
    struct program_operand what = emit_departure(j, chip, piece);
    for (int32_t h = 0; h < way->hops; h++) {
        emit_link_send(part_of(j, chip), way->hop[h].link, what, pattern_of(j, piece), departure);
        struct lpu_port to = lpu_topology_peer(j->topology, chip, way->hop[h].link);
        bool onward = h + 1 < way->hops || group_of(j) > 1;
        what = emit_arrival(j, to, piece, departure, onward, &departure);
        chip = to.chip;
    }
    emit_fan_out(j, chip, what, piece, departure);
}

/* Pieces for the same slices make one item. */
static bool run_routes(struct journey *j)
{
    struct route route;
    struct route_item item[PIECES];
    int32_t items = count_items(j);
    for (int32_t k = 0; k < j->pieces; k++)
        item[k % items].vectors = (k < items ? 0 : item[k % items].vectors) + j->piece[k].vectors;
    if (!route_plan(&j->net, &j->ends, item, items, &route))
        return false;
    for (int32_t k = 0; k < j->pieces; k++) {
        struct piece *piece = &j->piece[k];
        struct route_item *own = &item[k % items];
        piece->way = own->way;
        piece->start = own->departure;
        own->departure += piece->vectors * j->net.slot_cycles;
        run_way(j, &route.way[own->way], piece);
    }
    return true;
}

static void add_piece(struct journey *j, struct piece piece)
{
    if (piece.vectors > 0)
        j->piece[j->pieces++] = piece;
}

static void cut_token(struct journey *j)
{
    int32_t rows = j->t->shape[j->request->phase].rows;
    for (int32_t sub = 0; sub < 4; sub++)
        add_piece(j, (struct piece){.name = "token", .sub = sub, .vectors = rows});
}

/* Rows called h`number` that stand in buffer `from` and are wanted in buffer `to`. */
static void cut_rows(struct journey *j, int32_t number, int32_t from, int32_t to)
{
    const struct shape *s = &j->t->shape[j->request->phase];
    for (int32_t k = 0; k < 2 * SHAPE_QUADS; k++) {
        struct piece piece = {.buffer = {from, to}, .quad = k / 2, .sub = k % 2};
        piece.vectors = shape_tiles_of(s->hidden_tiles, SHAPE_QUADS, piece.quad) * s->rows;
        snprintf(piece.name, sizeof piece.name, "h%d.q%d", number, piece.quad);
        add_piece(j, piece);
    }
}

static void cut_pieces(struct journey *j)
{
    switch (j->request->what) {
    case TRANSFER_TOKEN:
        cut_token(j);
        break;
    case TRANSFER_AFTER_MLP:
        cut_rows(j, 0, 0, 0);
        break;
    case TRANSFER_INSIDE_MLP:
        cut_rows(j, 2, 0, 2);
        cut_rows(j, 1, 1, 1);
        break;
    case TRANSFER_AFTER_ATTENTION:
        cut_rows(j, 1, 1, 1);
        break;
    }
}

bool transfer_build(struct transfer *transfer, const struct templates *templates,
                    const struct lpu_topology *topology, const struct transfer_request *request)
{
    *transfer = (struct transfer){0};
    const struct lpu_chip *chip = templates->shape[0].chip;
    int32_t node = topology->chips_per_node;
    struct journey j = {.transfer = transfer,
                        .t = templates,
                        .topology = topology,
                        .request = request,
                        .net = {.topology = topology,
                                .slot_cycles = machine_link_slot_cycles(chip),
                                .pass_cycles = chip->c2c_hop_cycles + chip->c2c_receive_cycles}};
    bool joined = true;
    j.ends = (struct route_request){
        request->from_first, group_of(&j), request->to_first, group_of(&j), 0, request->straight};
    j.net.links = timetable_create(topology->chips * topology->links, j.net.slot_cycles);
    cut_pieces(&j);
    if (request->from_first / node == request->to_first / node)
        run_direct(&j);
    else
        joined = run_routes(&j);
    timetable_release(j.net.links);
    for (size_t n = 0; n < transfer->parts; n++) {
        struct block *b = &transfer->part[n].block;
        place_group(b, START_MARGIN);
        transfer->length = b->end > transfer->length ? b->end : transfer->length;
    }
    return joined;
}

void transfer_release(struct transfer *transfer)
{
    for (size_t n = 0; n < transfer->parts; n++)
        block_release(&transfer->part[n].block);
    base_free(transfer->part);
    *transfer = (struct transfer){0};
}
