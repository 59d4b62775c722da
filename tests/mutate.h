/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers for tests that change fields at random, the same in every run. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stdint.h>

/* One of 0, ..., n - 1; any state is a seed. */
static inline uint64_t mutate_draw(uint64_t *state, uint64_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % n;
}

/* One of the numbers that break programs. */
static inline int64_t mutate_evil(uint64_t *state)
{
    static const int64_t evil[] = {0,         -1,        1,       INT32_MAX, INT32_MIN, 255,
                                   INT64_MAX, INT64_MIN, 1 << 20, 1 << 30,   8191,      64};
    return evil[mutate_draw(state, sizeof evil / sizeof evil[0])];
}

/* The value with one of its low bits turned. */
static inline int64_t mutate_bit(uint64_t *state, int64_t value, uint64_t bits)
{
    return (int64_t)((uint64_t)value ^ (UINT64_C(1) << mutate_draw(state, bits)));
}

/* A number at most three away. */
static inline int64_t mutate_near(uint64_t *state, int64_t value)
{
    uint64_t up = mutate_draw(state, 2);
    return (int64_t)((uint64_t)value + (up ? 1 + mutate_draw(state, 3) : (uint64_t)-1));
}

#endif
