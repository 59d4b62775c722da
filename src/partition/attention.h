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
    int32_t first, rows; /* rows of the step that are attended to together */
    int64_t earliest;    /* their buffers are free from this cycle on */
};

/* Cache tensors of KV head `head`, "k" or "v", one a hemisphere. */
void attention_cache_tensors(struct block *b, const char *what, int32_t head, int32_t tensor[2]);

/* x cos + swapped(x) sin for rows of one quad in hemisphere `east`, with the tables of the other
 * one from row position + first on; the sign of the sine is in its table. The result leaves the VXM
 * on both sides, on ATTENTION_STREAM_ROTATED, as `out`. Returns the cycle in which it does. */
enum { ATTENTION_STREAM_ROTATED = 20 };
int64_t attention_emit_rotation(struct block *b, const struct common *c, int32_t first,
                                int32_t tensor, bool east, struct walk walk, struct pattern p,
                                int32_t out[2], struct walk out_walk);

/* The step's keys and values of a KV head go into the cache. */
void attention_write_key(struct block *b, const struct attention *at, const struct quads *qk,
                         int32_t head);
void attention_write_value(struct block *b, const struct attention *at, const struct quads *qkv,
                           int32_t head);

#endif
