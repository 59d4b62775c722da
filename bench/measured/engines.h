/* SPDX-License-Identifier: BSD-3-Clause */
/* Serving engines: how they form batches, what they cost between steps, how much memory they take.
 */
#ifndef MEASURED_ENGINES_H
#define MEASURED_ENGINES_H

#include "gpu_cluster/gpu_cluster.h"

struct engine_kind {
    const char *name; /* as tables have it: "vllm" */
    int32_t since;    /* version 0.n; the newest that applies comes first in the table */
    bool prompts_first, splits_prompts, captures;
    bool narrow_cache; /* an fp8 checkpoint has an fp8 cache too */
    /* Host time between steps, and for each sequence more; of an op launched eagerly. In the place
     * of what the GPU's description has; 0: that. */
    int64_t step_ps, sequence_ps, eager_gap_ps;
    double memory_share;      /* of the GPU's memory: weights, activations and KV cache */
    int64_t activation_bytes; /* of that, activations and buffers */
    double rest_share;        /* of what these and the weights leave: KV cache */
};

/* NULL where no engine has the name. A version that is not stated is the latest. */
const struct engine_kind *engine_kind_of(const char *name, const char *version);

/* Puts what the engine costs in the place of what the job's chip has. */
void engine_kind_apply(const struct engine_kind *engine, struct gpu_job *job);

/* Positions whose KV fits beside the weights of a job; 0 or less: none. */
int64_t engine_kind_positions(const struct engine_kind *engine, const struct gpu_job *job);

/* Tokens of a step. */
int64_t engine_kind_budget(const struct gpu_chip *chip);

#endif
