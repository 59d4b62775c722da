/* SPDX-License-Identifier: BSD-3-Clause */
/* Repeats of instructions that are still to happen, in the order of time. */
#ifndef CHIP_ACTS_H
#define CHIP_ACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "chip/order.h"

/* Member k of a run. */
struct act {
    struct run run;
    int32_t k;
};

struct acts_entry {
    int64_t cycle;
    uint64_t order; /* within a cycle */
    uint32_t act;
};

/* A heap of runs by their next member. */
struct acts {
    struct acts_entry *heap;
    size_t count, heap_capacity;
    struct act *pool;
    size_t pooled, pool_capacity;
    uint32_t *spare; /* places of the pool */
    size_t spares, spare_capacity;
};

void acts_release(struct acts *acts);
void acts_clear(struct acts *acts);

/* All members of a run, the first in `cycle`; members of one cycle happen by `order`. */
void acts_put(struct acts *acts, const struct run *run, int64_t cycle, uint64_t order);

/* The next act and its cycle; NULL: none. Valid until acts_put or acts_pop. */
const struct act *acts_next(const struct acts *acts, int64_t *cycle);

/* The next act has happened. */
void acts_pop(struct acts *acts);

#endif
