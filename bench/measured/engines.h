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
    int64_t waiting;          /* clients that find no slot, where weights are 16 bits wide */
    double memory_share;      /* of the GPU's memory: weights, activations and KV cache */
    int64_t activation_bytes; /* of that, activations and buffers */
    double rest_share;        /* of what these and the weights leave: KV cache */
};

/* NULL where no engine has the name. A version that is not stated is the latest. */
const struct engine_kind *engine_kind_of(const char *name, const char *version);

/* Puts what the engine costs in the place of what the job's chip has. */
void engine_kind_apply(const struct engine_kind *engine, struct gpu_job *job);

/* The host's time before the first launch of a step; where nothing varies a step takes so much
 * longer than without. */
int64_t engine_kind_host_ps(const struct engine_kind *engine, const struct gpu_batch *batch);
void engine_kind_take_host_away(struct gpu_job *job);

/* Positions whose KV fits beside the weights of a job; 0 or less: none. */
int64_t engine_kind_positions(const struct engine_kind *engine, const struct gpu_job *job);

/* Whether a table's name for the numbers of weights says 16 bits; "" does. */
bool engine_number_is_wide(const char *number);

/* Requests that are in the engine at once, whose weights are such numbers. */
int64_t engine_kind_slots(const struct engine_kind *engine, const char *number, int64_t clients);

/* All of them, to be changed by who fits them. */
struct engine_kind *engine_kinds_to_change(size_t *count);

/* Tokens of a step. */
int64_t engine_kind_budget(const struct gpu_chip *chip);

#endif
