/* SPDX-License-Identifier: BSD-3-Clause */
/* Machines and requests drawn by key, small enough that a run takes milliseconds. */
#ifndef TESTS_SERVE_DRAWN_H
#define TESTS_SERVE_DRAWN_H

#include "serve/machine.h"
#include "serve/requests.h"

enum { DRAWN_RANGES = 4 * SERVE_KINDS * SERVE_KINDS, DRAWN_TENANTS = 3 };

struct drawn {
    uint64_t entity, next; /* of the draws */
    struct lpu_chip chip;
    struct serve_apart apart[DRAWN_RANGES];
    struct serve_machine machine;
};

/* One of 0 to `count` - 1. */
int32_t drawn_below(struct drawn *d, int32_t count);

/* Up to three buckets, four seats of three lanes, prefill passes or none, and any distances
 * forbidden that are shorter than the first of the two steps. 1 GHz: a cycle is 1,000 ps. */
void drawn_machine(struct drawn *d, uint64_t entity);

/* Requests sorted by arrival, some at one moment, one in 16 too long for the machine; the caller
 * frees them with base_free. */
struct serve_request *drawn_requests(struct drawn *d, size_t count, int64_t mean_gap_ps);

#endif
