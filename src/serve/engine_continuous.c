/* SPDX-License-Identifier: BSD-3-Clause */
/* Continuous batching: who is in generates, what is left of the budget goes to prompts in the order
 * of coming. */
#include <assert.h>

#include "serve/engine_state.h"

/* The youngest loses its blocks and is the first to come in again, which it cannot at once: it
 * needs all that it had. What it has generated is then part of its prompt. */
static void preempt_youngest(struct serve_engine *engine)
{
    struct serve_sequence youngest = engine->in[--engine->ins];
    if (youngest.left == 0) {
        engine->generating--;
        engine->keys -= youngest.cached + 1;
        engine->outstanding += youngest.prompt + youngest.generated;
    }
    engine->free_blocks += youngest.blocks;
    engine->tally.preemptions++;
    youngest.outcome->preemptions++;
    youngest.blocks = youngest.cached = youngest.left = youngest.taken = 0;
    serve_queue_return(&engine->queue, youngest);
}

/* A block for each sequence whose next position needs one, the oldest first. */
static void find_blocks(struct serve_engine *engine)
{
    for (int32_t i = 0; i < engine->generating; i++) {
        int64_t need = serve_blocks_of(&engine->rules, engine->in[i].cached + 1);
        while (need > engine->in[i].blocks && engine->free_blocks == 0) {
            preempt_youngest(engine);
            if (i == engine->ins)
                return;
        }
        engine->free_blocks -= need - engine->in[i].blocks;
        engine->in[i].blocks = need;
    }
}

/* Returns how many take part. */
static int64_t take_generating(struct serve_engine *engine)
{
    if (engine->rules.preempts)
        find_blocks(engine);
    engine->decodes = engine->generating > 0;
    return engine->generating;
}

/* Blocks that the first of the queue needs before it may come in. */
static int64_t blocks_to_enter(const struct serve_engine *engine)
{
    const struct serve_sequence *next = serve_queue_at(&engine->queue, 0);
    int64_t positions = next->prompt + (engine->rules.preempts ? next->generated : next->output);
    return serve_blocks_of(&engine->rules, positions);
}

/* The next one is let in if there is room for it and, unless prompts are split, for all of its
 * prompt in the iteration. */
static bool let_in(struct serve_engine *engine, int64_t budget)
{
    if (serve_engine_is_full(engine) || engine->queue.count == 0)
        return false;
    const struct serve_sequence *next = serve_queue_at(&engine->queue, 0);
    int32_t left = next->prompt + next->generated;
    int64_t blocks = blocks_to_enter(engine);
    if (next->come_ps > engine->now_ps || blocks > engine->free_blocks ||
        (left > budget && !engine->rules.splits_prompts))
        return false;
    serve_engine_admit(engine, left, blocks);
    return true;
}

/* Prompts in the order in which they were let in, then those that are let in now. Returns what is
 * left of the budget. */
static int64_t take_prompts(struct serve_engine *engine, int64_t budget)
{
    for (int32_t i = engine->generating; budget > 0; i++) {
        if (i == engine->ins && !let_in(engine, budget))
            break;
        struct serve_sequence *sequence = &engine->in[i];
        sequence->taken = sequence->left < budget ? sequence->left : (int32_t)budget;
        budget -= sequence->taken;
    }
    return budget;
}

void serve_continuous_take(struct serve_engine *engine)
{
    int64_t budget = engine->rules.budget_tokens;
    if (!engine->rules.prompts_first)
        take_prompts(engine, budget - take_generating(engine));
    else if (take_prompts(engine, budget) == budget)
        take_generating(engine);
}
