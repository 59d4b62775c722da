/* SPDX-License-Identifier: BSD-3-Clause */
/* The initiation interval of a plan: how soon the next step may begin while others are under way.
 */
#ifndef PARTITION_INTERVAL_H
#define PARTITION_INTERVAL_H

#include "partition/distances.h"
#include "partition/partition.h"

enum { INTERVAL_NAME_BYTES = 24 };

/* An op, or a tensor that is kept, and its layer. */
struct interval_user {
    char name[INTERVAL_NAME_BYTES];
    int32_t layer;
};

/* What determines the interval: with one cycle less, `second` of a later decode step would meet
 * `first` of an earlier one, both of the largest bucket, at `thing` of `chip`. */
struct interval_found {
    int64_t cycles[PARTITION_PHASES]; /* P: steps of one kind may begin every so many cycles; 0:
                                         there is no such phase */
    int64_t mixed_cycles;   /* the same of decode steps of whatever buckets, in any order */
    int64_t busiest_cycles; /* the busiest queue or plane of any chip: no P of decode is less */
    int32_t chip;
    char thing[INTERVAL_NAME_BYTES];
    struct interval_user first, second;
    int32_t prefill_starts[PARTITION_PHASES]; /* starts of decode steps, P apart, that a prefill
                                                 pass alone forbids, by their kind */
};

struct interval; /* opaque: distances for each pair of phases, and what they come to */

/* Looks at the programs of chips [0, chips) of a plan. */
struct interval *interval_create(const struct plan *plan, const struct lpu_chip *machine,
                                 int32_t chips);
void interval_release(struct interval *interval);

struct interval_found interval_of(const struct interval *interval);
const struct distances *interval_distances(const struct interval *interval);

#endif
