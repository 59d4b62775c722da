/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers for property tests, the same in every run. */
#ifndef TESTS_CHIP_DRAW_H
#define TESTS_CHIP_DRAW_H

#include <stdint.h>

/* splitmix64; any state is a seed. */
static inline uint64_t draw_bits(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* One of low, ..., high. */
static inline int32_t draw_between(uint64_t *state, int32_t low, int32_t high)
{
    return low + (int32_t)(draw_bits(state) % (uint64_t)((int64_t)high - low + 1));
}

/* A multiple of 1/64 between -limit and limit, which fp16 holds exactly up to a limit of 16. */
static inline float draw_real(uint64_t *state, int32_t limit)
{
    return (float)draw_between(state, -64 * limit, 64 * limit) / 64.0f;
}

#endif
