/* SPDX-License-Identifier: BSD-3-Clause */
/* The same job gives the same rows to the bit in 1, 2, 3, 5 and 8 partitions. */
#include "cluster_fixture.h"
#include "gpu_cluster/variation.h"
#include "test.h"

static uint64_t digest_of(const struct gpu_job *job, int32_t partitions)
{
    struct gpu_world *world[64];
    for (int32_t p = 0; p < partitions; p++)
        world[p] = gpu_world_create(job, p, partitions);
    fixture_run(world, partitions);
    uint64_t digest = fixture_digest(world, partitions);
    for (int32_t p = 0; p < partitions; p++) {
        CU_ASSERT_TRUE(gpu_world_finished(world[p]));
        gpu_world_free(world[p]);
    }
    return digest;
}

static void check(const struct gpu_job *job)
{
    static const int32_t partitions[] = {2, 3, 5, 8, 11};
    uint64_t alone = digest_of(job, 1);
    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++)
        CU_ASSERT_EQUAL(digest_of(job, partitions[i]), alone);
}

static void tensor_parallel_over_leaves_and_spines(void)
{
    struct gpu_job job = fixture_job();
    check(&job);
}

static void tensor_parallel_on_one_leaf_without_neighbour(void)
{
    struct gpu_job job = fixture_job();
    job.cluster.leaf_ports = 32;
    job.cluster.neighbour = false;
    check(&job);
}

static void pipeline_and_tensor_parallel_with_chunks_and_stragglers(void)
{
    struct gpu_job job = fixture_job();
    job.cluster.tensor_parallel = 2;
    job.cluster.pipeline_parallel = 4;
    job.cluster.straggler_share = 0.4;
    job.bucket.prefill_chunk = 48;
    check(&job);
}

static void eager_launches_on_fewer_gpus_than_there_are(void)
{
    struct gpu_job job = fixture_job();
    job.cluster.tensor_parallel = 4;
    job.cluster.captured_graph = false;
    check(&job);
}

static void without_any_jitter(void)
{
    struct gpu_job job = fixture_job();
    job.chip.kernel_jitter_cv = 0;
    job.chip.launch_jitter_cv = 0;
    job.chip.run_jitter_cv = 0;
    job.cluster.neighbour = false;
    check(&job);
}

/* Four senders without jitter reach the only spine at the same picosecond. */
static void equal_times_at_a_shared_trunk(void)
{
    struct gpu_job job = fixture_job();
    job.chip.kernel_jitter_cv = 0;
    job.chip.launch_jitter_cv = 0;
    job.chip.run_jitter_cv = 0;
    job.cluster.tensor_parallel = 4;
    job.cluster.pipeline_parallel = 2;
    job.cluster.oversubscription = 100;
    check(&job);
}

/* A steady neighbour in place of messages, GPUs that differ, and one that is slow. */
static void with_frozen_sources_and_unequal_gpus(void)
{
    struct gpu_job job = fixture_job();
    job.cluster.spread = 0.08;
    job.cluster.slow_gpu = 5;
    job.cluster.slow_factor = 2.5;
    job.cluster.tenant_load = 0.4;
    job.cluster.tenant_run_ps = INT64_C(300000000);
    job.cluster.tenant_sms = job.cluster.tenant_bandwidth = 0.5;
    for (uint32_t source = 0; source < GPU_SOURCES; source++) {
        job.frozen = 1U << source;
        check(&job);
    }
}

static void another_seed_gives_another_run(void)
{
    struct gpu_job job = fixture_job();
    uint64_t first = digest_of(&job, 1);
    job.seed++;
    CU_ASSERT_NOT_EQUAL(digest_of(&job, 1), first);
}

/* Within a factor of four: it decides how many ranks take part, and nothing else. */
static void the_events_of_a_window_are_about_as_many_as_estimated(void)
{
    static const int32_t group[] = {2, 8};
    for (size_t i = 0; i < sizeof group / sizeof group[0]; i++) {
        struct gpu_job job = fixture_job();
        job.cluster.nodes = 1;
        job.cluster.gpus_per_node = group[i];
        job.cluster.tensor_parallel = group[i];
        struct gpu_world *world[2] = {gpu_world_create(&job, 0, 2), gpu_world_create(&job, 1, 2)};
        int64_t windows = fixture_run(world, 2);
        int64_t events =
            engine_events(gpu_world_engine(world[0])) + engine_events(gpu_world_engine(world[1]));
        int64_t estimate = gpu_job_window_events(&job);
        CU_ASSERT_TRUE(events < 4 * estimate * windows);
        CU_ASSERT_TRUE(4 * events > estimate * windows);
        gpu_world_free(world[0]);
        gpu_world_free(world[1]);
    }
}

TEST_MAIN("partitions", TEST(the_events_of_a_window_are_about_as_many_as_estimated),
          TEST(tensor_parallel_over_leaves_and_spines),
          TEST(tensor_parallel_on_one_leaf_without_neighbour),
          TEST(pipeline_and_tensor_parallel_with_chunks_and_stragglers),
          TEST(eager_launches_on_fewer_gpus_than_there_are), TEST(without_any_jitter),
          TEST(equal_times_at_a_shared_trunk), TEST(with_frozen_sources_and_unequal_gpus),
          TEST(another_seed_gives_another_run))
