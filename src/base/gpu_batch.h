/* SPDX-License-Identifier: BSD-3-Clause */
/* What one step of the engine works on: sequences that get a token each, prompts or parts of them.
 */
#ifndef BASE_GPU_BATCH_H
#define BASE_GPU_BATCH_H

#include <stdbool.h>
#include <stdint.h>

/* Sequences of a step that are alike. */
struct gpu_group {
    int64_t sequences;
    int64_t tokens; /* of each that pass through the model: 1 where it generates */
    int64_t keys;   /* that the last of them sees; where contexts differ, the mean */
    bool prompt;    /* positions of a prompt, not the token generated last */
    bool samples;   /* each gets its next token: all but parts of a prompt before its end */
};

enum { GPU_BATCH_GROUPS = 8 };

struct gpu_batch {
    struct gpu_group group[GPU_BATCH_GROUPS];
    int32_t groups;
};

/* Nothing where there are no sequences. At most GPU_BATCH_GROUPS. */
void gpu_batch_add(struct gpu_batch *batch, struct gpu_group group);

int64_t gpu_batch_tokens(const struct gpu_batch *batch);
int64_t gpu_batch_sequences(const struct gpu_batch *batch);
int64_t gpu_batch_samples(const struct gpu_batch *batch);
int64_t gpu_batch_most_keys(const struct gpu_batch *batch);

/* Whether any position of a prompt is among them. */
bool gpu_batch_has_prompt(const struct gpu_batch *batch);

/* The same but for keys: such steps launch the same ops, attention with a grid of its own. */
bool gpu_batch_is_alike(const struct gpu_batch *a, const struct gpu_batch *b);

#endif
