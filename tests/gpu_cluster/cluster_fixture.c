/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the GPU cluster share. */
#include "cluster_fixture.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

static const int64_t ns = 1000, us = 1000000;

static struct gpu_chip h100(void)
{
    return (struct gpu_chip){
        .name = "h100-like",
        .sms = 132,
        .sm_version = 90,
        .clock_hz = 1830000000,
        .fp16_flops = 989e12,
        .fp8_flops = 1979e12,
        .tensor_efficiency = 0.95,
        .fp8_efficiency = 0.75,
        .hbm_bytes = INT64_C(80) << 30,
        .hbm_bytes_per_s = 3.35e12,
        .hbm_efficiency = 0.84,
        .hbm_stream_efficiency = 0.92,
        .l2_bytes = 50 << 20,
        .l2_keep = 0.25,
        .l2_bytes_per_s = 17e12,
        .shared_memory_bytes_per_sm = 228 << 10,
        .max_blocks_per_sm = 32,
        .kernel_floor_ps = 930 * ns,
        .launch_ps = 3 * us,
        .eager_gap_ps = 20 * us,
        .graph_launch_ps = 10 * us,
        .engine_schedule_ps = 25 * us,
        .engine_broadcast_ps = 5 * us,
        .engine_inputs_ps = 45 * us,
        .engine_sampling_ps = 25 * us,
        .launch_jitter_cv = 0.15,
        .eager_jitter_cv = 0.25,
        .engine_jitter_cv = 0.1,
        .run_jitter_cv = 0.004,
        .kernel_jitter_cv = 0.02,
        .sm_bytes_per_s = 170e9,
        .row_scatter_cycles = 25,
        .l2_latency_cycles = 261,
        .load_latency_cycles = 615,
        .load_stages = 5,
        .loop_issue_cycles = 10,
        .block_tail_cycles = 2285,
        .split_latency_ps = 2480 * ns,
        .row_atomic_ps = 5800,
        .hbm_expert_efficiency = 0.9,
        .hbm_part_efficiency = 1,
        .gather_flow = 1,
        .tuned_experts = "3x4096 4x768",
        .attention_floor_ps = 9 * us,
        .attention_combine_ps = 300 * ns,
        .attention_pack_ps = 2 * us,
        .attention_issue_cycles = 400,
        .attention_tile_cycles = 5000,
        .transpose_per_cycle = 10,
        .tensor_sustained = 0.8,
        .softmax_ops = 6,
        .fp32_lanes = 128,
        .exp_lanes = 16,
        .collectives = {.generation = GPU_GENERATION_HOPPER,
                        .channels = 24,
                        .nvls_channels = 16,
                        .ring_bytes_per_s = 360e9,
                        .ll = {4000 * ns, 400 * ns, 20e9, 0.8},
                        .ll128 = {9000 * ns, 1000 * ns, 20e9, 0.8},
                        .simple = {9000 * ns, 1500 * ns, 30e9, 0.8},
                        .nvls = {15000 * ns, 1000 * ns, 50e9, 0.8},
                        .direct = {5000 * ns, 1000 * ns, 20e9, 0.8},
                        .shot = {2500 * ns, 300 * ns, 20e9, 0.8},
                        .warp_ps = 50 * ns,
                        .shot_limit_bytes = 8 << 20},
    };
}

static struct gpu_cluster_spec two_nodes(void)
{
    return (struct gpu_cluster_spec){
        .nodes = 2,
        .gpus_per_node = 4,
        .nvlink_bytes_per_s = INT64_C(450000000000),
        .nvlink_latency_ps = 500 * ns,
        .nic_bytes_per_s = INT64_C(50000000000),
        .nic_latency_ps = 900 * ns,
        .switch_latency_ps = 130 * ns,
        .line_post_ps = 1000 * ns,
        .slice_post_ps = 5000 * ns,
        .oversubscription = 2,
        .leaf_ports = 4,
        .all_reduce = GPU_ALL_REDUCE_NCCL,
        .captured_graph = true,
        .tensor_parallel = 8,
        .pipeline_parallel = 1,
        .weight_bytes = 2,
        .kv_bytes = 2,
        .link_quantum_bytes = 64 << 10,
        .straggler_slowdown = 1.5,
        .neighbour = true,
        .neighbour_load = 0.3,
        .neighbour_message_bytes = 256 << 10,
    };
}

