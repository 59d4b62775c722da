/* SPDX-License-Identifier: BSD-3-Clause */
/* All instructions of a program by time, each of which can be cut into runs of at most 64 equally
 * spaced repeats. */
#ifndef CHIP_ORDER_H
#define CHIP_ORDER_H

#include <stdbool.h>

#include "base/program.h"

enum { ORDER_RUN_REPEATS = 64 };

struct executor_step;

/* Repeats (first + k, outer) of an instruction where level is 0, (0, first + k) where it is 1. */
struct run {
    struct executor_step *of; /* set by who executes it; NULL before */
    const struct program_instruction *instruction;
    uint32_t number;
    int64_t cycle; /* issue of the first, from the start of the step; on the chip's clock where `of`
                      is set */
    int32_t step;  /* cycles between two, >= 1 */
    int32_t count;
    int32_t level, outer, first;
    uint32_t piece; /* 0 for the first run of its instruction, and so on */
};

/* Numbers of instructions by issue cycle, then queue. */
struct order {
    uint32_t *instruction;
    size_t count;
};

struct order order_create(const struct program *program);
void order_release(struct order *order);

/* Runs of an instruction. */
uint32_t order_pieces(const struct program_instruction *i);

/* The first run of an instruction. */
struct run order_run(const struct program *program, uint32_t instruction);

/* Another run of the same instruction in the same step. */
struct run order_piece(const struct run *run, uint32_t piece);

/* Goes on to the next run of the instruction; false where there is none. */
static inline bool order_next(struct run *run)
{
    const struct program_instruction *i = run->instruction;
    if (i->count[0] * i->count[1] == run->count || run->piece + 1 == order_pieces(i))
        return false;
    *run = order_piece(run, run->piece + 1);
    return true;
}

/* Whether each run ends before the next one of its instruction begins. */
static inline bool order_is_in_turn(const struct program_instruction *i)
{
    return i->count[0] == 1 || i->count[1] == 1 ||
           i->interval[1] > (int64_t)(i->count[0] - 1) * i->interval[0];
}

/* Inner and outer repeat of member k. */
static inline int32_t run_inner(const struct run *r, int32_t k)
{
    return r->level == 0 ? r->first + k : 0;
}

static inline int32_t run_outer(const struct run *r, int32_t k)
{
    return r->level == 0 ? r->outer : r->first + k;
}

/* base + i * stride[0] + o * stride[1] at member k. */
static inline int64_t run_value(const struct run *r, int64_t base, const int32_t stride[2],
                                int32_t k)
{
    return base + (int64_t)run_inner(r, k) * stride[0] + (int64_t)run_outer(r, k) * stride[1];
}

/* Issue cycle of the last repeat, from the start of the step. */
static inline int64_t order_last_issue(const struct program_instruction *i)
{
    return i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0] +
           (int64_t)(i->count[1] - 1) * i->interval[1];
}

#endif
