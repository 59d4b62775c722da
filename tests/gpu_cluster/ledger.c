/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger counts what happened: it agrees with the rows of kernels, links and steps. */
#include <string.h>

#include "cluster_fixture.h"
#include "gpu_cluster/variation.h"
#include "test.h"

enum { STEPS = 5 };

static struct gpu_world *run(const struct gpu_job *job)
{
    struct gpu_world *world = gpu_world_create(job, 0, 1);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
    gpu_world_close(world, fixture_end_ps(&world, 1));
    return world;
}

static int64_t counted(const struct gpu_tables *t, int step, enum gpu_decision class)
{
    return t->decisions[(size_t)step * GPU_DECISION_CLASSES + (size_t) class];
}

static void steps_add_up_to_the_totals(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    for (int class = 0; class < GPU_DECISION_CLASSES; class ++) {
        int64_t sum = 0;
        for (int step = 0; step < STEPS; step++)
            sum += counted(&t, step, (enum gpu_decision) class);
        CU_ASSERT_EQUAL(sum, t.totals.decisions[class]);
        CU_ASSERT_TRUE(sum > 0);
    }
    gpu_world_free(world);
}

static void blocks_and_waves_are_those_of_the_kernels(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    int64_t blocks[STEPS] = {0}, waves[STEPS] = {0};
    for (size_t i = 0; i < t.kernels; i++) {
        blocks[t.kernel[i].step] += t.kernel[i].blocks;
        waves[t.kernel[i].step] += t.kernel[i].waves;
    }
    for (int step = 0; step < STEPS; step++) {
        CU_ASSERT_EQUAL(counted(&t, step, GPU_DECISION_DISPATCH), blocks[step]);
        CU_ASSERT_EQUAL(counted(&t, step, GPU_DECISION_WAVE), waves[step]);
    }
    gpu_world_free(world);
}

static void every_chunk_is_arbitrated_on_every_link(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    int64_t chunks = 0;
    for (size_t i = 0; i < t.links; i++)
        chunks += t.link[i].chunks;
    CU_ASSERT_EQUAL(t.totals.decisions[GPU_DECISION_ARBITRATION], chunks);
    gpu_world_free(world);
}

/* Eager, every op is launched; captured, a graph for each GPU. */
static void launches_are_ops_or_graphs(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    int64_t ops = 0;
    for (size_t i = 0; i < t.kernels; i++)
        ops += t.kernel[i].step == 0;
    for (size_t i = 0; i < t.collectives; i++)
        ops += t.collective[i].step == 0;
    CU_ASSERT_EQUAL(counted(&t, 0, GPU_DECISION_LAUNCH), ops);
    for (int step = 0; step < STEPS; step++) {
        CU_ASSERT_EQUAL(counted(&t, step, GPU_DECISION_BATCH), 1);
        CU_ASSERT_TRUE(step == 0 || counted(&t, step, GPU_DECISION_LAUNCH) == 8);
    }
    gpu_world_free(world);
}

/* What is drawn changes when things happen, and what L2 has; not how much is decided. */
static void freezing_changes_outcomes_in_l2_alone(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_world *drawn = run(&job);
    job.frozen = (1U << GPU_SOURCES) - 1;
    struct gpu_world *frozen = run(&job);
    struct gpu_tables a = gpu_world_tables(drawn), b = gpu_world_tables(frozen);
    for (int class = 0; class < GPU_DECISION_CLASSES; class ++)
        if (class != GPU_DECISION_HIT && class != GPU_DECISION_MISS)
            CU_ASSERT_EQUAL(a.totals.decisions[class], b.totals.decisions[class]);
    CU_ASSERT_EQUAL(a.totals.decisions[GPU_DECISION_HIT] + a.totals.decisions[GPU_DECISION_MISS],
                    b.totals.decisions[GPU_DECISION_HIT] + b.totals.decisions[GPU_DECISION_MISS]);
    gpu_world_free(drawn);
    gpu_world_free(frozen);
}

TEST_MAIN("ledger", TEST(steps_add_up_to_the_totals),
          TEST(blocks_and_waves_are_those_of_the_kernels),
          TEST(every_chunk_is_arbitrated_on_every_link), TEST(launches_are_ops_or_graphs),
          TEST(freezing_changes_outcomes_in_l2_alone))
