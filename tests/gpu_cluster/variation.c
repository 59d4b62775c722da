/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources of variability: frozen ones add nothing, and shift no draw of another. */
#include "gpu_cluster/variation.h"

#include <math.h>

#include "base/memory.h"
#include "cluster_fixture.h"
#include "test.h"

enum { DECODES = 12, ALL = (1 << GPU_SOURCES) - 1 };

static struct gpu_job long_job(uint32_t frozen)
{
    struct gpu_job job = fixture_job();
    job.workload.decode_tokens = DECODES;
    job.frozen = frozen;
    return job;
}

static struct gpu_world *run(const struct gpu_job *job)
{
    struct gpu_world *world = gpu_world_create(job, 0, 1);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
    return world;
}

/* Longest less shortest interval between the ends of decode steps; the first two are left out: they
 * begin behind the prompt. */
static int64_t range_ps(const struct gpu_job *job)
{
    struct gpu_world *world = run(job);
    struct gpu_tables t = gpu_world_tables(world);
    int64_t start[DECODES + 1], end[DECODES + 1], least = INT64_MAX, most = 0;
    gpu_step_span(t.step, t.steps, DECODES + 1, start, end);
    for (int i = 3; i <= DECODES; i++) {
        int64_t interval = end[i] - end[i - 1];
        least = interval < least ? interval : least;
        most = interval > most ? interval : most;
    }
    gpu_world_free(world);
    return most - least;
}

static void with_all_frozen_every_decode_step_is_equal(void)
{
    struct gpu_job job = long_job(ALL);
    CU_ASSERT_EQUAL(range_ps(&job), 0);
    job.cluster.captured_graph = false;
    CU_ASSERT_EQUAL(range_ps(&job), 0);
    job.cluster.tensor_parallel = 4;
    job.cluster.pipeline_parallel = 2;
    CU_ASSERT_EQUAL(range_ps(&job), 0);
}

static void a_source_alone_varies_and_frozen_does_not(void)
{
    for (int s = 0; s < GPU_SOURCES; s++) {
        struct gpu_job job = long_job(ALL & ~(1U << s));
        bool lasting = s == GPU_SOURCE_SPREAD || s == GPU_SOURCE_SLOW || s == GPU_SOURCE_RUN;
        bool other_test =
            s == GPU_SOURCE_ARBITRATION || s == GPU_SOURCE_CONTEXT || s == GPU_SOURCE_CACHE;
        if (!gpu_source_is_present(&job, (enum gpu_source)s) || lasting || other_test) {
            continue;
        }
        CU_ASSERT_TRUE(range_ps(&job) > 0);
        job.frozen = ALL;
        CU_ASSERT_EQUAL(range_ps(&job), 0);
    }
}

/* One node: across two, who comes first at a NIC depends on how the step before ended. */
static void a_growing_context_makes_steps_longer(void)
{
    struct gpu_job job = long_job(ALL & ~(1U << GPU_SOURCE_CONTEXT));
    job.workload.prompt_tokens = job.bucket.prefill_chunk = 1020;
    job.bucket.batch = 256;
    job.cluster.nodes = 1;
    job.cluster.gpus_per_node = 8;
    CU_ASSERT_TRUE(range_ps(&job) > 0);
    job.frozen = ALL;
    CU_ASSERT_EQUAL(range_ps(&job), 0);
}

/* Arbitration decides nothing where nobody else is: it needs the neighbour's messages. */
static void mean_turns_take_part_of_what_the_neighbour_does(void)
{
    struct gpu_job all =
        long_job(ALL & ~(1U << GPU_SOURCE_NEIGHBOUR | 1U << GPU_SOURCE_ARBITRATION));
    struct gpu_job mean = long_job(ALL & ~(1U << GPU_SOURCE_NEIGHBOUR));
    struct gpu_world *a = run(&all), *b = run(&mean);
    CU_ASSERT_NOT_EQUAL(fixture_end_ps(&a, 1), fixture_end_ps(&b, 1));
    gpu_world_free(a);
    gpu_world_free(b);
}

