/* SPDX-License-Identifier: BSD-3-Clause */
/* The pieces that bounds are made of: ways through units, crossings of lanes, links. */
#ifndef PARTITION_BOUND_PATH_H
#define PARTITION_BOUND_PATH_H

#include "interconnect/lpu_topology.h"
#include "partition/bound.h"
#include "partition/template.h"

/* Cycles by which a value is later behind a unit than it was sampled, and between units. */
struct bound_machine {
    const struct lpu_chip *chip;
    int64_t alu;          /* one function of the VXM */
    int64_t mxm;          /* VXM to MXM, through it, and back */
    int64_t to_mxm;       /* VXM to MXM */
    int64_t sxm;          /* VXM to SXM, through it, and back */
    int64_t hop;          /* VXM to the links, one hop, and to the VXM */
    int64_t further;      /* each hop after the first */
    int64_t slot;         /* of a link */
    int64_t read;         /* first issue of an SRAM read to a vector at the MXM */
    int64_t load_streams; /* into all planes, a cycle */
    int64_t array;        /* vectors that the arrays of all planes hold */
};

struct bound_machine bound_machine_of(const struct lpu_chip *chip);

static inline int64_t bound_ceil(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* One lane of each of `rows` results depends on all lanes of a row of `planes` bytes planes: from
 * the row at the VXM until the results are. */
int64_t bound_crossing(const struct bound_machine *m, int64_t rows, int32_t planes);

/* The sum of `vectors` on every chip of a group, from the first of them at the VXM. */
int64_t bound_exchange(const struct bound_machine *m, int32_t group, int64_t vectors);

/* Two groups of chips, and what joins them. */
struct bound_pair {
    const struct lpu_topology *topology;
    int32_t group, from, to; /* first chips */
    bool sums;               /* the senders hold parts of sums; else all hold the same */
};

/* What the senders hold on every receiver, from the first vector at the VXM. 0: there is no way. */
int64_t bound_move(const struct bound_machine *m, const struct bound_pair *pair, int64_t vectors);

/* Bounds of a block; fills all but what was compiled. */
void bound_block(const struct bound_machine *m, const struct shape *shape,
                 enum partition_block kind, struct bound_block *block);

#endif
