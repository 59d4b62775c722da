/* SPDX-License-Identifier: BSD-3-Clause */
/* What an iteration works on, in groups that are alike. */
#include "serve/engine_state.h"

static bool is_like(const struct gpu_group *a, const struct gpu_group *b)
{
    return a->prompt && a->tokens == b->tokens && a->keys == b->keys && a->samples == b->samples;
}

static void add_part(struct gpu_batch *batch, const struct serve_sequence *sequence)
{
    struct gpu_group part = {.sequences = 1,
                             .tokens = sequence->taken,
                             .keys = sequence->cached + sequence->taken,
                             .prompt = true,
                             .samples = sequence->taken == sequence->left};
    if (batch->groups > 0 && is_like(&batch->group[batch->groups - 1], &part))
        batch->group[batch->groups - 1].sequences++;
    else
        gpu_batch_add(batch, part);
}

/* Whole prompts go together, of their mean length; parts each by themselves, or with their like. */
static void add_prompts(struct gpu_batch *batch, const struct serve_engine *engine)
{
    int64_t whole = 0, tokens = 0;
    for (int32_t i = engine->generating; i < engine->ins && engine->in[i].taken > 0; i++) {
        const struct serve_sequence *sequence = &engine->in[i];
        if (sequence->cached == 0 && sequence->taken == sequence->left) {
            whole++;
            tokens += sequence->taken;
        } else {
            add_part(batch, sequence);
        }
    }
    int64_t mean = whole > 0 ? (tokens + whole / 2) / whole : 0;
    gpu_batch_add(batch, (struct gpu_group){whole, mean, mean, true, true});
}

struct gpu_batch serve_engine_batch_of(const struct serve_engine *engine)
{
    struct gpu_batch batch = {0};
    add_prompts(&batch, engine);
    int64_t sequences = engine->decodes ? engine->generating : 0;
    gpu_batch_add(&batch, (struct gpu_group){.sequences = sequences,
                                             .tokens = 1,
                                             .keys = sequences > 0 ? engine->keys / sequences : 0,
                                             .samples = true});
    return batch;
}
