/* SPDX-License-Identifier: BSD-3-Clause */
/* What L2 has and has not when a wave of blocks asks for it. */
#ifndef GPU_CLUSTER_CACHE_H
#define GPU_CLUSTER_CACHE_H

#include <stdint.h>

#include "gpu_cluster/gpu_cluster.h"
#include "gpu_cluster/kernel.h"

/* Lines of 128 bytes. */
struct gpu_cache_outcome {
    int64_t hits, misses;
    double block_hbm_bytes; /* a block's share of the misses */
};

/* Wave `wave` of the kernel at place (step, sequence) on `gpu`: whether what a step of a
 * block's main loop loads is there is one outcome for all its lines; the mean is the kernel's.
 * A kernel that reads all or nothing from HBM leaves nothing to draw. */
struct gpu_cache_outcome gpu_cache_wave(const struct gpu_job *job, const struct gpu_kernel *kernel,
                                        int32_t blocks, int32_t gpu, int32_t wave, uint64_t index);

#endif
