/* SPDX-License-Identifier: BSD-3-Clause */
/* The initiation interval of a plan: how soon the next step may begin while others are under way.
 */
#ifndef PARTITION_INTERVAL_H
#define PARTITION_INTERVAL_H

#include "partition/partition.h"

enum { INTERVAL_NAME_BYTES = 24 };

/* An op, or a tensor that is kept, and its layer. */
struct interval_user {
    char name[INTERVAL_NAME_BYTES];
    int32_t layer;
};

/* What determines the interval: with one cycle less, `second` of a later step would meet `first` of
 * an earlier one at `thing` of `chip`. */
struct interval_found {
    int64_t cycles;         /* P: decode steps may begin every so many cycles */
    int64_t busiest_cycles; /* the busiest queue or plane of any chip: no P is less */
    int32_t chip;
    char thing[INTERVAL_NAME_BYTES];
    struct interval_user first, second;
    int64_t prefill_cycles; /* prefill passes may begin every so many cycles */
    int32_t prefill_starts; /* starts of decode steps at the interval that a pass alone forbids */
};

struct interval_table; /* opaque: distances that are forbidden, for each pair of phases */

/* Looks at the programs of chips [0, chips) of a plan. */
struct interval_table *interval_create(const struct plan *plan, const struct lpu_chip *machine,
                                       int32_t chips);
void interval_release(struct interval_table *table);

struct interval_found interval_of(const struct interval_table *table);

/* Whether a step of phase `second` may begin `distance` >= 0 cycles after one of phase `first`. */
bool interval_allows(const struct interval_table *table, enum partition_phase first,
                     enum partition_phase second, int64_t distance);

#endif
