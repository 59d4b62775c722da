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

/* When a result stands at the VXM: its first vector, all of its first row, all of its last row. */
struct bound_time {
    int64_t first, row, last;
};

/* From a value in one lane at the VXM to what depends on it in another lane, there. */
int64_t bound_crossing_way(const struct bound_machine *m);

/* The same where, in each of `rows` results, every lane depends on a row of `values` numbers of
 * `planes` bytes that come at once, in as many lanes as they fill. */
int64_t bound_crossing(const struct bound_machine *m, int64_t rows, int64_t values, int32_t planes);

/* The sum of `vectors` on every chip of a group, from the first of them at the VXM. `late`: cycles
 * by which vectors may come later, as long as sums of them are known somewhere in time. */
int64_t bound_exchange(const struct bound_machine *m, int32_t group, int64_t vectors, int64_t late);

/* Two groups of chips, and what joins them. */
struct bound_pair {
    const struct lpu_topology *topology;
    int32_t group, from, to; /* first chips */
    bool sums;               /* the senders hold parts of sums; else all hold the same */
};

/* What the senders hold on every receiver, from the first vector at the VXM. 0: there is no way. */
int64_t bound_move(const struct bound_machine *m, const struct bound_pair *pair, int64_t vectors);

/* Vectors of one row of the residual stream. */
int64_t bound_row_vectors(const struct shape *shape);

/* What a block does. `late`: as for exchanges; `windowed`: its attention sees a window. */
struct bound_work {
    const struct shape *shape;
    enum partition_block kind;
    int64_t late;
    bool windowed;
};

/* Walks through a block from `time` on; fills all but what was compiled. *partial: when what the
 * chips then add up is there. */
void bound_block(const struct bound_machine *m, const struct bound_work *work,
                 struct bound_time *time, struct bound_time *partial, struct bound_block *block);

#endif
