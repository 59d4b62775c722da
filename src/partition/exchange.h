/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of fp16 numbers between chips that are joined by links, and their sums: the groups that
 * collectives and distributed products are made of.
 *
 * A port is a link of this chip that takes part. Everything is told apart by port, never by rank,
 * so that all chips of a group compile to the same cycles: what one sends in a cycle the other
 * receives a hop later. A link carries one vector a slot; the two planes of n rows follow each
 * other, n slots each. */
#ifndef PARTITION_EXCHANGE_H
#define PARTITION_EXCHANGE_H

#include "partition/emit.h"

enum { EXCHANGE_PORTS = 7, EXCHANGE_OWN = EXCHANGE_PORTS, EXCHANGE_PLACES = EXCHANGE_PORTS + 1 };

struct exchange {
    struct block *b;
    int32_t ports;
    int32_t link[EXCHANGE_PORTS]; /* of each port */
    int64_t free_cycle;           /* departures of the next group begin here or later */
};

/* Over the links to the other chips of a node of which `group` take part. */
struct exchange exchange_in_node(struct block *b, int32_t group);

/* `rows` rows of `tensor` from `first` on. */
struct exchange_rows {
    int32_t tensor, first, rows;
};

/* Slices of an exchange: plane `sub` of what stands at place 0..7 (ports, and EXCHANGE_OWN).
 * Sources and results lie in the east, what is received to be added in the west, where even and odd
 * turns have sets of their own; what is passed on lies beside the links, turns 0 to 3. */
int32_t exchange_source_slice(const struct block *b, int32_t place, int32_t sub);
int32_t exchange_result_slice(const struct block *b, int32_t place, int32_t sub);
int32_t exchange_received_slice(const struct block *b, int32_t turn, int32_t port, int32_t sub);
int32_t exchange_sum_slice(const struct block *b, int32_t turn, int32_t sub);

/* An fp16 tensor of `count` rows whose planes stand in two slices. */
int32_t exchange_tensor(struct block *b, enum program_tensor_kind kind, const char *name,
                        int32_t low, int32_t high, int32_t count);

/* Every port sends rows of its own, `to[port]`, and receives as many into `into[port]`, whose
 * sender calls them `as`. One group, placed not before `earliest`; returns its shift. Departures
 * begin at the shift. */
int64_t exchange_scatter(struct exchange *e, const struct exchange_rows *to,
                         struct exchange_rows as, const struct exchange_rows *into,
                         int64_t earliest);

/* All ports send the same rows, which the others call the same, and receive into `into[port]`. */
int64_t exchange_share(struct exchange *e, struct exchange_rows what,
                       const struct exchange_rows *into, int64_t earliest);

/* Terms that stand at the VXM in cycle 0, added neighbour by neighbour in ALUs from `unit` on, as
 * many as terms or one less; the last one drives `out`. Returns the cycle in which it does. */
int64_t exchange_add(struct block *b, int32_t unit, struct program_operand *term, int32_t terms,
                     struct pattern p, const struct program_operand *out, int32_t outputs);

/* The sum of `terms` row ranges, ports first and this chip's own last, into `near` beside the links
 * and into `far` in the east; a tensor < 0 is left out. One group. */
int64_t exchange_sum(const struct exchange *e, const struct exchange_rows *term, int32_t terms,
                     struct exchange_rows near, struct exchange_rows far, int64_t earliest);

#endif
