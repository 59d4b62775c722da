/* SPDX-License-Identifier: BSD-3-Clause */
/* What the cache side and the compute side of attention share. */
#ifndef PARTITION_ATTENTION_H
#define PARTITION_ATTENTION_H

#include "partition/ops.h"

enum { ATTENTION_KV_LANES = 16 };

/* Cache tensors of one KV head, and the pass that is being emitted. */
struct attention {
    const struct common *common;
    int32_t key[2], value[2]; /* by hemisphere */
    int32_t query[2], score[2], weight[2];
    int32_t row_max;
    bool sinks;
    int32_t sink, placed_sink, sink_weight;
    int32_t first, rows; /* rows of the step that are attended to together, all of one sequence */
    int64_t earliest;    /* their buffers are free from this cycle on */
};

/* The sequence of the rows, and the place of their first one among its rows of the step. */
static inline int32_t attention_sequence(const struct block *b, const struct attention *at)
{
    return at->first / shape_rows_each(b->shape);
}

static inline int32_t attention_offset(const struct block *b, const struct attention *at)
{
    return at->first % shape_rows_each(b->shape);
}

/* Tensors of KV head `head`, "k" or "v", one a hemisphere, with a cache for each sequence. */
void attention_cache_tensors(struct block *b, const char *what, int32_t head, int32_t tensor[2]);

/* All rows of a cache tensor that the pass attends to, on 32 streams at the MXM of `east` in cycle
 * `cycle`; `rows` is what the streams carry. */
struct program_operand attention_read_cache(struct block *b, const struct attention *at, bool east,
                                            int32_t cache, int32_t rows, struct pattern p,
                                            int64_t cycle);

/* x cos + swapped(x) sin for the rows of `at` of one quad in hemisphere `east`, with the tables of
 * the other one from the row of their position on; the sign of the sine is in its table. The result
 * leaves the VXM on both sides, on ATTENTION_STREAM_ROTATED, as `out`. Returns the cycle in which
 * it does. */
enum { ATTENTION_STREAM_ROTATED = 20 };
int64_t attention_emit_rotation(struct block *b, const struct attention *at, int32_t tensor,
                                bool east, struct walk walk, struct pattern p, int32_t out[2],
                                struct walk out_walk);

/* Keys and values of a KV head, of the rows of `at`, go into the cache of their sequence. */
void attention_write_key(struct block *b, const struct attention *at, const struct quads *qk,
                         int32_t head);
void attention_write_value(struct block *b, const struct attention *at, const struct quads *qkv,
                           int32_t head);

#endif
