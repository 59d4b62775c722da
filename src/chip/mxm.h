/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix planes: what was loaded, installed and computed, judged when a step ends (rule 6). */
#ifndef CHIP_MXM_H
#define CHIP_MXM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/order.h"

enum { MXM_PLANES = 4 };

/* A load from its first to its last sample, or an install (first = last). */
struct mxm_event {
    const struct executor_step *of;
    int64_t first, last;
    int32_t tensor, index;
    uint8_t sub;
    bool fp16, rows;
    uint32_t instruction;
};

struct mxm_events {
    struct mxm_event *at;
    size_t count, capacity;
};

struct mxm_plane {
    struct mxm_events load, install; /* install r takes load r */
    size_t judged;                   /* installs */
    struct run *compute;
    size_t computes, compute_capacity;
    struct run last; /* compute that was judged */
    uint8_t *row;    /* accumulators: 0, or the mark of the step whose sum is open */
};

struct mxm {
    struct mxm_plane plane[MXM_PLANES];
};

struct chip;

void mxm_create(struct chip *chip);
void mxm_release(struct mxm *mxm);

/* Notes a load, install or compute, given its first run. */
void mxm_execute(struct chip *chip, const struct run *run);

/* Judges what happened before `now`, up to which everything was executed, and forgets what nothing
 * later can need; INT64_MAX: everything, and the planes are empty then. */
void mxm_settle(struct chip *chip, int64_t now);

/* Reports sums that a step leaves open. */
void mxm_close(struct chip *chip, const struct executor_step *of);

#endif
