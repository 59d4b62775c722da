/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic progressions and where two of them meet, without visiting their members. */
#ifndef CHIP_COMB_H
#define CHIP_COMB_H

#include <stdint.h>

/* start + k * step, 0 <= k < count. step >= 1 where count > 1; magnitudes below 2^40, steps below
 * 2^31. */
struct comb {
    int64_t start, step;
    int32_t count;
};

/* Member a + k * a_step of the one is member b + k * b_step of the other, 0 <= k < count. */
struct comb_meeting {
    int32_t count;
    int32_t a, a_step, b, b_step;
};

struct comb_meeting comb_meet(struct comb a, struct comb b);

static inline int64_t comb_last(struct comb c)
{
    return c.start + (c.count - 1) * c.step;
}

#endif
