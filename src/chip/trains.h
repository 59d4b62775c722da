/* SPDX-License-Identifier: BSD-3-Clause */
/* Trains: vectors of one instruction on one stream, as grids of phases with linear identities.
 *
 * What can be said of a train as a whole is said by arithmetic on its grid. For all else it is cut
 * into pieces, the runs of its instruction: at most 64 equally spaced vectors, one bit each. */
#ifndef CHIP_TRAINS_H
#define CHIP_TRAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/comb.h"
#include "chip/grid.h"

struct executor_step;

/* The vector of member (i, o) is (tensor, sub, index + i * stride[0] + o * stride[1]) of a step.
 * Runs are along level 0. */
struct train {
    struct grid phases;
    int64_t last;   /* phase */
    int32_t tensor; /* 0: zero vectors; -1: without identity */
    int32_t index, stride[2];
    const struct executor_step *of;
    uint32_t instruction;
    int16_t x;
    uint8_t sub;
    bool optional;  /* nobody has to sample it */
    bool whole;     /* all members were sampled */
    uint64_t bits;  /* members sampled, of the only piece */
    uint64_t *word; /* or of each of several; owned, NULL: none */
};

struct trains {
    struct train *at;
    size_t count, capacity;
};

void trains_append(struct trains *trains, const struct train *train);
void trains_release(struct trains *trains);

/* Pieces, in the order of runs. */
int32_t train_pieces(const struct train *t);

/* A piece as a train of its own, of which level 0 alone repeats: `t` itself or what `room` has
 * then. Whether it was sampled is to be asked of `t`. */
const struct train *train_piece(const struct train *t, int32_t piece, struct train *room);

/* Pieces [from, to) may have phases between `first` and `last`. */
struct train_range {
    int32_t from, to;
};
struct train_range train_pieces_between(const struct train *t, int64_t first, int64_t last);

static inline struct comb train_comb(const struct train *piece)
{
    return (struct comb){piece->phases.start, piece->phases.step[0], piece->phases.count[0]};
}

static inline int64_t train_phase(const struct train *piece, int32_t k)
{
    return piece->phases.start + (int64_t)k * piece->phases.step[0];
}

static inline bool train_is_apart(const struct train *a, const struct train *b)
{
    return a->last < b->phases.start || b->last < a->phases.start;
}

/* Members first, first + step, ... as bits. */
uint64_t train_members(int32_t first, int32_t step, int32_t count);

/* The members of a piece that were sampled, to be read or added to. */
uint64_t train_sampled(const struct train *t, int32_t piece);
void train_sample(struct train *t, int32_t piece, uint64_t members);

/* Marks what a sample met of a driven train, as b of the meeting. */
void train_sample_meeting(struct train *driven, const struct grid_meeting *m);

/* Whether member j of a driven piece is what member i of a sampled one expects. */
bool train_carries(const struct train *sampled, int32_t i, const struct train *driven, int32_t j);

/* The same of all that meet: of two pieces, or of two trains. */
bool train_carries_comb(const struct train *sampled, const struct train *driven,
                        struct comb_meeting m);
bool train_carries_grid(const struct train *sampled, const struct train *driven,
                        const struct grid_meeting *m);

#endif
