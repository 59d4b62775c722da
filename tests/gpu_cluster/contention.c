/* SPDX-License-Identifier: BSD-3-Clause */
/* Others on the same GPU: what they take, what it costs, and that nothing is lost or counted twice.
 */
#include "gpu_cluster/contention.h"

#include <stdlib.h>

#include "cluster_fixture.h"
#include "gpu_cluster/cache.h"
#include "gpu_cluster/kernel.h"
#include "gpu_cluster/variation.h"
#include "test.h"

static const double nvlink = 450e9;

static double slowdown(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                       const struct gpu_taken *taken)
{
    struct gpu_chip left = gpu_chip_left(chip, taken);
    return (double)gpu_kernel_ps(&left, kernel, left.sms) /
           (double)gpu_kernel_ps(chip, kernel, chip->sms);
}

/* 132 blocks fill an H100 once; beside 24 channels the last 24 of them wait for the others. */
static void blocks_that_lost_their_sms_need_a_second_wave(void)
{
    struct gpu_chip chip = fixture_job().chip;
    struct gpu_taken taken = gpu_taken_by_collective(24, nvlink);
    struct gpu_kernel kernel = gpu_kernel_gemm(&chip, 128 * 12, 256 * 11, 16384, GPU_NUMBER_BF16);
    CU_ASSERT_EQUAL_FATAL(kernel.blocks, 132);
    CU_ASSERT_DOUBLE_EQUAL(slowdown(&chip, &kernel, &taken), 1.95, 0.1);
}

static void memory_is_shared_and_never_taken_whole(void)
{
    struct gpu_chip chip = fixture_job().chip;
    struct gpu_taken some = {.hbm_bytes_per_s = 0.2 * chip.hbm_bytes_per_s * chip.hbm_efficiency};
    struct gpu_taken all = {.sms = 1000, .hbm_bytes_per_s = 1e15, .l2_bytes_per_s = 1e15};
    struct gpu_kernel stream = gpu_kernel_stream(&chip, 4e9);
    CU_ASSERT_DOUBLE_EQUAL(slowdown(&chip, &stream, &some), 1.25, 0.01);
    struct gpu_chip left = gpu_chip_left(&chip, &all);
    CU_ASSERT_EQUAL(left.sms, 1);
    CU_ASSERT_DOUBLE_EQUAL(left.hbm_bytes_per_s, chip.hbm_bytes_per_s / 2, 1);
    CU_ASSERT_DOUBLE_EQUAL(left.l2_bytes_per_s, chip.l2_bytes_per_s / 2, 1);
}

static void a_tenant_runs_for_its_share_of_the_time(void)
{
    struct gpu_cluster_spec spec = {.tenant_load = 0.3, .tenant_run_ps = 5000000};
    struct gpu_tenant tenant = {0};
    int64_t running = 0, asked = 0;
    for (int64_t now = 0; now < INT64_C(50000000000); now += 100000, asked++)
        running += gpu_tenant_runs(&tenant, &spec, 11, now);
    CU_ASSERT_DOUBLE_EQUAL((double)running / (double)asked, 0.3, 0.02);
}

static int64_t end_of(const struct gpu_job *job, int64_t decisions[GPU_DECISION_CLASSES])
{
    struct gpu_world *world = gpu_world_create(job, 0, 1);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
    int64_t end = fixture_end_ps(&world, 1);
    struct gpu_tables t = gpu_world_tables(world);
    for (int c = 0; decisions && c < GPU_DECISION_CLASSES; c++)
        decisions[c] = t.totals.decisions[c];
    gpu_world_free(world);
    return end;
}

static void a_tenant_makes_kernels_longer(void)
{
    struct gpu_job job = fixture_job();
    int64_t alone = end_of(&job, NULL);
    job.cluster.tenant_load = 0.5;
    job.cluster.tenant_run_ps = INT64_C(500000000);
    job.cluster.tenant_sms = 0.5;
    job.cluster.tenant_bandwidth = 0.4;
    CU_ASSERT_TRUE(end_of(&job, NULL) > alone);
    job.frozen = 1U << GPU_SOURCE_TENANT;
    CU_ASSERT_TRUE(end_of(&job, NULL) > alone);
}

