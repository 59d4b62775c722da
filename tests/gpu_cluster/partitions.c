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

/* Messages that take effect before the end of the window in which they were posted: others may have
 * gone past them already. */
static int64_t early_messages(struct engine *const *engine, int32_t partitions, int64_t until)
{
    int64_t early = 0;
    for (int32_t from = 0; from < partitions; from++)
        for (int32_t to = 0; to < partitions; to++) {
            size_t count;
            const struct gpu_event *message = engine_outbox(engine[from], to, &count);
            for (size_t i = 0; i < count; i++)
                early += message[i].time_ps < until;
        }
    return early;
}

static void exchange(struct engine *const *engine, int32_t partitions)
{
    for (int32_t from = 0; from < partitions; from++) {
        for (int32_t to = 0; to < partitions; to++) {
            size_t count;
            const void *message = engine_outbox(engine[from], to, &count);
            engine_accept(engine[to], message, count);
        }
        engine_outbox_clear(engine[from]);
    }
}

/* All windows; frees the worlds. Promises that come too late may go unnoticed in results. */
static void promises_are_kept(struct gpu_world **world, int32_t partitions)
{
    struct engine *engine[64];
    for (int32_t p = 0; p < partitions; p++)
        engine[p] = gpu_world_engine(world[p]);
    int64_t until = 0, early = 0;
    while (until != ENGINE_NEVER) {
        until = ENGINE_NEVER;
        for (int32_t p = 0; p < partitions; p++) {
            int64_t promise = engine_promise_ps(engine[p]);
            until = promise < until ? promise : until;
        }
        exchange(engine, partitions);
        for (int32_t p = 0; p < partitions; p++)
            engine_advance(engine[p], until);
        early += early_messages(engine, partitions, until);
    }
    CU_ASSERT_EQUAL(early, 0);
    for (int32_t p = 0; p < partitions; p++) {
        CU_ASSERT_TRUE(gpu_world_finished(world[p]));
        gpu_world_free(world[p]);
    }
}

static void check_promises(const struct gpu_job *job, int32_t partitions)
{
    struct gpu_world *world[64];
    for (int32_t p = 0; p < partitions; p++)
        world[p] = gpu_world_create(job, p, partitions);
    promises_are_kept(world, partitions);
}

static void nothing_takes_effect_before_the_end_of_its_window(void)
{
    struct gpu_job job = fixture_job();
    check_promises(&job, 2);
    check_promises(&job, 5);
    job.cluster.tensor_parallel = 2;
    job.cluster.pipeline_parallel = 4;
    check_promises(&job, 3);
    job.cluster.captured_graph = false;
    check_promises(&job, 8);
    job = fixture_job();
    job.cluster.nodes = 1;
    job.cluster.gpus_per_node = 8;
    job.cluster.neighbour = false;
    check_promises(&job, 4);
}

/* Chunks of one byte and of a megabyte, each GPU sends on at once: nothing is in a promise but
 * latencies. */
static void nor_in_rings_that_only_pass_on(void)
{
    static const int64_t bytes[] = {16, 1 << 24};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        struct gpu_world *world[3];
        for (int32_t p = 0; p < 3; p++)
            world[p] = fixture_ring(16, bytes[i], 1 << 20, p, 3);
        promises_are_kept(world, 3);
    }
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
          TEST(nothing_takes_effect_before_the_end_of_its_window),
          TEST(nor_in_rings_that_only_pass_on), TEST(tensor_parallel_over_leaves_and_spines),
          TEST(tensor_parallel_on_one_leaf_without_neighbour),
          TEST(pipeline_and_tensor_parallel_with_chunks_and_stragglers),
          TEST(eager_launches_on_fewer_gpus_than_there_are), TEST(without_any_jitter),
          TEST(equal_times_at_a_shared_trunk), TEST(with_frozen_sources_and_unequal_gpus),
          TEST(another_seed_gives_another_run))
