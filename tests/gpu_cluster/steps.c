/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of a whole job: what a neighbour, a straggler, the host and the split do to them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cluster_fixture.h"
#include "test.h"

static struct gpu_world *run(const struct gpu_job *job)
{
    struct gpu_world *world = gpu_world_create(job, 0, 1);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
    gpu_world_close(world, fixture_end_ps(&world, 1));
    return world;
}

static int64_t end_of(const struct gpu_job *job)
{
    struct gpu_world *world = run(job);
    int64_t end = fixture_end_ps(&world, 1);
    gpu_world_free(world);
    return end;
}

static struct gpu_job smooth_job(void)
{
    struct gpu_job job = fixture_job();
    job.chip.kernel_jitter_cv = 0;
    job.chip.launch_jitter_cv = 0;
    job.chip.run_jitter_cv = 0;
    job.cluster.neighbour = false;
    return job;
}

static void a_neighbour_makes_steps_longer(void)
{
    struct gpu_job job = smooth_job();
    int64_t alone = end_of(&job), last = alone;
    static const double load[] = {0.2, 0.5, 0.8};
    job.cluster.neighbour = true;
    for (size_t i = 0; i < sizeof load / sizeof load[0]; i++) {
        job.cluster.neighbour_load = load[i];
        int64_t end = end_of(&job);
        CU_ASSERT_TRUE(end > last);
        last = end;
    }
}

static void the_neighbour_offers_the_load_it_was_asked_for(void)
{
    struct gpu_job job = smooth_job();
    job.cluster.neighbour = true;
    job.workload.decode_tokens = 64;
    struct gpu_world *world = run(&job);
    int64_t end = fixture_end_ps(&world, 1), busy = 0;
    struct gpu_tables t = gpu_world_tables(world);
    for (size_t i = 0; i < t.links; i++)
        busy +=
            t.link[i].link / 8 == 2 ? t.link[i].neighbour_busy_ps : 0; /* links 16-23: NICs out */
    CU_ASSERT_DOUBLE_EQUAL((double)busy / 8 / (double)end, job.cluster.neighbour_load, 0.02);
    gpu_world_free(world);
}

static void queueing_is_counted_apart_from_service(void)
{
    struct gpu_job job = smooth_job();
    struct gpu_world *quiet = run(&job);
    job.cluster.neighbour = true;
    struct gpu_world *busy = run(&job);
    struct gpu_tables a = gpu_world_tables(quiet), b = gpu_world_tables(busy);
    int64_t queue_a = 0, queue_b = 0;
    CU_ASSERT_EQUAL_FATAL(a.links, b.links);
    for (size_t i = 0; i < a.links; i++) {
        CU_ASSERT_EQUAL(a.link[i].busy_ps, b.link[i].busy_ps);
        CU_ASSERT_EQUAL(a.link[i].bytes, b.link[i].bytes);
        queue_a += a.link[i].queued_ps;
        queue_b += b.link[i].queued_ps;
    }
    CU_ASSERT_TRUE(queue_b > queue_a);
    gpu_world_free(quiet);
    gpu_world_free(busy);
}

static void one_straggler_slows_everybody(void)
{
    struct gpu_job job = smooth_job();
    int64_t even = end_of(&job);
    job.cluster.straggler_share = 0.3;
    job.cluster.straggler_slowdown = 2;
    CU_ASSERT_TRUE(end_of(&job) > even * 11 / 10);
}

static void a_captured_graph_saves_launches(void)
{
    struct gpu_job job = smooth_job();
    struct gpu_world *captured = run(&job);
    job.cluster.captured_graph = false;
    struct gpu_world *eager = run(&job);
    const int64_t *a = gpu_world_tables(captured).decisions + GPU_DECISION_CLASSES;
    const int64_t *b = gpu_world_tables(eager).decisions + GPU_DECISION_CLASSES;
    CU_ASSERT_EQUAL(a[GPU_DECISION_LAUNCH], 8);
    CU_ASSERT_TRUE(b[GPU_DECISION_LAUNCH] > 8 * 22 * 9);
    CU_ASSERT_EQUAL(a[GPU_DECISION_DISPATCH], b[GPU_DECISION_DISPATCH]);
    CU_ASSERT_TRUE(fixture_end_ps(&eager, 1) > fixture_end_ps(&captured, 1));
    gpu_world_free(captured);
    gpu_world_free(eager);
}

