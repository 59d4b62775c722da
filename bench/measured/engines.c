/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of each engine, and where from. */
#include "engines.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define GB INT64_C(1000000000)
#define US INT64_C(1000000)

/* Batching, splitting, capture: documentation of the engines, their defaults. Memory shares: their
 * defaults. Marked [f]: what tools/fit_engines.sh finds in the rows for the fit, see
 * docs/gpu_validation.md. */
static struct engine_kind engines[] = {
    {.name = "vllm", /* schedules a step while the one before runs, from 0.14 on by itself */
     .since = 14,
     .splits_prompts = true,
     .captures = true,
     .step_ps = 900 * US,    /* [f] */
     .sequence_ps = 35 * US, /* [f] */
     .memory_share = 0.90,
     .activation_bytes = 4 * GB,
     .rest_share = 1},
    {.name = "vllm", /* schedules between steps */
     .splits_prompts = true,
     .captures = true,
     .step_ps = 1600 * US,   /* [f] */
     .sequence_ps = 50 * US, /* [f] */
     .memory_share = 0.90,
     .activation_bytes = 4 * GB,
     .rest_share = 1},
    {.name = "trtllm",
     .splits_prompts = true, /* [f] */
     .captures = true,
     .narrow_cache = true,
     .step_ps = 500 * US,    /* [f] */
     .sequence_ps = 15 * US, /* [f] */
     .waiting = 1,           /* [f] */
     .memory_share = 1.00,
     .activation_bytes = 9 * GB, /* 5 GB: fp32 logits of 8,192 rows */
     .rest_share = 0.90},
    {.name = "sglang",
     .prompts_first = true,
     .splits_prompts = true,
     .captures = true,
     .step_ps = 900 * US,    /* [f] */
     .sequence_ps = 30 * US, /* [f] */
     .memory_share = 0.79,   /* [f] */
     .activation_bytes = 0,
     .rest_share = 1},
    {.name = "splitwise", /* vLLM of 2023: everything launched eagerly, prompts whole and alone */
     .prompts_first = true,
     .step_ps = 3000 * US,    /* [f] */
     .sequence_ps = 435 * US, /* [f] */
     .eager_gap_ps = 46 * US, /* [f] */
     .memory_share = 0.90,
     .activation_bytes = 4 * GB,
     .rest_share = 1},
};

/* "0.12.0" -> 12; a version that is not stated is the latest. */
static long minor_of(const char *version)
{
    const char *dot = strchr(version, '.');
    return strncmp(version, "0.", 2) == 0 && dot ? strtol(dot + 1, NULL, 10) : LONG_MAX;
}

const struct engine_kind *engine_kind_of(const char *name, const char *version)
{
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (strcmp(engines[i].name, name) == 0 && engines[i].since <= minor_of(version))
            return &engines[i];
    return NULL;
}

void engine_kind_apply(const struct engine_kind *engine, struct gpu_job *job)
{
    struct gpu_chip *chip = &job->chip;
    job->cluster.captured_graph = engine->captures;
    chip->engine_schedule_ps = engine->step_ps;
    chip->engine_inputs_ps = 0;
    chip->engine_sampling_ps = 0;
    chip->engine_sequence_ps = engine->sequence_ps;
    if (engine->eager_gap_ps > 0)
        chip->eager_gap_ps = engine->eager_gap_ps;
}

int64_t engine_kind_host_ps(const struct engine_kind *engine, const struct gpu_batch *batch)
{
    return engine->step_ps + gpu_batch_sequences(batch) * engine->sequence_ps;
}

void engine_kind_take_host_away(struct gpu_job *job)
{
    job->chip.engine_schedule_ps = 0;
    job->chip.engine_sequence_ps = 0;
}

int64_t engine_kind_positions(const struct engine_kind *engine, const struct gpu_job *job)
{
    struct gpu_job empty = *job, one = *job;
    empty.bucket.batch = 0;
    one.bucket.batch = one.bucket.max_sequence = 1;
    int64_t weights = gpu_job_bytes_per_gpu(&empty);
    double free_bytes = (double)job->chip.hbm_bytes * engine->memory_share -
                        (double)(weights + engine->activation_bytes);
    return (int64_t)(engine->rest_share * free_bytes /
                     (double)(gpu_job_bytes_per_gpu(&one) - weights));
}

bool engine_number_is_wide(const char *number)
{
    return !*number || strcmp(number, "bfloat16") == 0 || strcmp(number, "float16") == 0;
}

int64_t engine_kind_slots(const struct engine_kind *engine, const char *number, int64_t clients)
{
    int64_t slots = engine_number_is_wide(number) ? clients - engine->waiting : clients;
    return slots > 0 ? slots : 1;
}

struct engine_kind *engine_kinds_to_change(size_t *count)
{
    *count = sizeof engines / sizeof *engines;
    return engines;
}

int64_t engine_kind_budget(const struct gpu_chip *chip)
{
    return chip->sm_version >= 90 ? 8192 : 2048;
}
