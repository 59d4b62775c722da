/* SPDX-License-Identifier: BSD-3-Clause */
/* The library's choice: its own figures for 8 H100, where it switches, how many channels it gives.
 */
#include "gpu_cluster/nccl.h"

#include <math.h>

#include "cluster_fixture.h"
#include "test.h"

static struct gpu_cluster_spec node(void)
{
    struct gpu_cluster_spec spec = fixture_job().cluster;
    spec.nodes = 1;
    spec.gpus_per_node = 8;
    return spec;
}

static struct gpu_call call_of(enum gpu_op op, int32_t ranks, int64_t bytes)
{
    struct gpu_chip chip = fixture_job().chip;
    struct gpu_cluster_spec spec = node();
    struct gpu_call_wish wish = {.all_reduce = GPU_ALL_REDUCE_NCCL};
    return gpu_call_make(&chip, &spec, &wish, op, 0, ranks, bytes);
}

/* Latency and bandwidth of an all-reduce on 8 H100, as worked out from the library's source. */
static const struct {
    enum gpu_algorithm algorithm;
    enum gpu_protocol protocol;
    double latency_us, gb_per_s;
} figures[] = {{GPU_ALGORITHM_RING, GPU_PROTOCOL_LL, 15.0, 80.6},
               {GPU_ALGORITHM_RING, GPU_PROTOCOL_LL128, 40.6, 189.3},
               {GPU_ALGORITHM_RING, GPU_PROTOCOL_SIMPLE, 56.0, 205.7},
               {GPU_ALGORITHM_NVLS, GPU_PROTOCOL_SIMPLE, 25.0, 328}};

static void the_figures_are_the_library_s_own(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_cluster_spec spec = node();
    struct gpu_call call = call_of(GPU_OP_ALL_REDUCE, 8, 1 << 20);
    struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES];
    int32_t count = gpu_nccl_candidates(&job.chip, &spec, &call, candidate), found = 0;
    CU_ASSERT_EQUAL(count, 7);
    for (int32_t i = 0; i < count; i++)
        for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++)
            if (candidate[i].algorithm == figures[f].algorithm &&
                candidate[i].protocol == figures[f].protocol) {
                CU_ASSERT_TRUE(fabs(candidate[i].latency_us - figures[f].latency_us) < 0.05);
                CU_ASSERT_TRUE(fabs(candidate[i].gb_per_s / figures[f].gb_per_s - 1) < 0.002);
                found++;
            }
    CU_ASSERT_EQUAL(found, 4);
}

/* Gathers and scatters: the switch does half of what it does for an all-reduce, for all members but
 * one. It has the least latency of what is fast, and is nowhere the first. */
static void the_switch_is_reckoned_with_for_gathers_and_never_taken(void)
{
    static const enum gpu_op op[] = {GPU_OP_ALL_GATHER, GPU_OP_REDUCE_SCATTER};
    struct gpu_job job = fixture_job();
    struct gpu_cluster_spec spec = node();
    for (int i = 0; i < 2; i++)
        for (int64_t bytes = 1024; bytes <= 1 << 28; bytes *= 2) {
            struct gpu_call call = call_of(op[i], 8, bytes);
            struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES];
            int32_t count = gpu_nccl_candidates(&job.chip, &spec, &call, candidate), at = 0;
            CU_ASSERT_EQUAL(count, 4);
            while (at < count && candidate[at].algorithm != GPU_ALGORITHM_NVLS)
                at++;
            CU_ASSERT_TRUE(at > 0 && at < count);
            double gb_per_s = 360 * 0.85 * 15 / 16 * 7 / 8 * 8 / 7;
            CU_ASSERT_DOUBLE_EQUAL(candidate[at].gb_per_s, gb_per_s, 1e-6);
            CU_ASSERT_EQUAL(call.algorithm, GPU_ALGORITHM_RING);
        }
}

static void candidates_come_by_time(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_cluster_spec spec = node();
    for (int64_t bytes = 256; bytes <= 1 << 28; bytes *= 2) {
        struct gpu_call call = call_of(GPU_OP_ALL_REDUCE, 8, bytes);
        struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES];
        int32_t count = gpu_nccl_candidates(&job.chip, &spec, &call, candidate);
        for (int32_t i = 1; i < count; i++)
            CU_ASSERT_TRUE(candidate[i - 1].time_us <= candidate[i].time_us);
        CU_ASSERT_EQUAL(call.algorithm, candidate[0].algorithm);
        CU_ASSERT_EQUAL(call.protocol, candidate[0].protocol);
    }
}

