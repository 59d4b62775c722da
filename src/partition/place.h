/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the earliest cycle at which a rigid group of instructions collides with nothing placed
 * before. */
#ifndef PARTITION_PLACE_H
#define PARTITION_PLACE_H

#include "partition/emit.h"

struct reservations *reservations_create(void);

/* A block that runs while something else is placed: its cycle 0 is cycle `offset` of the other. Its
 * link queues name peers, those of the other links: peer_of_link[l] < 0 where it does not use link
 * l. */
struct reservations_under {
    const struct reservations *below; /* NULL: none; outlives what is placed over it */
    int64_t offset;
    int32_t peer_of_link[PROGRAM_QUEUE_RECEIVE - PROGRAM_QUEUE_SEND];
};
struct reservations *reservations_create_over(const struct reservations_under *under);
void reservations_release(struct reservations *r);

/* Closes the open group: shifts it to the earliest start >= earliest at which queues, MXM planes
 * and streams are free and every tensor it reads is ready; reserves what it uses; updates
 * readiness, residency windows and the block's end. Returns the shift. */
int64_t place_group(struct block *b, int64_t earliest);

/* The same in pieces, for groups of several chips that have to start together. place_open works out
 * what the open group needs; place_step returns by how many cycles a shift has to grow at the least
 * (0: the group fits); place_close places it there. */
void place_open(struct block *b);
int64_t place_step(struct block *b, int64_t shift);
void place_close(struct block *b, int64_t shift);

/* Issue to result on the stream register (or to nothing, for sinks); issue to operand sampled. */
int32_t place_delay(const struct lpu_chip *chip, const struct program_instruction *i);
int32_t place_skew(const struct lpu_chip *chip, const struct program_instruction *i);

#endif
