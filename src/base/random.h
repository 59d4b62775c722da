/* SPDX-License-Identifier: BSD-3-Clause */
/* Random numbers as a pure function of (seed, purpose, entity, index): Philox4x32-10 of Random123.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* Why a number is drawn. Each purpose is an independent stream; add at the end, never renumber. */
enum base_random_purpose {
    BASE_RANDOM_LAUNCH = 1,    /* host launch time */
    BASE_RANDOM_KERNEL = 2,    /* kernel and block duration */
    BASE_RANDOM_LINK = 3,      /* link arbitration and service */
    BASE_RANDOM_STRAGGLER = 4, /* a GPU that is slower than its siblings */
    BASE_RANDOM_NEIGHBOUR = 5, /* arrivals of other tenants' traffic */
    BASE_RANDOM_HOST = 6,      /* engine overhead of a step */
    BASE_RANDOM_ARRIVAL = 7,   /* request arrivals */
    BASE_RANDOM_TOKEN = 8,     /* token ids where no values choose them */
    BASE_RANDOM_EXPERT = 9,    /* experts of a token where no values choose them */
    BASE_RANDOM_PLAY = 10,     /* synthetic loads of benchmarks and tests */
    BASE_RANDOM_EAGER = 11,    /* framework's share of an eager op */
    BASE_RANDOM_SPREAD = 12,   /* speed of a GPU among those of its model */
    BASE_RANDOM_CACHE = 13,    /* hits and misses in L2 */
    BASE_RANDOM_TENANT = 14,   /* runs and pauses of another tenant's kernels */
    BASE_RANDOM_RUN = 15,      /* what is the same for a whole run */
    BASE_RANDOM_BURST = 16,    /* times on and off of a source of requests */
    BASE_RANDOM_LENGTH = 17,   /* tokens of a request */
    BASE_RANDOM_BATCH = 18,    /* an iteration of a serving engine, and what stands for it */
    BASE_RANDOM_ROLLOUT = 19,  /* which requests go to a canary */
};

/* 64 random bits. */
uint64_t base_random_u64(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                         uint64_t index);

/* A whole block: two of 64 random bits; the first is what base_random_u64 gives. */
struct base_random_pair {
    uint64_t bits[2];
};
struct base_random_pair base_random_pair(uint64_t seed, enum base_random_purpose purpose,
                                         uint64_t entity, uint64_t index);

/* Uniform in (0, 1): never 0, never 1. */
double base_random_uniform(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                           uint64_t index);

/* Standard normal, by Box-Muller from the two halves of one Philox block. */
double base_random_normal(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                          uint64_t index);

/* Exponential with mean 1. */
double base_random_exponential(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                               uint64_t index);

#endif
