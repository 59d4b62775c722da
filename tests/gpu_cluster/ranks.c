/* SPDX-License-Identifier: BSD-3-Clause */
/* The job gives on ranks, by shared memory and by messages, what it gives in one process. */
#include "cluster_fixture.h"
#include "parallel/parallel.h"
#include "parallel/windows.h"
#include "test.h"

static uint64_t digest_alone(const struct gpu_job *job)
{
    struct gpu_world *world = gpu_world_create(job, 0, 1);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
    uint64_t digest = fixture_digest(&world, 1);
    gpu_world_free(world);
    return digest;
}

static uint64_t digest_on_ranks(const struct gpu_job *job, bool messages_only)
{
    int partitions = parallel_windows_partitions(
        (struct parallel_windows_share){.items = gpu_job_gpus(job), .wanted = parallel_size()});
    bool active = parallel_rank() < partitions;
    struct gpu_world *world = active ? gpu_world_create(job, parallel_rank(), partitions) : NULL;
    struct engine *engine = active ? gpu_world_engine(world) : NULL;
    struct parallel_windows_watch watch = {.messages_only = messages_only};
    struct parallel_windows_report report;
    enum base_status status = parallel_windows_run(engine, partitions, &watch, &report);
    CU_ASSERT_EQUAL(status, BASE_OK);
    int64_t end = active ? fixture_end_ps(&world, 1) : 0, digest = 0;
    parallel_max_i64(&end, 1);
    if (active) {
        gpu_world_close(world, end);
        digest = (int64_t)fixture_digest_of(world);
        gpu_world_free(world);
    }
    parallel_sum_i64(&digest, 1);
    return (uint64_t)digest;
}

static void ranks_change_nothing(void)
{
    struct gpu_job job = fixture_job();
    job.workload.decode_tokens = 2;
    uint64_t alone = digest_alone(&job);
    CU_ASSERT_EQUAL(digest_on_ranks(&job, false), alone);
    CU_ASSERT_EQUAL(digest_on_ranks(&job, true), alone);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {TEST(ranks_change_nothing)};
    parallel_start(&argc, &argv);
    int64_t failed = test_run("GPU cluster on ranks", cases, 1);
    parallel_max_i64(&failed, 1);
    parallel_finish();
    return (int)failed;
}