static int64_t lasts(const struct gpu_kernel_row *row)
{
    return row->end_ps - row->start_ps;
}

static void runs_differ_as_a_whole(void)
{
    struct gpu_job job = long_job(0);
    double sum = 0, squares = 0;
    const int runs = 2000;
    for (int i = 0; i < runs; i++, job.seed++) {
        double x = gpu_run_factor(&job);
        sum += x;
        squares += x * x;
    }
    CU_ASSERT_DOUBLE_EQUAL(sum / runs, 1, 0.001);
    CU_ASSERT_DOUBLE_EQUAL(sqrt(squares / runs - sum * sum / runs / runs), 0.004, 0.0003);
    struct gpu_job one = long_job(ALL & ~(1U << GPU_SOURCE_RUN));
    CU_ASSERT_EQUAL(range_ps(&one), 0);
}

/* Kernels take the same times, whatever happens before them. */
static void a_frozen_source_shifts_no_draw_of_another(void)
{
    uint32_t others =
        1U << GPU_SOURCE_LAUNCH | 1U << GPU_SOURCE_ENGINE | 1U << GPU_SOURCE_NEIGHBOUR;
    struct gpu_job free = long_job(0), frozen = long_job(others);
    struct gpu_world *a = run(&free), *b = run(&frozen);
    struct gpu_tables x = gpu_world_tables(a), y = gpu_world_tables(b);
    int64_t *by_place = base_alloc((DECODES + 1) * 8 * 1000, sizeof *by_place), equal = 0;
    CU_ASSERT_EQUAL_FATAL(x.kernels, y.kernels);
    for (size_t i = 0; i < x.kernels; i++) {
        const struct gpu_kernel_row *row = &x.kernel[i];
        by_place[(row->step * 8 + row->gpu) * 1000 + row->sequence] = lasts(row);
    }
    for (size_t i = 0; i < y.kernels; i++) {
        const struct gpu_kernel_row *row = &y.kernel[i];
        equal += by_place[(row->step * 8 + row->gpu) * 1000 + row->sequence] == lasts(row);
    }
    CU_ASSERT_EQUAL(equal, (int64_t)x.kernels);
    CU_ASSERT_NOT_EQUAL(fixture_end_ps(&a, 1), fixture_end_ps(&b, 1));
    base_free(by_place);
    gpu_world_free(a);
    gpu_world_free(b);
}

/* Mean and deviation of 20,000 draws; returns the least. */
static double moments(double draw_of(const struct gpu_job *, const struct gpu_draw *), double cv,
                      double *mean, double *deviation)
{
    struct gpu_job job = fixture_job();
    double sum = 0, squares = 0, least = 1;
    const int draws = 20000;
    for (int i = 0; i < draws; i++) {
        struct gpu_draw draw = {GPU_SOURCE_LAUNCH, BASE_RANDOM_LAUNCH, cv, 3, (uint64_t)i};
        double x = draw_of(&job, &draw);
        sum += x;
        squares += x * x;
        least = x < least ? x : least;
    }
    *mean = sum / draws;
    *deviation = sqrt(squares / draws - *mean * *mean);
    return least;
}

