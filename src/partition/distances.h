/* SPDX-License-Identifier: BSD-3-Clause */
/* Which distances steps may begin apart: a compiler's promise, kept as ranges that are forbidden.
 */
#ifndef PARTITION_DISTANCES_H
#define PARTITION_DISTANCES_H

#include "partition/partition.h"

/* No step of phase `second` may begin d cycles after one of phase `first`, for from <= d < to. */
struct distances_range {
    uint8_t first, second; /* enum partition_phase */
    int64_t from, to;
};

struct distances; /* opaque: for each pair of phases, in order */

/* Whether ranges are those of phases, of cycles from 0 on, sorted by phases and apart. */
bool distances_are_valid(const struct distances_range *range, size_t count);

/* Ranges are valid; they are copied. */
struct distances *distances_create(const struct distances_range *range, size_t count);
void distances_release(struct distances *distances);

const struct distances_range *distances_ranges(const struct distances *distances, size_t *count);

/* Whether a step of phase `second` may begin `cycles` >= 0 after one of phase `first`. */
bool distances_allow(const struct distances *distances, enum partition_phase first,
                     enum partition_phase second, int64_t cycles);

/* The least distance from `cycles` >= 0 on that is allowed. */
int64_t distances_next(const struct distances *distances, enum partition_phase first,
                       enum partition_phase second, int64_t cycles);

/* The greatest distance from `cycles` >= 0 down that is allowed; -1: none. */
int64_t distances_before(const struct distances *distances, enum partition_phase first,
                         enum partition_phase second, int64_t cycles);

/* Whether all multiples of `interval` > 0 are allowed. */
bool distances_allow_train(const struct distances *distances, enum partition_phase first,
                           enum partition_phase second, int64_t interval);

#endif