static void a_step_is_host_compute_collectives_and_idle(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    CU_ASSERT_EQUAL_FATAL(t.steps, 8 * 5);
    for (size_t i = 0; i < t.steps; i++) {
        const struct gpu_step_row *row = &t.step[i];
        CU_ASSERT_TRUE(row->host_ps > 0 && row->compute_ps > 0 && row->collective_ps > 0);
        CU_ASSERT_TRUE(row->idle_ps >= 0);
        CU_ASSERT_EQUAL(row->host_ps + row->compute_ps + row->collective_ps + row->idle_ps,
                        row->end_ps - row->start_ps);
        CU_ASSERT_EQUAL(row->kv_positions, row->step == 0 ? 128 : 128 + row->step);
    }
    gpu_world_free(world);
}

static void every_layer_has_its_kernels_and_two_all_reduces(void)
{
    struct gpu_job job = smooth_job();
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    CU_ASSERT_EQUAL(t.collectives, 8 * 5 * (2 * 22 + 1));
    CU_ASSERT_EQUAL(t.kernels, 8 * 5 * (22 * 9 + 4));
    CU_ASSERT_EQUAL(t.totals.decisions[GPU_DECISION_BATCH], 5);
    gpu_world_free(world);
}

static void a_window_of_steps_limits_the_rows(void)
{
    struct gpu_job job = smooth_job();
    job.record_first_step = 2;
    job.record_steps = 1;
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    CU_ASSERT_EQUAL(t.collectives, 8 * (2 * 22 + 1));
    CU_ASSERT_EQUAL(t.steps, 8 * 5);
    for (size_t i = 0; i < t.kernels; i++)
        CU_ASSERT_EQUAL(t.kernel[i].step, 2);
    CU_ASSERT_EQUAL(t.totals.collectives, 8 * 5 * (2 * 22 + 1));
    gpu_world_free(world);
}

static void a_pipeline_passes_tokens_round(void)
{
    struct gpu_job job = smooth_job();
    job.cluster.tensor_parallel = 4;
    job.cluster.pipeline_parallel = 2;
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    int64_t start[5], end[5];
    gpu_step_span(t.step, t.steps, 5, start, end);
    for (int i = 0; i + 1 < 5; i++)
        CU_ASSERT_TRUE(end[i] < end[i + 1]);
    gpu_world_free(world);
}

static void impossible_jobs_are_refused_with_reasons(void)
{
    struct gpu_job job = fixture_job();
    struct base_report report = {0};
    CU_ASSERT_TRUE(gpu_job_is_valid(&job, &report));
    job.cluster.tensor_parallel = 16;
    CU_ASSERT_FALSE(gpu_job_is_valid(&job, &report));
    job.cluster.tensor_parallel = 3;
    CU_ASSERT_FALSE(gpu_job_is_valid(&job, &report));
    job.cluster.tensor_parallel = 8;
    job.chip.hbm_bytes = 1 << 20;
    CU_ASSERT_FALSE(gpu_job_is_valid(&job, &report));
    CU_ASSERT_EQUAL_FATAL(report.count, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], "needs 16 GPUs; the cluster has 8"));
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[1], "attention heads of"));
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[2], "more than h100-like has"));
    base_report_release(&report);
}

TEST_MAIN("steps", TEST(a_neighbour_makes_steps_longer),
          TEST(the_neighbour_offers_the_load_it_was_asked_for),
          TEST(queueing_is_counted_apart_from_service), TEST(one_straggler_slows_everybody),
          TEST(a_captured_graph_saves_launches), TEST(a_step_is_host_compute_collectives_and_idle),
          TEST(every_layer_has_its_kernels_and_two_all_reduces),
          TEST(a_window_of_steps_limits_the_rows), TEST(a_pipeline_passes_tokens_round),
          TEST(impossible_jobs_are_refused_with_reasons))
