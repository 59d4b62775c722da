/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold between any two steps of an engine. */
#include "serve/engine_state.h"

/* Sums over those that are in, counted anew. */
struct sums {
    int64_t blocks, keys, taken, outstanding;
    int32_t generating;
};

static void add(struct sums *sums, const struct serve_sequence *sequence)
{
    bool waits_for_prompt = sequence->left > 0 || sequence->blocks == 0;
    sums->blocks += sequence->blocks;
    sums->taken += sequence->taken;
    sums->outstanding += sequence->output - sequence->generated;
    sums->outstanding += waits_for_prompt ? sequence->prompt + sequence->generated : 0;
    if (!waits_for_prompt) {
        sums->generating++;
        sums->keys += sequence->cached + 1;
    }
}

static bool is_sequence_valid(const struct serve_engine *engine, int32_t place)
{
    const struct serve_sequence *s = &engine->in[place];
    int64_t next = s->cached + (s->left == 0 && engine->decodes && engine->running);
    return (s->left == 0) == (place < engine->generating) && s->taken <= s->left &&
           s->generated <= s->output && next <= s->blocks * engine->rules.block_tokens;
}

bool serve_engine_is_valid(const struct serve_engine *engine)
{
    struct sums sums = {0};
    bool valid = engine->ins <= engine->rules.max_sequences;
    for (int32_t i = 0; i < engine->ins; i++) {
        add(&sums, &engine->in[i]);
        valid = valid && is_sequence_valid(engine, i);
    }
    for (size_t i = 0; i < engine->queue.count; i++)
        add(&sums, serve_queue_at(&engine->queue, i));
    int64_t tokens = sums.taken + (engine->decodes ? sums.generating : 0);
    bool is_in_budget = !engine->running || tokens <= engine->rules.budget_tokens;
    return valid && is_in_budget && engine->free_blocks >= 0 &&
           sums.blocks + engine->free_blocks == engine->rules.blocks && sums.keys == engine->keys &&
           sums.generating == engine->generating && sums.outstanding == engine->outstanding;
}
