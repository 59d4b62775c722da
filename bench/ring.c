/* SPDX-License-Identifier: BSD-3-Clause */
/* A plan of one all-reduce, made by hand. */
#include "ring.h"

#include "gpu_cluster/world.h"

static struct gpu_plan plan_of(int32_t gpus, int64_t bytes, int32_t chunks)
{
    int64_t slice = (bytes / gpus + chunks - 1) / chunks;
    struct gpu_plan plan = gpu_plan_by_hand(1, gpus);
    gpu_plan_append(
        &plan.step[0],
        (struct gpu_plan_op){.action = GPU_ACTION_COLLECTIVE,
                             .op = GPU_OP_ALL_REDUCE,
                             .call = gpu_call_plain_ring(GPU_OP_ALL_REDUCE, gpus, bytes, slice)});
    gpu_plan_bound(&plan);
    return plan;
}

struct gpu_world *ring_create(int32_t gpus, int64_t bytes, int32_t chunks, int32_t partition,
                              int32_t partitions)
{
    static const int64_t wire_bytes_per_s = INT64_C(50000000000), latency_ps = 500000;
    const struct gpu_job job = {.workload.decode_tokens = 1,
                                .bucket.batch = 1,
                                .cluster = {.captured_graph = true, .link_quantum_bytes = 1 << 16}};
    return gpu_world_create_from(&job, plan_of(gpus, bytes, chunks),
                                 gpu_topology_ring(gpus, wire_bytes_per_s, latency_ps), partition,
                                 partitions);
}

int64_t ring_end_ps(struct gpu_world *world)
{
    struct gpu_tables tables = gpu_world_tables(world);
    int64_t end = 0;
    for (size_t i = 0; i < tables.steps; i++) {
        end = tables.step[i].end_ps > end ? tables.step[i].end_ps : end;
    }
    return end;
}
