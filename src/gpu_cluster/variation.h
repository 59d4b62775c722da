/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources of variability: who draws what, and what each is when it is frozen. */
#ifndef GPU_CLUSTER_VARIATION_H
#define GPU_CLUSTER_VARIATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "gpu_cluster/gpu_cluster.h"

/* A draw is a function of (seed, purpose, entity, index) and of nothing else: a source that is
 * frozen shifts no draw of another. Frozen, each stands at its mean, but for those that say else.
 */
enum gpu_source {
    GPU_SOURCE_LAUNCH,      /* host: eager launches, the launch of a captured graph */
    GPU_SOURCE_ENGINE,      /* host: scheduling, inputs, sampling of a step */
    GPU_SOURCE_KERNEL,      /* clock and HBM: one factor a kernel */
    GPU_SOURCE_CACHE,       /* hits and misses in L2 */
    GPU_SOURCE_SPREAD,      /* GPUs of one model differ; frozen: all are the median */
    GPU_SOURCE_SLOW,        /* slow GPUs; frozen: healthy */
    GPU_SOURCE_ROUTING,     /* experts that tokens choose; frozen: evenly */
    GPU_SOURCE_ARBITRATION, /* where in the neighbour's turn a chunk comes; frozen: half of it */
    GPU_SOURCE_NEIGHBOUR,   /* the neighbour's messages; frozen: a steady stream of the same load */
    GPU_SOURCE_TENANT,      /* kernels of others on the same GPUs; frozen: their mean share */
    GPU_SOURCE_CONTEXT,     /* keys grow token by token; frozen: half of what is generated */
    GPU_SOURCES
};
_Static_assert(GPU_SOURCES <= 32, "gpu_job.frozen has a bit for each");

/* As a row of a table shows it. */
const char *gpu_source_name(enum gpu_source source);

static inline bool gpu_source_is_frozen(const struct gpu_job *job, enum gpu_source source)
{
    return (job->frozen >> source & 1U) != 0;
}

/* Whether the job's description lets the source vary at all. */
bool gpu_source_is_present(const struct gpu_job *job, enum gpu_source source);

/* No draw makes anything faster than this part of its mean: promises rest on it (promise.c). */
#define GPU_LEAST_FACTOR 0.5

/* One draw of a quantity with coefficient of variation `cv`. */
struct gpu_draw {
    enum gpu_source source;
    enum base_random_purpose purpose;
    double cv;
    uint64_t entity, index;
};

/* Index of a draw: ops of one step do not run into those of the next. */
static inline uint64_t gpu_draw_index(int32_t step, int32_t sequence)
{
    return ((uint64_t)step << 20) + (uint64_t)sequence;
}

/* Factors of mean 1, 1 where frozen, never less than a half. Host times lean to the right: half a
 * mean and a lognormal rest; kernels vary normally. */
double gpu_draw_skewed(const struct gpu_job *job, const struct gpu_draw *draw);
double gpu_draw_normal(const struct gpu_job *job, const struct gpu_draw *draw);

/* Time of any kernel on this GPU over that on the median GPU, for the whole run. */
double gpu_slowdown(const struct gpu_job *job, int32_t gpu);

#endif
