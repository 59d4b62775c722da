/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums over the groups of a batch. */
#include "base/gpu_batch.h"

#include <assert.h>

void gpu_batch_add(struct gpu_batch *batch, struct gpu_group group)
{
    if (group.sequences > 0) {
        assert(batch->groups < GPU_BATCH_GROUPS && group.tokens > 0 && group.keys >= group.tokens);
        batch->group[batch->groups++] = group;
    }
}

int64_t gpu_batch_tokens(const struct gpu_batch *batch)
{
    int64_t tokens = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        tokens += batch->group[i].sequences * batch->group[i].tokens;
    }
    return tokens;
}

int64_t gpu_batch_sequences(const struct gpu_batch *batch)
{
    int64_t sequences = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        sequences += batch->group[i].sequences;
    }
    return sequences;
}

int64_t gpu_batch_samples(const struct gpu_batch *batch)
{
    int64_t samples = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        samples += batch->group[i].samples ? batch->group[i].sequences : 0;
    }
    return samples;
}

int64_t gpu_batch_most_keys(const struct gpu_batch *batch)
{
    int64_t most = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        most = batch->group[i].keys > most ? batch->group[i].keys : most;
    }
    return most;
}

bool gpu_batch_has_prompt(const struct gpu_batch *batch)
{
    for (int32_t i = 0; i < batch->groups; i++) {
        if (batch->group[i].prompt) {
            return true;
        }
    }
    return false;
}

static bool group_is_alike(const struct gpu_group *a, const struct gpu_group *b)
{
    return a->sequences == b->sequences && a->tokens == b->tokens && a->prompt == b->prompt &&
           a->samples == b->samples;
}

bool gpu_batch_is_alike(const struct gpu_batch *a, const struct gpu_batch *b)
{
    for (int32_t i = 0; a->groups == b->groups && i < a->groups; i++) {
        if (!group_is_alike(&a->group[i], &b->group[i])) {
            return false;
        }
    }
    return a->groups == b->groups;
}
