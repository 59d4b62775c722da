/* SPDX-License-Identifier: BSD-3-Clause */
/* Outcomes in L2, drawn load by load. */
#include "gpu_cluster/cache.h"

#include <math.h>

#include "gpu_cluster/variation.h"

static const double line_bytes = 128.0;

/* The share of a wave's loads that miss: binomial, by its normal limit. */
static double miss_share(const struct gpu_job *job, double mean, double loads, int32_t gpu,
                         int32_t wave, uint64_t index)
{
    if (mean <= 0 || mean >= 1 || gpu_source_is_frozen(job, GPU_SOURCE_CACHE)) {
        return mean < 1 ? mean : 1;
    }
    uint64_t entity = (uint64_t)wave << 32 | (uint64_t)(uint32_t)gpu;
    double z = base_random_normal(job->seed, BASE_RANDOM_CACHE, entity, index);
    double share = mean + z * sqrt(mean * (1 - mean) / (loads > 1 ? loads : 1));
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

struct gpu_cache_outcome gpu_cache_wave(const struct gpu_job *job, const struct gpu_kernel *kernel,
                                        int32_t blocks, int32_t gpu, int32_t wave, uint64_t index)
{
    double bytes = blocks * kernel->block_l2_bytes;
    double mean = kernel->block_hbm_bytes / kernel->block_l2_bytes;
    double missed = miss_share(job, mean, bytes / kernel->loop.step_bytes, gpu, wave, index);
    int64_t lines = llround(bytes / line_bytes), misses = llround(missed * bytes / line_bytes);
    return (struct gpu_cache_outcome){
        .hits = lines - misses,
        .misses = misses,
        .block_hbm_bytes = missed * kernel->block_l2_bytes,
    };
}