struct gpu_job fixture_job(void)
{
    struct gpu_job job = {
        .chip = h100(),
        .cluster = two_nodes(),
        .bucket = {.max_sequence = 2048, .batch = 1, .prefill_chunk = 128},
        .workload = {.prompt_tokens = 128, .decode_tokens = 4},
        .seed = 1,
    };
    job.model = (struct model){.name = "fixture",
                               .layers = 22,
                               .hidden = 2048,
                               .heads = 32,
                               .kv_heads = 4,
                               .head_dim = 64,
                               .ffn = 5632,
                               .vocabulary = 32000,
                               .max_positions = 2048,
                               .norm_epsilon = 1e-5,
                               .rope_theta = 1e4};
    strcpy(job.model.architecture, "LlamaForCausalLM");
    strcpy(job.model.model_type, "llama");
    return job;
}

static struct gpu_plan ring_plan(int32_t gpus, int64_t bytes, int64_t slice_bytes)
{
    struct gpu_plan plan = gpu_plan_by_hand(1, gpus);
    struct gpu_plan_op reduce = {
        .action = GPU_ACTION_COLLECTIVE,
        .op = GPU_OP_ALL_REDUCE,
        .layer = 0,
        .call = gpu_call_plain_ring(GPU_OP_ALL_REDUCE, gpus, bytes, slice_bytes)};
    gpu_plan_append(&plan.step[0], reduce);
    gpu_plan_bound(&plan);
    return plan;
}

struct gpu_world *fixture_ring(int32_t gpus, int64_t bytes, int64_t chunk_bytes, int32_t partition,
                               int32_t partitions)
{
    struct gpu_job job = {.workload.decode_tokens = 1,
                          .bucket.batch = 1,
                          .cluster = {.captured_graph = true, .link_quantum_bytes = 1 << 16}};
    const int64_t wire_bytes_per_s = INT64_C(50000000000), latency_ps = 500 * ns;
    return gpu_world_create_from(&job, ring_plan(gpus, bytes, chunk_bytes),
                                 gpu_topology_ring(gpus, wire_bytes_per_s, latency_ps), partition,
                                 partitions);
}

int64_t fixture_run(struct gpu_world **world, int32_t count)
{
    struct engine *engine[64];
    for (int32_t i = 0; i < count; i++) {
        engine[i] = gpu_world_engine(world[i]);
    }
    return engine_run_together(engine);
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

/* Rows are some 32-bit fields, perhaps padding, then 64-bit fields from `wide` on. Adding up makes
 * it blind to order. */
static uint64_t digest_rows(const void *rows, size_t count, size_t row_bytes, size_t narrow,
                            size_t wide)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *row = (const unsigned char *)rows + i * row_bytes;
        uint64_t hash = mix(UINT64_C(14695981039346656037), row, narrow);
        sum += mix(hash, row + wide, row_bytes - wide);
    }
    return sum;
}

#define DIGEST(rows, count, last_narrow, first_wide)                                               \
    digest_rows(rows, count, sizeof *(rows), offsetof(__typeof__(*(rows)), last_narrow) + 4,       \
                offsetof(__typeof__(*(rows)), first_wide))

uint64_t fixture_digest_of(struct gpu_world *world)
{
    struct gpu_tables t = gpu_world_tables(world);
    uint64_t sum = DIGEST(t.step, t.steps, kv_positions, start_ps);
    sum += DIGEST(t.kernel, t.kernels, split_k, start_ps);
    sum += DIGEST(t.collective, t.collectives, op, bytes);
    sum += DIGEST(t.link, t.links, to, busy_ps);
    sum += (uint64_t)t.totals.events * UINT64_C(0x9E3779B97F4A7C15);
    for (int32_t i = 0; i < world->plan.steps * GPU_DECISION_CLASSES; i++) {
        sum += (uint64_t)t.decisions[i] * UINT64_C(0xD1B54A32D192ED03) * (uint64_t)(i + 1);
    }
    return sum;
}

int64_t fixture_end_ps(struct gpu_world **world, int32_t count)
{
    int64_t end = 0;
    for (int32_t i = 0; i < count; i++) {
        struct gpu_tables t = gpu_world_tables(world[i]);
        for (size_t r = 0; r < t.steps; r++) {
            end = t.step[r].end_ps > end ? t.step[r].end_ps : end;
        }
    }
    return end;
}

uint64_t fixture_digest(struct gpu_world **world, int32_t count)
{
    uint64_t sum = 0;
    int64_t end = fixture_end_ps(world, count);
    for (int32_t i = 0; i < count; i++) {
        gpu_world_close(world[i], end);
        sum += fixture_digest_of(world[i]);
    }
    return sum;
}
