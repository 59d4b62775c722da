/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws of what varies, by counter-based random numbers. */
#include "gpu_cluster/variation.h"

#include <math.h>

const char *gpu_source_name(enum gpu_source source)
{
    static const char *const name[] = {
        [GPU_SOURCE_LAUNCH] = "host launches",
        [GPU_SOURCE_ENGINE] = "engine between steps",
        [GPU_SOURCE_RUN] = "run to run",
        [GPU_SOURCE_KERNEL] = "clock and HBM, per kernel",
        [GPU_SOURCE_CACHE] = "L2 outcomes",
        [GPU_SOURCE_SPREAD] = "spread between GPUs",
        [GPU_SOURCE_SLOW] = "slow GPUs",
        [GPU_SOURCE_ROUTING] = "choice of experts",
        [GPU_SOURCE_ARBITRATION] = "link arbitration",
        [GPU_SOURCE_NEIGHBOUR] = "neighbour's messages",
        [GPU_SOURCE_TENANT] = "another tenant's kernels",
        [GPU_SOURCE_CONTEXT] = "growing context",
    };
    return name[source];
}

static bool has_neighbour(const struct gpu_job *job)
{
    return job->cluster.neighbour && job->cluster.neighbour_load > 0 && gpu_job_gpus(job) > 1;
}

bool gpu_source_is_present(const struct gpu_job *job, enum gpu_source source)
{
    const struct gpu_chip *chip = &job->chip;
    const struct gpu_cluster_spec *spec = &job->cluster;
    switch (source) {
    case GPU_SOURCE_LAUNCH:
        return chip->launch_jitter_cv > 0 || chip->eager_jitter_cv > 0;
    case GPU_SOURCE_ENGINE:
        return chip->engine_jitter_cv > 0;
    case GPU_SOURCE_RUN:
        return chip->run_jitter_cv > 0;
    case GPU_SOURCE_KERNEL:
        return chip->kernel_jitter_cv > 0;
    case GPU_SOURCE_CACHE:
        return true;
    case GPU_SOURCE_TENANT:
        return spec->tenant_load > 0;
    case GPU_SOURCE_SPREAD:
        return spec->spread > 0;
    case GPU_SOURCE_SLOW:
        return spec->straggler_share > 0 || spec->slow_factor > 1;
    case GPU_SOURCE_ROUTING:
        return job->model.experts > 0;
    case GPU_SOURCE_ARBITRATION:
    case GPU_SOURCE_NEIGHBOUR:
        return has_neighbour(job);
    case GPU_SOURCE_CONTEXT:
        return job->workload.decode_tokens > 1;
    default:
        return false;
    }
}

/* A run simulated step by step has a seed for each step, and one for all. */
static uint64_t run_seed_of(const struct gpu_job *job)
{
    return job->run_seed != 0 ? job->run_seed : job->seed;
}

static double normal_of(const struct gpu_job *job, const struct gpu_draw *draw)
{
    uint64_t seed = draw->source == GPU_SOURCE_RUN ? run_seed_of(job) : job->seed;
    return base_random_normal(seed, draw->purpose, draw->entity, draw->index);
}

static bool is_still(const struct gpu_job *job, const struct gpu_draw *draw)
{
    return draw->cv <= 0 || gpu_source_is_frozen(job, draw->source);
}

/* The lognormal rest of mean 1 - least has the whole deviation. */
double gpu_draw_skewed(const struct gpu_job *job, const struct gpu_draw *draw)
{
    if (is_still(job, draw)) {
        return 1.0;
    }
    double rest = 1.0 - GPU_LEAST_FACTOR, cv = draw->cv / rest, square = log1p(cv * cv);
    return GPU_LEAST_FACTOR + rest * exp(sqrt(square) * normal_of(job, draw) - square / 2);
}

double gpu_draw_normal(const struct gpu_job *job, const struct gpu_draw *draw)
{
    double factor = is_still(job, draw) ? 1.0 : 1.0 + draw->cv * normal_of(job, draw);
    return factor > GPU_LEAST_FACTOR ? factor : GPU_LEAST_FACTOR;
}

double gpu_run_factor(const struct gpu_job *job)
{
    struct gpu_draw draw = {
        .source = GPU_SOURCE_RUN, .purpose = BASE_RANDOM_RUN, .cv = job->chip.run_jitter_cv};
    return gpu_draw_normal(job, &draw);
}

/* Whiskers of a box plot of normal draws lie this many deviations from the median. */
static const double whisker = 2.698;

/* Fastest and slowest GPU are `spread` apart, whisker to whisker. */
static double spread_factor(const struct gpu_job *job, int32_t gpu)
{
    if (job->cluster.spread <= 0 || gpu_source_is_frozen(job, GPU_SOURCE_SPREAD)) {
        return 1.0;
    }
    double z = base_random_normal(run_seed_of(job), BASE_RANDOM_SPREAD, (uint64_t)gpu, 0);
    z = z < -whisker ? -whisker : z > whisker ? whisker : z;
    return 1.0 + job->cluster.spread * z / (2 * whisker);
}

static double slow_factor(const struct gpu_job *job, int32_t gpu)
{
    const struct gpu_cluster_spec *spec = &job->cluster;
    if (gpu_source_is_frozen(job, GPU_SOURCE_SLOW)) {
        return 1.0;
    }
    double draw = base_random_uniform(run_seed_of(job), BASE_RANDOM_STRAGGLER, (uint64_t)gpu, 0);
    double factor = draw < spec->straggler_share ? spec->straggler_slowdown : 1.0;
    bool chosen = spec->slow_factor > 1 && gpu == spec->slow_gpu;
    return chosen ? factor * spec->slow_factor : factor;
}

double gpu_slowdown(const struct gpu_job *job, int32_t gpu)
{
    return gpu_run_factor(job) * spread_factor(job, gpu) * slow_factor(job, gpu);
}
