/* SPDX-License-Identifier: BSD-3-Clause */
/* What a kernel finds of a GPU when others run beside it: SMs, HBM and L2 bandwidth. */
#ifndef GPU_CLUSTER_CONTENTION_H
#define GPU_CLUSTER_CONTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/gpu_machine.h"

/* What others hold at a moment. */
struct gpu_taken {
    int32_t sms;
    double hbm_bytes_per_s, l2_bytes_per_s;
};

/* A collective that holds one SM a channel and moves `link_bytes_per_s` each way. Every byte on the
 * link is read from HBM or L2 and written there once at either end. */
struct gpu_taken gpu_taken_by_collective(int32_t channels, double link_bytes_per_s);

/* Another tenant's kernels on the same GPU, for a share of the time while `running`, or steadily
 * what they take on average. */
struct gpu_taken gpu_taken_by_tenant(const struct gpu_chip *chip,
                                     const struct gpu_cluster_spec *spec, bool running);
struct gpu_taken gpu_taken_steadily(const struct gpu_chip *chip,
                                    const struct gpu_cluster_spec *spec);

struct gpu_taken gpu_taken_together(struct gpu_taken a, struct gpu_taken b);

/* The GPU that is left: at least one SM, and of the achievable bandwidth at least half, as memory
 * serves two who ask for more than it has by turns. */
struct gpu_chip gpu_chip_left(const struct gpu_chip *chip, const struct gpu_taken *taken);

/* The tenant's runs, one after the other: pauses and runs are exponential, drawn by key, the same
 * on all GPUs. Zero-initialise; ask at times that never decrease. */
struct gpu_tenant {
    int64_t runs, from_ps, until_ps; /* the latest run that was drawn */
};
bool gpu_tenant_runs(struct gpu_tenant *tenant, const struct gpu_cluster_spec *spec, uint64_t seed,
                     int64_t now_ps);

#endif
