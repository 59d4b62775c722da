/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks compiled once for a shape: every layer, and every chip of a rank, relocates the same
 * template. */
#ifndef PARTITION_TEMPLATE_H
#define PARTITION_TEMPLATE_H

#include "partition/ops.h"
#include "partition/partition.h"

enum { TEMPLATE_RANKS = 8, TEMPLATE_VARIANTS = 2 * EMIT_SETS };

/* The templates of one rank of a tensor group, for both phases. Prefill has no head. Layers take
 * turns in EMIT_SETS variants, which differ in the slices that each op leaves free of weights;
 * attention through a window has as many more. */
struct template_rank {
    struct block block[PARTITION_PHASES][PARTITION_BLOCKS][TEMPLATE_VARIANTS];
    struct block common[PARTITION_PHASES]; /* shared tables and residual buffers only: where
                                              transfers start */
    struct common tables;
    int32_t residual[PARTITION_PHASES][2]; /* addresses of the residual stream's buffers */
};

struct templates {
    struct shape shape[PARTITION_PHASES];
    struct template_rank rank[TEMPLATE_RANKS];
    int32_t ranks; /* compiled so far */
    int32_t turn;  /* variant of layer 0: free, and chosen so that slices fill evenly */
    /* Cycles of the longest rank. */
    int64_t length[PARTITION_PHASES][PARTITION_BLOCKS][TEMPLATE_VARIANTS];
    int32_t rows[PARTITION_BLOCKS][TEMPLATE_VARIANTS]
                [PROGRAM_QUEUE_VXM]; /* persistent rows by slice */
    int32_t
        capacity[PROGRAM_QUEUE_VXM]; /* rows left for them by tables and activations; may be < 0 */
};

/* The variant of a block of `layer`. */
static inline int32_t template_variant(const struct templates *t, enum partition_block kind,
                                       int32_t layer)
{
    const struct shape *s = &t->shape[PARTITION_DECODE];
    bool windowed = kind == PARTITION_ATTENTION && s->window && model_window(s->model, layer);
    if (kind != PARTITION_ATTENTION && kind != PARTITION_MLP)
        return 0;
    return (layer + t->turn) % EMIT_SETS + (windowed ? EMIT_SETS : 0);
}

/* The variant of a kind of block whose schedule is the shortest. */
static inline int32_t template_shortest(const struct templates *t, enum partition_phase phase,
                                        enum partition_block kind)
{
    const int64_t *length = t->length[phase][kind];
    int32_t best = 0;
    for (int32_t v = 1; v < TEMPLATE_VARIANTS; v++)
        best = length[v] && (!length[best] || length[v] < length[best]) ? v : best;
    return best;
}

/* Compiles ranks [0, ranks) of a group; a rank that is compiled already is kept. */
void templates_build(struct templates *t, int32_t ranks);
void templates_release(struct templates *t);

#endif
