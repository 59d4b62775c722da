/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits the instructions of the link queues. */
#include "partition/emit_link.h"

int32_t emit_link_x(const struct block *b)
{
    return program_queue_position(b->chip, PROGRAM_QUEUE_SEND);
}

static struct program_instruction on_link(enum program_opcode opcode, int32_t queue,
                                          struct pattern p, int64_t cycle)
{
    return (struct program_instruction){.cycle = cycle,
                                        .queue = (uint8_t)queue,
                                        .opcode = (uint8_t)opcode,
                                        .count = {p.n[0], p.n[1]},
                                        .interval = {p.d[0], p.d[1]}};
}

void emit_link_send(struct block *b, int32_t link, struct program_operand what, struct pattern p,
                    int64_t departure)
{
    emit(b,
         on_link(PROGRAM_C2C_SEND, PROGRAM_QUEUE_SEND + link, p,
                 departure - b->chip->c2c_send_skew_cycles),
         &what, 1, NULL, 0);
}

struct lane_group emit_link_arrive(struct block *b, int32_t link, struct program_operand sent,
                                   struct pattern p, int64_t departure, struct program_operand out)
{
    struct lane_group at = {out.direction, out.stream, emit_link_x(b),
                            departure + b->chip->c2c_hop_cycles};
    struct program_operand both[2] = {out, sent};
    both[1].kind = PROGRAM_EXPECT;
    emit(b, on_link(PROGRAM_C2C_RECEIVE, PROGRAM_QUEUE_RECEIVE + link, p, at.cycle), NULL, 0, both,
         2);
    at.cycle += b->chip->c2c_receive_cycles;
    return at;
}

void emit_link_receive(struct block *b, int32_t link, struct program_operand sent, struct pattern p,
                       int64_t departure, struct link_target to)
{
    struct program_operand out =
        emit_stream(PROGRAM_EAST, to.stream, 1, to.tensor, to.sub, to.walk);
    struct lane_group from = emit_link_arrive(b, link, sent, p, departure, out);
    emit_write(b, to.tensor, to.sub, 1, to.walk, p, from);
}