/* As observed on 8 H200: ring LL up to 1 MiB, the switch from 2 MiB on. */
static void eight_gpus_go_over_to_the_switch_at_2_mib(void)
{
    for (int64_t bytes = 1024; bytes <= 1 << 28; bytes *= 2) {
        struct gpu_call call = call_of(GPU_OP_ALL_REDUCE, 8, bytes);
        bool small = bytes <= 1 << 20;
        CU_ASSERT_EQUAL(call.algorithm, small ? GPU_ALGORITHM_RING : GPU_ALGORITHM_NVLS);
        CU_ASSERT_EQUAL(call.protocol, small ? GPU_PROTOCOL_LL : GPU_PROTOCOL_SIMPLE);
    }
    CU_ASSERT_EQUAL(call_of(GPU_OP_ALL_REDUCE, 4, 1 << 28).algorithm, GPU_ALGORITHM_RING);
}

static void channels_grow_with_bytes(void)
{
    static const struct {
        int64_t bytes;
        int32_t channels;
    } ring[] = {{1024, 1}, {32768, 1}, {65536, 2}, {262144, 8}, {1 << 20, 24}};
    for (size_t i = 0; i < sizeof ring / sizeof ring[0]; i++)
        CU_ASSERT_EQUAL(call_of(GPU_OP_ALL_REDUCE, 8, ring[i].bytes).channels, ring[i].channels);
    CU_ASSERT_EQUAL(call_of(GPU_OP_ALL_REDUCE, 8, 1 << 24).channels, 16);
    CU_ASSERT_EQUAL(call_of(GPU_OP_ALL_GATHER, 8, 1 << 28).channels, 24);
}

static void wishes_win(void)
{
    struct gpu_chip chip = fixture_job().chip;
    struct gpu_cluster_spec spec = node();
    struct gpu_call_wish wish = {.algorithm = GPU_ALGORITHM_TREE,
                                 .protocol = GPU_PROTOCOL_LL128,
                                 .channels = 5,
                                 .chunk_bytes = 4096};
    struct gpu_call call =
        gpu_call_make(&chip, &spec, &wish, GPU_OP_ALL_REDUCE, 0, 8, INT64_C(1) << 20);
    CU_ASSERT_EQUAL(call.algorithm, GPU_ALGORITHM_TREE);
    CU_ASSERT_EQUAL(call.protocol, GPU_PROTOCOL_LL128);
    CU_ASSERT_EQUAL(call.channels, 5);
    CU_ASSERT_EQUAL(call.chunk_bytes, 4096);
}

/* vLLM: one shot below 512 KiB on up to 4 GPUs, below 256 KiB on up to 8; NCCL from 8 MiB on. */
static void the_engine_takes_small_vectors_itself(void)
{
    static const struct {
        int32_t ranks;
        int64_t bytes;
        enum gpu_algorithm algorithm;
    } row[] = {
        {2, 1 << 22, GPU_ALGORITHM_ONE_SHOT},        {4, (1 << 19) - 1, GPU_ALGORITHM_ONE_SHOT},
        {4, 1 << 19, GPU_ALGORITHM_TWO_SHOT},        {8, (1 << 18) - 1, GPU_ALGORITHM_ONE_SHOT},
        {8, 1 << 18, GPU_ALGORITHM_TWO_SHOT},        {4, 8 << 20, GPU_ALGORITHM_RING},
        {8, (8 << 20) - 16, GPU_ALGORITHM_TWO_SHOT}, {8, 8 << 20, GPU_ALGORITHM_NVLS}};
    struct gpu_chip chip = fixture_job().chip;
    struct gpu_cluster_spec spec = node();
    struct gpu_call_wish wish = {.all_reduce = GPU_ALL_REDUCE_ENGINE};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct gpu_call call =
            gpu_call_make(&chip, &spec, &wish, GPU_OP_ALL_REDUCE, 0, row[i].ranks, row[i].bytes);
        CU_ASSERT_EQUAL(call.algorithm, row[i].algorithm);
    }
    struct gpu_call call = gpu_call_make(&chip, &spec, &wish, GPU_OP_ALL_REDUCE, 0, 8, 20000);
    CU_ASSERT_EQUAL(call.channels, 3);
}

TEST_MAIN("nccl", TEST(the_figures_are_the_library_s_own), TEST(candidates_come_by_time),
          TEST(the_switch_is_reckoned_with_for_gathers_and_never_taken),
          TEST(eight_gpus_go_over_to_the_switch_at_2_mib), TEST(channels_grow_with_bytes),
          TEST(wishes_win), TEST(the_engine_takes_small_vectors_itself))