/* Lines that blocks ask for are hits or misses, whatever is drawn. */
static void every_line_is_a_hit_or_a_miss(void)
{
    struct gpu_job job = fixture_job();
    int64_t drawn[GPU_DECISION_CLASSES], frozen[GPU_DECISION_CLASSES];
    end_of(&job, drawn);
    job.frozen = 1U << GPU_SOURCE_CACHE;
    end_of(&job, frozen);
    CU_ASSERT_TRUE(drawn[GPU_DECISION_HIT] > 0 && drawn[GPU_DECISION_MISS] > 0);
    CU_ASSERT_EQUAL(drawn[GPU_DECISION_HIT] + drawn[GPU_DECISION_MISS],
                    frozen[GPU_DECISION_HIT] + frozen[GPU_DECISION_MISS]);
    CU_ASSERT_NOT_EQUAL(drawn[GPU_DECISION_HIT], frozen[GPU_DECISION_HIT]);
}

static void outcomes_scatter_around_the_mean_of_the_kernel(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_kernel kernel = {
        .block_l2_bytes = 1 << 20, .block_hbm_bytes = 1 << 18, .loop.step_bytes = 1 << 14};
    int64_t hits = 0, misses = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        struct gpu_cache_outcome o = gpu_cache_wave(&job, &kernel, 10, 0, 0, i);
        hits += o.hits;
        misses += o.misses;
    }
    CU_ASSERT_DOUBLE_EQUAL((double)misses / (double)(hits + misses), 0.25, 0.001);
    kernel.block_hbm_bytes = kernel.block_l2_bytes;
    CU_ASSERT_EQUAL(gpu_cache_wave(&job, &kernel, 10, 0, 0, 1).hits, 0);
}

/* Neighbour's bytes on the first and on the second half of the port links: NVLink, NIC. */
static void carried(unsigned pattern, int64_t *nvlink_bytes, int64_t *out_bytes, int64_t *in_bytes)
{
    struct gpu_job job = fixture_job();
    job.cluster.neighbour_pattern = pattern;
    struct gpu_world *world = gpu_world_create(&job, 0, 1);
    gpu_world_run(world);
    gpu_world_close(world, fixture_end_ps(&world, 1));
    struct gpu_tables t = gpu_world_tables(world);
    *nvlink_bytes = *out_bytes = *in_bytes = 0;
    for (size_t i = 0; i < t.links; i++) {
        int32_t link = t.link[i].link;
        int64_t *bytes = link < 16 ? nvlink_bytes : link < 24 ? out_bytes : in_bytes;
        *bytes += link < 32 ? t.link[i].neighbour_bytes : 0;
    }
    gpu_world_free(world);
}

static void patterns_use_the_links_that_they_should(void)
{
    int64_t inside, out, in;
    carried(GPU_NEIGHBOUR_STORAGE, &inside, &out, &in);
    CU_ASSERT_TRUE(inside == 0 && out == 0 && in > 0);
    carried(GPU_NEIGHBOUR_REPLICA, &inside, &out, &in);
    CU_ASSERT_TRUE(out > 0 && in > 0 && inside > out);
    carried(GPU_NEIGHBOUR_ALL_TO_ALL, &inside, &out, &in);
    CU_ASSERT_TRUE(out > 0 && in > 0 && inside > 0);
}

TEST_MAIN("contention", TEST(blocks_that_lost_their_sms_need_a_second_wave),
          TEST(memory_is_shared_and_never_taken_whole),
          TEST(a_tenant_runs_for_its_share_of_the_time), TEST(a_tenant_makes_kernels_longer),
          TEST(every_line_is_a_hit_or_a_miss), TEST(outcomes_scatter_around_the_mean_of_the_kernel),
          TEST(patterns_use_the_links_that_they_should))
