/* SPDX-License-Identifier: BSD-3-Clause */
/* A walk back through the instructions of a block: what critical paths and slacks have in common.
 */
#ifndef PARTITION_CRITICAL_CHASE_H
#define PARTITION_CRITICAL_CHASE_H

#include "partition/critical.h"
#include "partition/emit.h"

enum { NOBODY = -1, LONGEST_CHAIN = 10000 };

/* One repeat of an instruction. */
struct event {
    int32_t instruction; /* NOBODY: the start of the block */
    int64_t cycle;       /* of its issue */
};

struct chase {
    const struct block *b;
    int64_t *slack; /* of each instruction: cycles that the read behind it waited; UNKNOWN */
    struct critical_path *path;
};

const struct program_instruction *critical_instruction(const struct chase *c, int32_t n);
enum critical_unit critical_unit_of(const struct program_instruction *i);

/* What a MEM instruction reads or writes. */
const struct program_operand *critical_held(const struct chase *c,
                                            const struct program_instruction *i);

/* Whether the instruction issues a repeat in `cycle`, one that drives a result where `drives`. */
bool critical_issues_in(const struct program_instruction *i, int64_t cycle, bool drives);

/* Who made input k of an instruction's repeat. */
struct event critical_producer(const struct chase *c, struct event at, int32_t k);

/* The last repeat on the same queue before an instruction. */
struct event critical_queue_before(const struct chase *c, struct event at);

/* The instruction with the last result in cycle `end` of the block. */
struct event critical_last_event(const struct chase *c, int64_t end);

/* A piece of the path, before those that it has. */
void critical_add(struct chase *c, int32_t n, enum critical_unit unit, int64_t cycles);

const struct block *critical_shortest_block(const struct plan *plan, enum partition_phase phase,
                                            enum partition_block kind);

#endif
