/* SPDX-License-Identifier: BSD-3-Clause */
/* The choice that NCCL makes before a collective: its cost model, its channels, its chunks. */
#ifndef GPU_CLUSTER_NCCL_H
#define GPU_CLUSTER_NCCL_H

#include "gpu_cluster/call.h"

/* A way to do it, with what the library believes it takes. It need not be what it takes. */
struct gpu_nccl_candidate {
    enum gpu_algorithm algorithm;
    enum gpu_protocol protocol;
    double latency_us, gb_per_s, time_us; /* gb_per_s: bytes of the call / (time - latency) */
};

enum { GPU_NCCL_CANDIDATES = 7 };

/* All-reduce, all-gather, reduce-scatter, broadcast: what the library compares, the fastest first.
 * Needs op, ranks, nodes, per_node and bytes of the call. Returns how many there are. */
int32_t gpu_nccl_candidates(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                            const struct gpu_call *call,
                            struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES]);

/* Blocks that the library gives to a call whose algorithm and protocol are known. */
int32_t gpu_nccl_channels(const struct gpu_chip *chip, const struct gpu_call *call);

/* Sets chunk_bytes and slices of a call whose channels are known. */
void gpu_nccl_cut(struct gpu_call *call);

#endif
