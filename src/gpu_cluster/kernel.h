/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels as grids of equal blocks: what a library would launch, and the time of a wave. */
#ifndef GPU_CLUSTER_KERNEL_H
#define GPU_CLUSTER_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/gpu_machine.h"
#include "gpu_cluster/gpu_tables.h"

/* One launch. Work is the same for every block; fields that end in _bytes count what moves. */
struct gpu_kernel {
    int32_t blocks;
    int32_t blocks_per_sm;   /* resident together, limited by shared memory */
    int32_t split_k;         /* 1: not split */
    double block_tensor_s;   /* time of one block alone on one SM's tensor cores */
    double block_l2_bytes;   /* what one block loads and stores through L2 */
    double block_hbm_bytes;  /* its share of what misses L2 */
    int64_t floor_ps;        /* paid once: launch to first block, last block to next kernel */
    int64_t wave_latency_ps; /* pipeline fill and drain of the first wave */
};

/* y[m, n] = x[m, k] W[k, n]; `bytes` an element of x and W; y has 2. Picks tile and split as the
 * fastest by this model. */
struct gpu_kernel gpu_kernel_gemm(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k,
                                  int32_t bytes);

/* Products of a mixture: y[rows of e, n] = x[rows of e, k] W_e[k, n] for every expert e with rows,
 * in one launch. */
struct gpu_kernel gpu_kernel_grouped(const struct gpu_chip *chip, const int32_t *rows,
                                     int64_t experts, int64_t n, int64_t k, int32_t bytes);

/* Attention of `queries` positions a sequence against `keys`, causal and, with a window, none
 * further back; per GPU `heads` query and `kv_heads` KV heads. */
struct gpu_attention {
    int64_t sequences, queries, keys, window, heads, kv_heads, head_dim; /* window 0: none */
    int32_t kv_bytes;
};
struct gpu_kernel gpu_kernel_attention(const struct gpu_chip *chip,
                                       const struct gpu_attention *shape);

/* A kernel that streams `bytes` and computes little: norms, activations, copies, argmax. */
struct gpu_kernel gpu_kernel_stream(const struct gpu_chip *chip, double bytes);

/* Blocks that can run at once on `sms` SMs. */
int32_t gpu_kernel_slots(const struct gpu_kernel *kernel, int32_t sms);

/* Time of a wave of `blocks` over `sms` SMs, and its largest part. The floor is not in it; the fill
 * and drain is, of the first wave only: later blocks load while earlier ones finish. */
int64_t gpu_kernel_wave_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                           int32_t blocks, int32_t sms, bool first, enum gpu_bound *bound);

/* The whole kernel on `sms` SMs with nothing beside it: floor and waves. */
int64_t gpu_kernel_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel, int32_t sms);

#endif
