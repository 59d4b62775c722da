/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams: trains of vectors that units drive and sample, matched in phase space (rules 2, 3).
 *
 * A vector driven at x in cycle c keeps its phase c - x (eastward) or c + x (westward), so a train
 * is a comb of phases from one position. A sample takes the nearest train upstream that has its
 * phase. A sample that needs a farther one proves that two trains were at one place. ALU results
 * are lanes of their own, of phase c, that have no identity. Lanes are settled as time passes: once
 * no later instruction can drive or sample a phase, everything there must have found its match. */
#ifndef CHIP_STREAMS_H
#define CHIP_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chip;
struct executor_step;
struct run;
struct program_operand;

/* At most 64 vectors; that of member k is (tensor, sub, index + k * stride) of a step. */
struct train {
    int64_t first, last; /* phases */
    int32_t step, count;
    int32_t tensor; /* 0: zero vectors; -1: without identity */
    int32_t index, stride;
    const struct executor_step *of;
    uint32_t instruction;
    int16_t x;
    uint8_t sub;
    bool optional;    /* nobody has to sample it */
    uint64_t sampled; /* members that somebody did */
};

struct trains {
    struct train *at;
    size_t count, capacity;
};

struct lane {
    struct trains driven, sampled;
    size_t limit; /* settle when there are more */
};

struct streams {
    struct lane *lane; /* eastward, westward, ALUs */
    int32_t lanes, per_direction;
    uint32_t *near; /* scratch: driven trains upstream of a sample, nearest first */
    size_t near_count, near_capacity;
};

void streams_create(struct chip *chip);
void streams_release(struct streams *streams);

/* The inputs that a run samples and the results that it drives. */
void streams_execute(struct chip *chip, const struct run *run);

/* Settles what nothing issued from `now` on can reach; INT64_MAX: everything. */
void streams_settle(struct chip *chip, int64_t now);

#endif
