/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the sends, forwards and receives of a transfer, vector by vector as the sender has them.
 *
 * A piece is one byte plane of one tile's rows, or, where that is quicker for many rows, of all
 * tiles of a quad. It departs as soon as it stands in the sender's SRAM, while the sender's last
 * block still runs: everything is placed over what that block has reserved. interconnect/route.h
 * gives every piece a way: from a chip of the sender straight to all receivers where both groups
 * stand in one node, else to a receiver who passes every vector on to its group as it comes: a
 * received vector runs from the link straight back to the links, and through the SXM inward to its
 * own SRAM. */
#include "partition/transfer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "interconnect/route.h"
#include "partition/emit_link.h"
#include "partition/place.h"

enum {
    STREAM_SEND = 24, /* westward, SRAM to links; one a way */
    STREAM_PASS = 12, /* westward, link to links; one a link */
    STREAM_IN = 0,    /* eastward, link to SRAM; one a link */
    LINKS = PROGRAM_QUEUE_RECEIVE - PROGRAM_QUEUE_SEND,
};

struct piece {
    char name[24];     /* of its tensor */
    int32_t buffer[2]; /* where its rows stand at the sender, and at the receiver; token: unused */
    int32_t quad, sub, first, vectors;
    int32_t way; /* that it takes */
};

