/* SPDX-License-Identifier: BSD-3-Clause */
/* Dynamic batching as Triton does it: a window in which requests gather, then a batch that begins
 * and ends together.
 *
 * An idle engine waits until as many have come as are preferred (without a preference, the largest
 * batch), or until the first of them has waited batch_delay. In the first case the largest multiple
 * of the preferred number goes, in the second all who have come; never more than max_sequences, nor
 * than fit. All are padded to the longest prompt and the longest answer, and hold their blocks
 * until the last one has its last token. Tokens go to clients as they come. */
#include <assert.h>

#include "serve/engine_state.h"

static int32_t preferred_of(const struct serve_rules *rules)
{
    int32_t most = rules->max_sequences;
    bool has_one = rules->preferred_sequences > 0 && rules->preferred_sequences < most;
    return has_one ? rules->preferred_sequences : most;
}

static int64_t delay_ends_ps(const struct serve_engine *engine)
{
    int64_t come_ps = serve_queue_at(&engine->queue, 0)->come_ps,
            delay_ps = engine->rules.batch_delay_ps;
    return come_ps < SERVE_NEVER - delay_ps ? come_ps + delay_ps : SERVE_NEVER;
}

int64_t serve_dynamic_next_ps(const struct serve_engine *engine)
{
    size_t preferred = (size_t)preferred_of(&engine->rules);
    if (engine->queue.count == 0)
        return SERVE_NEVER;
    int64_t at_ps = delay_ends_ps(engine);
    if (engine->queue.count >= preferred) {
        int64_t come_ps = serve_queue_at(&engine->queue, preferred - 1)->come_ps;
        at_ps = come_ps < at_ps ? come_ps : at_ps;
    }
    return at_ps > engine->now_ps ? at_ps : engine->now_ps;
}

/* Who has come, as far as one batch is concerned. */
static int32_t come(const struct serve_engine *engine)
{
    int32_t count = 0;
    while (count < engine->rules.max_sequences && (size_t)count < engine->queue.count &&
           serve_queue_at(&engine->queue, (size_t)count)->come_ps <= engine->now_ps)
        count++;
    return count;
}

static int32_t chosen(const struct serve_engine *engine)
{
    int32_t count = come(engine), preferred = preferred_of(&engine->rules);
    bool is_late = delay_ends_ps(engine) <= engine->now_ps;
    return is_late || count == engine->rules.max_sequences ? count : count - count % preferred;
}

/* The longest of those that go. */
struct shape {
    int32_t prompt, output;
};

static struct shape with(struct shape shape, const struct serve_sequence *sequence)
{
    return (struct shape){
        sequence->prompt > shape.prompt ? sequence->prompt : shape.prompt,
        sequence->output > shape.output ? sequence->output : shape.output,
    };
}

static bool fits(const struct serve_engine *engine, struct shape shape, int32_t count)
{
    const struct serve_rules *rules = &engine->rules;
    bool is_in_budget =
        rules->splits_prompts || (int64_t)count * shape.prompt <= rules->budget_tokens;
    int64_t blocks = serve_blocks_of(rules, (int64_t)shape.prompt + shape.output);
    return is_in_budget && count * blocks <= engine->free_blocks;
}

/* Lets in the first ones of the queue, as long as they fit. */
static void begin_batch(struct serve_engine *engine)
{
    int32_t most = chosen(engine), count = 0;
    struct shape shape = {0, 0};
    for (; count < most; count++) {
        struct shape larger = with(shape, serve_queue_at(&engine->queue, (size_t)count));
        if (!fits(engine, larger, count + 1))
            break;
        shape = larger;
    }
    assert(count > 0); /* one alone fits, else the engine could not hold it */
    int64_t blocks = serve_blocks_of(&engine->rules, (int64_t)shape.prompt + shape.output);
    for (int32_t i = 0; i < count; i++)
        serve_engine_admit(engine, shape.prompt, blocks);
}

/* Prompts of a batch pass side by side, each with its share of the budget. */
void serve_dynamic_take(struct serve_engine *engine)
{
    if (engine->ins == 0)
        begin_batch(engine);
    int64_t share = engine->rules.budget_tokens / engine->ins;
    for (int32_t i = engine->generating; i < engine->ins; i++) {
        struct serve_sequence *sequence = &engine->in[i];
        sequence->taken = sequence->left < share ? sequence->left : (int32_t)share;
    }
    engine->decodes = engine->generating > 0;
}
