/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams: trains of vectors that units drive and sample, matched in phase space (rules 2, 3).
 *
 * A vector driven at x in cycle c keeps its phase c - x (eastward) or c + x (westward), so a train
 * is a grid of phases from one position. A sample takes the nearest train upstream that has its
 * phase. A sample that needs a farther one proves that two trains were at one place. ALU results
 * are lanes of their own, of phase c, that have no identity. Lanes are settled as time passes: once
 * no later instruction can drive or sample a phase, everything there must have found its match. */
#ifndef CHIP_STREAMS_H
#define CHIP_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "chip/trains.h"

struct chip;
struct run;

struct lane {
    struct trains driven, sampled;
    size_t limit; /* settle when there are more */
};

/* A piece of a driven train of a lane. */
struct near_piece {
    uint32_t train;
    int32_t piece;
};

struct streams {
    struct lane *lane; /* eastward, westward, ALUs */
    int32_t lanes, per_direction;
    struct near_piece *near; /* scratch: what is driven upstream of a sample, nearest first */
    size_t near_count, near_capacity;
};

void streams_create(struct chip *chip);
void streams_release(struct streams *streams);

/* The inputs that an instruction samples and the results that it drives, given its first run. */
void streams_execute(struct chip *chip, const struct run *run);

/* Settles what nothing issued from `now` on can reach; INT64_MAX: everything. */
void streams_settle(struct chip *chip, int64_t now);

#endif
