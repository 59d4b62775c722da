/* SPDX-License-Identifier: BSD-3-Clause */
/* An all-reduce over all chips of a rack of meshed nodes in three hops: every chip gets its node's
 * sum; each takes the sums of the few nodes that its own cables lead to and adds them; the chips of
 * a node share what they have added. For rows that are few: every cable carries all of them.
 *
 * Tensors of a chip: "part" (preloaded) and "sum". */
#ifndef PARTITION_HIERARCHY_H
#define PARTITION_HIERARCHY_H

#include "interconnect/lpu_topology.h"
#include "partition/emit.h"

enum { HIERARCHY_STAGES = 3 };

struct hierarchy {
    const struct lpu_chip *chip;
    const struct lpu_topology *topology;
    int32_t rows;
    int64_t start[HIERARCHY_STAGES]; /* departures of each stage on all chips */
    int64_t length_cycles;
};

/* Finds cycles that suit all chips. False, with the reason in `why`, where some node pair has no
 * cable or some chip more cables than it can add. */
bool hierarchy_plan(struct hierarchy *h, const char **why);

/* The share of chip `chip_id`, into a block from lone_open. */
void hierarchy_emit(const struct hierarchy *h, int32_t chip_id, struct block *b);

#endif
