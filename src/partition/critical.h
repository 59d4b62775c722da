/* SPDX-License-Identifier: BSD-3-Clause */
/* Who waits for whom: the chain of instructions from the start of a compiled block to its end, and
 * how long what arrives over links lies unused. */
#ifndef PARTITION_CRITICAL_H
#define PARTITION_CRITICAL_H

#include "partition/partition.h"

enum critical_unit {
    CRITICAL_SRAM, /* reads and writes, with the ways of their vectors */
    CRITICAL_VXM,
    CRITICAL_SXM,
    CRITICAL_MXM,
    CRITICAL_LINKS,
    CRITICAL_TRAIN, /* earlier vectors on the same queue */
    CRITICAL_WAIT,  /* nothing: the instruction could have been issued earlier */
    CRITICAL_UNITS
};

const char *critical_unit_name(enum critical_unit unit);

/* A piece of the chain: `instructions` neighbours of one op on one kind of unit. */
struct critical_part {
    char op[24];
    enum critical_unit unit;
    int32_t instructions;
    int64_t cycles;
};

/* Parts in order of time; their cycles add up to the block. Release with critical_release. */
struct critical_path {
    struct critical_part *part;
    size_t parts, capacity;
    int64_t cycles; /* of the block on that chip */
};

/* Of the shortest variant of a block, on the first chip of a group. */
void critical_block(const struct plan *plan, enum partition_phase phase, enum partition_block kind,
                    struct critical_path *path);
void critical_release(struct critical_path *path);

/* Of all moves between stages together, and of the token's way back: one part a kind of unit. */
void critical_moves(const struct plan *plan, enum partition_phase phase,
                    struct critical_path *path);

/* How many cycles later transfers into the chip could arrive without moving anything, over all
 * vectors that an op receives and that are read in the block: none where transfers is 0. */
struct critical_slack {
    char op[24];
    int64_t transfers, least, median;
};

/* Ops that receive, at most `most`; returns how many. */
int32_t critical_slacks(const struct plan *plan, enum partition_phase phase,
                        enum partition_block kind, struct critical_slack *slack, int32_t most);

/* The same of rows that move between stages, into the first chip of each. */
struct critical_slack critical_move_slack(const struct plan *plan, enum partition_phase phase);

#endif
