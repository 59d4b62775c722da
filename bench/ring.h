/* SPDX-License-Identifier: BSD-3-Clause */
/* One ring all-reduce by the cluster's own collective code, and nothing else. */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <stdint.h>

#include "gpu_cluster/gpu_cluster.h"

/* `bytes` on `gpus` GPUs in a ring of plain wires (50 GB/s, 500 ns), each segment in `chunks`
 * parts. Free with gpu_world_free. */
struct gpu_world *ring_create(int32_t gpus, int64_t bytes, int32_t chunks, int32_t partition,
                              int32_t partitions);

/* End of the all-reduce at the GPUs of this partition. */
int64_t ring_end_ps(struct gpu_world *world);

#endif
