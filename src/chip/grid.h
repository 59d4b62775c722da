/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers that progress on two levels, and where two such grids meet, by a few divisions. */
#ifndef CHIP_GRID_H
#define CHIP_GRID_H

#include <stdbool.h>
#include <stdint.h>

/* start + i * step[0] + o * step[1], 0 <= i < count[0], 0 <= o < count[1]; no number twice. The
 * step of a level that does not repeat says nothing. Steps >= 1, magnitudes below 2^40. */
struct grid {
    int64_t start;
    int32_t step[2], count[2];
};

/* Members (a[0] + k, a[1] + l) of the one are members (b[0] + k, b[1] + l) of the other, or
 * (b[0] + l, b[1] + k) where levels are `crossed`; 0 <= k < count[0], 0 <= l < count[1]. */
struct grid_meeting {
    bool crossed;
    int32_t count[2], a[2], b[2];
};

/* Whether `meeting` says all about where they meet (its counts are 0: nowhere). False: they meet in
 * no such rectangle, or nobody has looked whether they do. */
bool grid_meet(const struct grid *a, const struct grid *b, struct grid_meeting *meeting);

#endif