struct journey {
    struct transfer *transfer;
    const struct templates *t;
    const struct lpu_topology *topology;
    const struct transfer_request *request;
    struct route_net net;
    struct route_request ends;
    struct route route;
    int64_t from_cycles; /* of the sender's last block, which ends in cycle 0 */
    bool whole;          /* pieces have all tiles of a quad */
    int64_t held_up;     /* departure of the latest piece that had to wait for more than links */
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

/* What a chip of the sender runs last, as its rank, or another where only that one is compiled. */
static const struct block *last_block(const struct journey *j, int32_t chip)
{
    const struct stages_unit *u = &j->request->from;
    int32_t rank = chip - j->request->from_first;
    return &j->t->rank[rank < j->t->ranks ? rank : 0]
                .block[template_phase(j->request->phase, u->kind)][u->kind][u->variant];
}

/* A sender's are those of its last block, so far. */
static struct reservations *reservations_of(const struct journey *j, int32_t chip)
{
    struct reservations_under under = {NULL, -j->from_cycles, {0}};
    int32_t link[LINKS], first = j->request->from_first;
    if (!is_sender(j, chip))
        return reservations_create();
    under.below = last_block(j, chip)->busy;
    for (int32_t l = 0; l < LINKS; l++)
        under.peer_of_link[l] = -1;
    for (int32_t peer = 0; peer < group_of(j); peer++)
        if (lpu_topology_direct_links(j->topology, chip, first + peer, link))
            under.peer_of_link[link[0]] = peer;
    return reservations_create_over(&under);
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
    p->block.busy = reservations_of(j, chip);
    emit_op(&p->block, is_token(j) ? "token" : "hidden", false);
    return &p->block;
}

static int32_t find_tensor(const struct block *b, const char *name)
{
    for (size_t n = 0; n < b->code.tensors; n++)
        if (strcmp(b->code.tensor[n].name, name) == 0)
            return (int32_t)n;
    return -1;
}

/* The sender reads `tensor` when its last block has written it. */
static void follow_sender(const struct journey *j, struct block *b, int32_t tensor, int32_t chip)
{
    const struct block *from = last_block(j, chip);
    int32_t written = find_tensor(from, b->code.tensor[tensor].name);
    assert(written >= 0 && "a sender hands on what its last block has");
    const struct tensor_meta *meta = &from->meta[written];
    b->meta[tensor].ready = meta->ready - j->from_cycles;
    if (!meta->row_ready)
        return;
    emit_follow_rows(b, tensor);
    for (int32_t n = 0; n < b->code.tensor[tensor].count; n++)
        b->meta[tensor].row_ready[n] = meta->row_ready[n] - j->from_cycles;
}

static int32_t emit_label(const struct journey *j, struct block *b, const char *name)
{
    int32_t label = emit_transient(b, name, PROGRAM_DTYPE_FP16, is_token(j) ? 4 : 2);
    b->meta[label].layer_step = is_token(j) ? -1 : 0;
    return label;
}

static int32_t emit_token(const struct journey *j, struct block *b)
{
    const struct template_rank *r = &j->t->rank[0];
    const struct program *common = &r->common[0].code;
    const struct program_tensor *token = &common->tensor[r->tables.token];
    return emit_tensor(b,
                       &(struct tensor_spec){.name = "token",
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

/* The tensor that a piece belongs to, as `chip` knows it: a place of its own where it is a sender
 * or a receiver, a mere label where it passes on. */
static int32_t tensor_of(struct journey *j, struct block *b, int32_t chip,
                         const struct piece *piece)
{
    const char buffer[] = {piece->name[0], piece->name[1], '\0'};
    int32_t tensor = find_tensor(b, piece->name);
    if (tensor >= 0)
        return tensor;
    if (!is_sender(j, chip) && !is_receiver(j, chip))
        return emit_label(j, b, piece->name);
    size_t before = b->code.tensors;
    tensor = is_token(j) ? emit_token(j, b)
                         : ops_residual(b, buffer, piece->buffer[is_receiver(j, chip)], 0,
                                        j->t->rank[0].residual[j->request->phase])
                               .tensor[piece->quad];
    for (size_t n = before; n < b->code.tensors && is_sender(j, chip); n++)
        follow_sender(j, b, (int32_t)n, chip);
    return tensor;
}

static struct pattern pattern_of(const struct journey *j, const struct piece *piece)
{
    int32_t slot = (int32_t)machine_link_slot_cycles(j->t->shape[0].chip);
    return emit_pattern(piece->vectors, slot, 1, 0);
}

static struct walk walk_of(const struct piece *piece)
{
    return emit_walk(piece->first, 1, 0);
}

/* From SRAM to the links, departing in cycle 0; returns the operand that sends name. */
static struct program_operand emit_departure(struct journey *j, int32_t chip,
                                             const struct piece *piece)
{
    struct block *b = part_of(j, chip);
    struct lane_group at = {PROGRAM_WEST, STREAM_SEND + piece->way, emit_link_x(b), 0};
    return emit_read(b, tensor_of(j, b, chip, piece), piece->sub, 1, walk_of(piece),
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
        emit_stream(direction, stream, 1, tensor, piece->sub, walk_of(piece));
    struct lane_group from = emit_link_arrive(b, port.link, out, p, departure, out);
    *cycle = from.cycle;
    if (is_receiver(j, port.chip)) {
        if (onward)
            from = emit_turn(b, out, port.link, p, *cycle);
        emit_write(b, tensor, piece->sub, 1, walk_of(piece), p, from);
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

/* On its way, departing in cycle 0 of the open groups of all chips that it comes by. */
static void emit_piece(struct journey *j, const struct piece *piece)
{
    const struct route_way *way = &j->route.way[piece->way];
    int64_t departure = 0;
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

static bool has_open_group(const struct block *b)
{
    return b->group_first < b->code.instructions;
}

/* Cycles by which all chips have to move on, for one of them at the least. */
static int64_t step_of_parts(const struct transfer *x, int64_t shift)
{
    int64_t step = 0;
    for (size_t n = 0; n < x->parts && step == 0; n++)
        if (has_open_group(&x->part[n].block))
            step = place_step(&x->part[n].block, shift);
    return step;
}

/* The earliest departure with which the open groups of all chips fit, and the links are free. */
static int64_t place_piece(struct journey *j, const struct piece *piece)
{
    struct transfer *x = j->transfer;
    struct timetable_leg leg[ROUTE_MOST_LEGS];
    size_t legs = route_legs(&j->net, &j->ends, &j->route.way[piece->way], leg);
    int64_t departure = -j->from_cycles;
    for (size_t n = 0; n < x->parts; n++)
        if (has_open_group(&x->part[n].block))
            place_open(&x->part[n].block);
    for (int64_t step = 1; step > 0; departure += step) {
        departure = timetable_find_way(j->net.links, leg, legs, departure, piece->vectors);
        step = step_of_parts(x, departure);
    }
    for (size_t n = 0; n < x->parts; n++)
        if (has_open_group(&x->part[n].block))
            place_close(&x->part[n].block, departure);
    timetable_book_way(j->net.links, leg, legs, departure, piece->vectors);
    return departure;
}

/* The earliest departure of a piece, as far as the sender's SRAM is concerned. */
static int64_t ready_cycle(const struct journey *j, const struct piece *piece)
{
    const struct block *from = last_block(j, j->request->from_first);
    int32_t tensor = find_tensor(from, piece->name);
    const struct tensor_meta *meta = &from->meta[tensor];
    int32_t slice = from->code.slice[from->code.tensor[tensor].slice + piece->sub];
    int32_t way = program_queue_position(from->chip, slice) - emit_link_x(from);
    int64_t ready = meta->row_ready ? INT64_MIN : meta->ready;
    for (int32_t n = 0; meta->row_ready && n < piece->vectors; n++) {
        int64_t row = meta->row_ready[piece->first + n];
        ready = row > ready ? row : ready;
    }
    return ready + from->chip->mem_read_cycles + way - j->from_cycles;
}

/* By the way on which its last vector arrives first. What holds one piece up at the sender will
 * hold up the next one, too. */
static void send_piece(struct journey *j, struct piece piece)
{
    if (piece.vectors <= 0)
        return;
    int64_t ready = ready_cycle(j, &piece), from = ready > j->held_up ? ready : j->held_up;
    struct route_choice choice = route_choose(&j->net, &j->ends, &j->route, from, piece.vectors);
    piece.way = choice.way;
    emit_piece(j, &piece);
    int64_t departure = place_piece(j, &piece);
    j->held_up = departure > choice.departure ? departure : j->held_up;
}

static void send_token(struct journey *j)
{
    int32_t rows = j->t->shape[j->request->phase].rows;
    for (int32_t sub = 0; sub < 4; sub++)
        send_piece(j, (struct piece){.name = "token", .sub = sub, .vectors = rows});
}

/* Tile rows [first, first + count) of all quads. */
static void send_tile_rows(struct journey *j, struct piece piece, int32_t number, int32_t first,
                           int32_t count)
{
    const struct shape *s = &j->t->shape[j->request->phase];
    for (int32_t k = 0; k < 2 * SHAPE_QUADS; k++) {
        int32_t left = shape_tiles_of(s->hidden_tiles, SHAPE_QUADS, k / 2) - first;
        piece.quad = k / 2, piece.sub = k % 2;
        piece.first = first * s->rows;
        piece.vectors = (left < count ? left : count) * s->rows;
        snprintf(piece.name, sizeof piece.name, "h%d.q%d", number, piece.quad);
        send_piece(j, piece);
    }
}

/* Rows called h`number` that stand in buffer `from` and are wanted in buffer `to`. */
static void send_rows(struct journey *j, int32_t number, int32_t from, int32_t to)
{
    const struct shape *s = &j->t->shape[j->request->phase];
    int32_t tile_rows = shape_tile_rows(s->hidden_tiles, SHAPE_QUADS);
    int32_t count = j->whole ? tile_rows : 1;
    for (int32_t first = 0; first < tile_rows; first += count)
        send_tile_rows(j, (struct piece){.buffer = {from, to}}, number, first, count);
}

static void send_all(struct journey *j)
{
    switch (j->request->what) {
    case TRANSFER_TOKEN:
        send_token(j);
        break;
    case TRANSFER_AFTER_MLP:
        send_rows(j, 0, 0, 0);
        break;
    case TRANSFER_INSIDE_MLP:
        send_rows(j, 1, 1, 1);
        send_rows(j, 2, 0, 2);
        break;
    case TRANSFER_AFTER_ATTENTION:
        send_rows(j, 1, 1, 1);
        break;
    }
}

static struct route_net net_of(const struct lpu_topology *topology, const struct lpu_chip *chip)
{
    return (struct route_net){.topology = topology,
                              .slot_cycles = machine_link_slot_cycles(chip),
                              .pass_cycles = chip->c2c_hop_cycles + chip->c2c_receive_cycles};
}

static void build(struct journey *j, struct transfer *transfer, bool whole)
{
    *transfer = (struct transfer){0};
    j->transfer = transfer;
    j->whole = whole;
    j->held_up = -j->from_cycles;
    j->net.links = timetable_create(j->topology->chips * j->topology->links, j->net.slot_cycles);
    send_all(j);
    timetable_release(j->net.links);
    for (size_t n = 0; n < transfer->parts; n++) {
        int64_t end = transfer->part[n].block.end;
        transfer->length = end > transfer->length ? end : transfer->length;
    }
}

/* Few large pieces have ways of their own, many small ones leave early. */
static void keep_shorter(struct journey *j, struct transfer *transfer)
{
    struct transfer other;
    build(j, &other, true);
    struct transfer longer = other.length < transfer->length ? *transfer : other;
    *transfer = other.length < transfer->length ? other : *transfer;
    transfer_release(&longer);
}

bool transfer_build(struct transfer *transfer, const struct templates *templates,
                    const struct lpu_topology *topology, const struct transfer_request *request)
{
    struct journey j = {.t = templates,
                        .topology = topology,
                        .request = request,
                        .net = net_of(topology, templates->shape[0].chip)};
    *transfer = (struct transfer){0};
    j.ends = (struct route_request){request->from_first, group_of(&j), request->to_first,
                                    group_of(&j), request->straight};
    j.from_cycles = stages_unit_length(templates, request->phase, request->from);
    j.route = route_find(&j.net, &j.ends);
    if (!j.route.ways)
        return false;
    build(&j, transfer, false);
    if (!is_token(&j) && templates->shape[request->phase].rows > 1)
        keep_shorter(&j, transfer);
    return true;
}

void transfer_release(struct transfer *transfer)
{
    for (size_t n = 0; n < transfer->parts; n++)
        block_release(&transfer->part[n].block);
    base_free(transfer->part);
    *transfer = (struct transfer){0};
}
