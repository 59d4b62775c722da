/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks compiled once for a shape: every layer, and every chip of a rank, relocates the same
 * template. */
#ifndef PARTITION_TEMPLATE_H
#define PARTITION_TEMPLATE_H

#include "partition/ops.h"
#include "partition/partition.h"

enum { TEMPLATE_RANKS = 8, TEMPLATE_VARIANTS = 2 * EMIT_SETS };

/* The templates of one rank of a tensor group, for all phases. Prefill has no head; the smaller
 * buckets of a ladder differ from decode in attention alone and share its other blocks. Layers take
 * turns in EMIT_SETS variants, which differ in the slices that each op leaves free of weights;
 * attention through a window has as many more. */
struct template_rank {
    struct block block[PARTITION_PHASES][PARTITION_BLOCKS][TEMPLATE_VARIANTS];
    struct block common[PARTITION_PHASES]; /* shared tables and residual buffers only: where
                                              transfers start */
    struct common tables;
    int32_t residual[PARTITION_PHASES][OPS_RESIDUALS]; /* addresses of its buffers */
};

struct templates {
    struct shape shape[PARTITION_PHASES]; /* without rows: no such phase */
    struct template_rank rank[TEMPLATE_RANKS];
    int32_t ranks; /* compiled so far */
    bool shares;   /* MLPs may be cut: set before the first rank is compiled */
    /* Cycles of the longest rank. */
    int64_t length[PARTITION_PHASES][PARTITION_BLOCKS][TEMPLATE_VARIANTS];
    int32_t rows[PARTITION_BLOCKS][TEMPLATE_VARIANTS]
                [PROGRAM_QUEUE_VXM]; /* persistent rows by slice */
    int32_t
        capacity[PROGRAM_QUEUE_VXM]; /* rows left for them by tables and activations; may be < 0 */
};

/* Blocks of layers come in EMIT_SETS variants. */
static inline bool template_has_turns(enum partition_block kind)
{
    return kind != PARTITION_EMBED && kind != PARTITION_HEAD;
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

/* Orders in which the layers of a stage take turns: forward and backward, from any variant. */
enum { TEMPLATE_ORDERS = 2 * EMIT_SETS };

static inline bool template_is_windowed(const struct templates *t, int32_t layer)
{
    const struct shape *s = &t->shape[PARTITION_DECODE];
    return s->window && model_window(s->model, layer);
}

/* The variant of a block of `layer`: those of attention through a window follow the others. */
static inline int32_t template_variant(const struct templates *t, enum partition_block kind,
                                       int32_t layer, int32_t order)
{
    int32_t step = order < EMIT_SETS ? 1 : EMIT_SETS - 1;
    int32_t turn = template_has_turns(kind) ? (order + step * layer) % EMIT_SETS : 0;
    return turn + (kind == PARTITION_ATTENTION && template_is_windowed(t, layer) ? EMIT_SETS : 0);
}

/* Whether there are such blocks: prefill has no head, and MLPs are cut where that is allowed. */
bool template_is_compiled(const struct templates *t, enum partition_phase phase,
                          enum partition_block kind);

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

/* The longest block of all ranks that are compiled; of equals the first rank's. Ranks differ where
 * they own different numbers of hidden tiles. */
static inline const struct block *template_longest(const struct templates *t,
                                                   enum partition_phase phase,
                                                   enum partition_block kind, int32_t variant)
{
    const struct block *longest = &t->rank[0].block[phase][kind][variant];
    for (int32_t rank = 1; rank < t->ranks; rank++) {
        const struct block *b = &t->rank[rank].block[phase][kind][variant];
        longest = b->end > longest->end ? b : longest;
    }
    return longest;
}

/* Cycles of the first variant of a layer's block with a step's shape that is cut in another way; of
 * the last rank, which owns the fewest hidden tiles and so receives the most. Nothing is kept. */
int64_t template_cycles(const struct templates *t, enum partition_phase phase,
                        enum partition_block kind, const struct shape *shape);

/* Compiles ranks [0, ranks) of a group; a rank that is compiled already is kept. */
void templates_build(struct templates *t, int32_t ranks);
void templates_release(struct templates *t);

#endif
