/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine is made of, for the files that form its batches. */
#ifndef SERVE_ENGINE_STATE_H
#define SERVE_ENGINE_STATE_H

#include "serve/engine.h"
#include "serve/sequences.h"

struct serve_engine {
    struct serve_rules rules;
    struct serve_clock clock;
    struct serve_tally tally;
    int32_t replica;
    struct serve_queue queue;
    /* Those that are in, as they were let in: those that generate first, then those whose prompt
     * has not passed. */
    struct serve_sequence *in;
    size_t in_capacity;
    int32_t ins, generating;
    int64_t keys; /* that the generating ones see in their next iteration, all together */
    bool decodes; /* generating ones take part in the iteration at hand */
    int64_t free_blocks, outstanding;
    int64_t now_ps;   /* of the last step */
    int64_t end_ps;   /* of the iteration under way */
    int64_t front_ps; /* when the front end is through with all it has */
    bool running;
    struct gpu_batch batch;
    size_t *finished;
    size_t finished_count, finished_capacity;
};

static inline bool serve_engine_is_full(const struct serve_engine *engine)
{
    return engine->ins >= engine->rules.max_sequences;
}

/* Blocks that hold so many positions. */
static inline int64_t serve_blocks_of(const struct serve_rules *rules, int64_t positions)
{
    return (positions + rules->block_tokens - 1) / rules->block_tokens;
}

/* Lets in the first of the queue, at engine->now_ps, with so many positions to pass and blocks. */
void serve_engine_admit(struct serve_engine *engine, int32_t left, int64_t blocks);

/* Each decides who takes part in the next iteration: sets `taken` and `decodes`. */
void serve_continuous_take(struct serve_engine *engine);
void serve_dynamic_take(struct serve_engine *engine);

/* Those who take part, in groups. */
struct gpu_batch serve_engine_batch_of(const struct serve_engine *engine);

/* When a dynamic batch goes, where nothing is in. */
int64_t serve_dynamic_next_ps(const struct serve_engine *engine);

#endif
