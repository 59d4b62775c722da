/* SPDX-License-Identifier: BSD-3-Clause */
/* An all-reduce over all chips of a rack of meshed nodes in three hops, row by row: every chip gets
 * its node's sum; each takes the sums of the nodes whose cables end at it; all chips of a node get
 * what each of them took. A chip that takes one node's sum forwards it as it comes; one that takes
 * several adds them first. For rows that are few: every cable carries all of them.
 *
 * Tensors of a chip: "part" (preloaded) and "sum". */
#ifndef PARTITION_HIERARCHY_H
#define PARTITION_HIERARCHY_H

#include "interconnect/lpu_topology.h"
#include "partition/emit.h"

enum { HIERARCHY_STAGES = 3 };

/* Cycles of a row after its first departure. */
struct hierarchy_stage {
    int64_t departs, meets; /* at the links; at the VXM, 0 where nothing is added */
    int32_t levels;         /* of the tree that adds it */
};

struct hierarchy {
    const struct lpu_chip *chip;
    const struct lpu_topology *topology;
    int32_t rows;
    int32_t relays;        /* most sums of other nodes that one chip takes */
    int64_t start, period; /* first departure of the first row on all chips; of the next row */
    struct hierarchy_stage stage[HIERARCHY_STAGES];
    int64_t length_cycles;
    uint8_t cable[LPU_TOPOLOGY_MAX_NODES][LPU_TOPOLOGY_MAX_NODES]; /* by which the first takes */
};

/* Finds cables and cycles that suit all chips. False, with the reason in `why`, where some node
 * pair has no cable or the rows are too many. */
bool hierarchy_plan(struct hierarchy *h, const char **why);

/* First departure of a row. Rows go in waves: those that have left before the first one needs the
 * links of the node again, then, behind all of them, the next. */
int64_t hierarchy_departure(const struct hierarchy *h, int32_t row);

/* The share of chip `chip_id`, into a block from lone_open. */
void hierarchy_emit(const struct hierarchy *h, int32_t chip_id, struct block *b);

#endif
