/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix planes: what was loaded, installed and computed in a step, judged when it ends (rule 6).
 */
#ifndef CHIP_MXM_H
#define CHIP_MXM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/order.h"

enum { MXM_PLANES = 4 };

/* A load from its first to its last sample, or an install (first = last). */
struct mxm_event {
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
    struct mxm_events load, install;
    struct run *compute;
    size_t computes, compute_capacity;
    uint8_t *row; /* accumulators: whether a sum is open */
};

struct mxm {
    struct mxm_plane plane[MXM_PLANES];
};

struct chip;

void mxm_create(struct chip *chip);
void mxm_release(struct mxm *mxm);

/* Notes a run of a load, install or compute. */
void mxm_execute(struct chip *chip, const struct run *run);

/* Judges the step and forgets it. */
void mxm_close(struct chip *chip);

#endif
