/* SPDX-License-Identifier: BSD-3-Clause */
/* How good a schedule is: least cycles of every op, block, stage and step, beside what was
 * compiled.
 *
 * A bound follows from the machine description and from the work (rows, matrix sizes, heads, cache
 * positions), never from the schedule: no schedule of these ops on this split can keep the contract
 * and be shorter. docs/bounds.md derives every term. */
#ifndef PARTITION_BOUND_H
#define PARTITION_BOUND_H

#include "partition/partition.h"

enum { BOUND_OPS = 16 };

/* What decides a bound. */
enum bound_limit {
    BOUND_INSTALL, /* weights and cache rows into the MXM */
    BOUND_COMPUTE, /* rows through its planes */
    BOUND_VXM,     /* functions on the ALUs */
    BOUND_SXM,     /* vectors that change lanes */
    BOUND_LINKS,   /* vectors over the links */
    BOUND_LATENCY, /* the way of one value through the units */
    BOUND_LIMITS
};

/* What an op is for. */
enum bound_class {
    BOUND_PRODUCTS,  /* weights against rows */
    BOUND_ATTENTION, /* rotary embedding, cache, scores, softmax, weighted sum */
    BOUND_VECTORS,   /* norms, quantisation, gates, embedding, sampling */
    BOUND_SUMS,      /* over chips; in a step also what moves between stages */
    BOUND_CLASSES
};

const char *bound_class_name(enum bound_class of);
const char *bound_limit_name(enum bound_limit limit);

/* One op of a block. `need` are throughput cycles by resource, BOUND_LATENCY the way of one value
 * from the op's operands to its results. `alone` <= span: least cycles from its first issue to its
 * last result. `path`: what it adds to the bound of its block, where what can be done ahead is done
 * ahead. `span` and `advance` are those of the compiled block: from first issue to last result, and
 * how much later the op ends than all ops before it; 0 where the block has no op of that name. */
struct bound_op {
    char name[24];
    enum bound_class of;
    int64_t need[BOUND_LIMITS];
    enum bound_limit limit; /* of `path` */
    int64_t alone, path;
    int64_t span, advance;
};

/* All input stands at the VXM in cycle 0. */
struct bound_block {
    enum partition_block kind;
    struct bound_op op[BOUND_OPS];
    int32_t ops;
    int64_t bound;
    int64_t cycles; /* as compiled; the shortest variant */
    int32_t times;  /* in the step */
};

struct bound_stage {
    int64_t bound, cycles; /* all blocks of the stage */
    int64_t move_cycles;   /* from its end to the next stage's start, or to the end of the step: a
                              move   begins before, and only the step has a bound that counts it */
};

/* Release with bound_release. */
struct bound_step {
    enum partition_phase phase;
    struct bound_block block[PARTITION_BLOCKS];
    struct bound_stage *stage;
    int32_t stages;
    int64_t share[BOUND_CLASSES]; /* of `cycles`; the barrier is in none */
    int64_t bound, cycles; /* of the step; sums may go straight to the next stage, and rows of a
                       prefill one after the other */
};

void bound_step(const struct plan *plan, enum partition_phase phase, struct bound_step *step);
void bound_release(struct bound_step *step);

#endif
