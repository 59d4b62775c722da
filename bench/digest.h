/* SPDX-License-Identifier: BSD-3-Clause */
/* A checksum of events that depends on their order. */
#ifndef BENCH_DIGEST_H
#define BENCH_DIGEST_H

#include <stdint.h>

/* The digest after one more event. */
static inline uint64_t digest_event(uint64_t digest, int64_t time_ps, uint64_t key)
{
    uint64_t mixed = (digest ^ (uint64_t)time_ps) * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 29 ^ key) * UINT64_C(0xBF58476D1CE4E5B9);
    return mixed ^ mixed >> 32;
}

#endif
