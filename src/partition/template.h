/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks compiled once for a shape: every layer, and every chip of a rank, relocates the same
 * template. */
#ifndef PARTITION_TEMPLATE_H
#define PARTITION_TEMPLATE_H

#include "partition/ops.h"
#include "partition/partition.h"

enum { TEMPLATE_RANKS = 8 };

/* The templates of one rank of a tensor group, for all phases. Prefill has no head; the smaller
 * buckets of a ladder differ from decode in attention alone and share its other blocks. Layers take
 * turns in EMIT_SETS variants, which differ in the slices that each op leaves free of weights. */
struct template_rank {
    struct block block[PARTITION_PHASES][PARTITION_BLOCKS][EMIT_SETS];
    struct block common[PARTITION_PHASES]; /* shared tables and residual buffers only: where
                                              transfers start */
    struct common tables;
    int32_t residual[PARTITION_PHASES][2]; /* addresses of the residual stream's buffers */
};

struct templates {
    struct shape shape[PARTITION_PHASES]; /* without rows: no such phase */
    struct template_rank rank[TEMPLATE_RANKS];
    int32_t ranks; /* compiled so far */
    int32_t turn;  /* variant of layer 0: free, and chosen so that slices fill evenly */
    /* Cycles of the longest rank. */
    int64_t length[PARTITION_PHASES][PARTITION_BLOCKS][EMIT_SETS];
    int32_t rows[PARTITION_BLOCKS][EMIT_SETS][PROGRAM_QUEUE_VXM]; /* persistent rows by slice */
    int32_t
        capacity[PROGRAM_QUEUE_VXM]; /* rows left for them by tables and activations; may be < 0 */
};

/* The variant of a block of `layer`. */
static inline int32_t template_variant(const struct templates *t, enum partition_block kind,
                                       int32_t layer)
{
    return kind == PARTITION_ATTENTION || kind == PARTITION_MLP ? (layer + t->turn) % EMIT_SETS : 0;
}

static inline bool template_has_phase(const struct templates *t, enum partition_phase phase)
{
    return t->shape[phase].rows > 0;
}

/* The phase whose block a phase uses. */
static inline enum partition_phase template_phase(enum partition_phase phase,
                                                  enum partition_block kind)
{
    return phase >= PARTITION_RUNG && kind != PARTITION_ATTENTION ? PARTITION_DECODE : phase;
}

/* Compiles ranks [0, ranks) of a group; a rank that is compiled already is kept. */
void templates_build(struct templates *t, int32_t ranks);
void templates_release(struct templates *t);

#endif
