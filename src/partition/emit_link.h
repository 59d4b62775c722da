/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends and receives on the links of a chip, as instructions of an open group. */
#ifndef PARTITION_EMIT_LINK_H
#define PARTITION_EMIT_LINK_H

#include "partition/emit.h"

/* Position of all links. */
int32_t emit_link_x(const struct block *b);

/* `what`, which passes the links, departs on `link`; its first vector in cycle `departure`. */
void emit_link_send(struct block *b, int32_t link, struct program_operand what, struct pattern p,
                    int64_t departure);

/* What the far end of `link` sends in `departure`, and calls `sent`, onto the stream that `out`
 * names. Returns where it stands when. */
struct lane_group emit_link_arrive(struct block *b, int32_t link, struct program_operand sent,
                                   struct pattern p, int64_t departure, struct program_operand out);

/* Where received vectors go: an eastward stream, then plane `sub` of a tensor. */
struct link_target {
    int32_t stream, tensor, sub;
    struct walk walk;
};

/* What the far end of `link` sends in `departure`, and calls `sent`, into `to`. */
void emit_link_receive(struct block *b, int32_t link, struct program_operand sent, struct pattern p,
                       int64_t departure, struct link_target to);

#endif