static void draws_have_the_mean_and_the_deviation_asked_for(void)
{
    double mean, deviation;
    CU_ASSERT_TRUE(moments(gpu_draw_skewed, 0.25, &mean, &deviation) >= GPU_LEAST_FACTOR);
    CU_ASSERT_DOUBLE_EQUAL(mean, 1, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(deviation, 0.25, 0.01);
    CU_ASSERT_TRUE(moments(gpu_draw_normal, 0.02, &mean, &deviation) >= GPU_LEAST_FACTOR);
    CU_ASSERT_DOUBLE_EQUAL(mean, 1, 0.001);
    CU_ASSERT_DOUBLE_EQUAL(deviation, 0.02, 0.0005);
}

static void gpus_of_a_model_differ_by_the_spread_at_most(void)
{
    struct gpu_job job = fixture_job();
    job.cluster.spread = 0.08;
    job.frozen = 1U << GPU_SOURCE_RUN;
    double least = 2, most = 0;
    for (int32_t gpu = 0; gpu < 4000; gpu++) {
        double x = gpu_slowdown(&job, gpu);
        least = x < least ? x : least;
        most = x > most ? x : most;
    }
    CU_ASSERT_DOUBLE_EQUAL(least, 0.96, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(most, 1.04, 1e-9);
    job.frozen = ALL;
    CU_ASSERT_EQUAL(gpu_slowdown(&job, 17), 1.0);
}

static void a_slow_gpu_is_the_one_that_was_named(void)
{
    struct gpu_job job = fixture_job();
    job.cluster.slow_gpu = 3;
    job.cluster.slow_factor = 2.5;
    job.frozen = 1U << GPU_SOURCE_RUN;
    for (int32_t gpu = 0; gpu < 8; gpu++) {
        CU_ASSERT_EQUAL(gpu_slowdown(&job, gpu), gpu == 3 ? 2.5 : 1.0);
    }
}

static void steps_of_one_run_share_what_is_the_runs(void)
{
    const struct gpu_draw draw = {
        .source = GPU_SOURCE_KERNEL, .purpose = BASE_RANDOM_KERNEL, .cv = 0.1};
    struct gpu_job job = fixture_job(), other = job;
    job.cluster.spread = other.cluster.spread = 0.08;
    job.run_seed = other.run_seed = 11;
    other.seed = job.seed + 1;
    CU_ASSERT_EQUAL(gpu_run_factor(&job), gpu_run_factor(&other));
    CU_ASSERT_EQUAL(gpu_slowdown(&job, 3), gpu_slowdown(&other, 3));
    CU_ASSERT_NOT_EQUAL(gpu_draw_normal(&job, &draw), gpu_draw_normal(&other, &draw));
    other.run_seed = 0;
    CU_ASSERT_NOT_EQUAL(gpu_run_factor(&job), gpu_run_factor(&other));
    CU_ASSERT_NOT_EQUAL(gpu_slowdown(&job, 3), gpu_slowdown(&other, 3));
}

static void the_scheduler_decides_once_for_all_gpus(void)
{
    struct gpu_job job = long_job(0);
    job.chip.engine_inputs_ps = job.chip.engine_sampling_ps = 0;
    job.chip.launch_jitter_cv = 0;
    struct gpu_world *world = run(&job);
    struct gpu_tables t = gpu_world_tables(world);
    int64_t launched[DECODES + 1] = {0}, others = 0;
    for (size_t i = 0; i < t.steps; i++) {
        int64_t at = t.step[i].start_ps + t.step[i].host_ps, *first = &launched[t.step[i].step];
        *first = *first > 0 ? *first : at;
        others += t.step[i].step > 0 && at != *first;
    }
    CU_ASSERT_EQUAL(others, 0);
    gpu_world_free(world);
}

TEST_MAIN("variation", TEST(with_all_frozen_every_decode_step_is_equal),
          TEST(a_source_alone_varies_and_frozen_does_not),
          TEST(a_growing_context_makes_steps_longer),
          TEST(mean_turns_take_part_of_what_the_neighbour_does), TEST(runs_differ_as_a_whole),
          TEST(a_frozen_source_shifts_no_draw_of_another),
          TEST(draws_have_the_mean_and_the_deviation_asked_for),
          TEST(gpus_of_a_model_differ_by_the_spread_at_most),
          TEST(a_slow_gpu_is_the_one_that_was_named), TEST(steps_of_one_run_share_what_is_the_runs),
          TEST(the_scheduler_decides_once_for_all_gpus))
