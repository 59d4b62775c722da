/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of any batch: prompts, sequences that generate, both together. */
#include <stdlib.h>

#include "cluster_fixture.h"
#include "gpu_cluster/variation.h"
#include "gpu_cluster/step.h"
#include "test.h"

static struct gpu_job still_job(void)
{
    struct gpu_job job = fixture_job();
    job.frozen = GPU_ALL_FROZEN;
    job.cluster.neighbour = false;
    return job;
}

static struct gpu_batch of(int64_t prompts, int64_t tokens, int64_t sequences, int64_t keys)
{
    struct gpu_batch batch = {0};
    gpu_batch_add(&batch, (struct gpu_group){prompts, tokens, tokens, true, true});
    gpu_batch_add(&batch, (struct gpu_group){sequences, 1, keys, false, true});
    return batch;
}

static int64_t step_ps(const struct gpu_job *job, const struct gpu_batch *batch)
{
    return gpu_step_simulate(job, batch).ps;
}

static void sums_run_over_groups(void)
{
    struct gpu_batch batch = of(2, 100, 5, 700), other = of(2, 100, 5, 900), none = {0};
    CU_ASSERT_EQUAL(gpu_batch_tokens(&batch), 205);
    CU_ASSERT_EQUAL(gpu_batch_sequences(&batch), 7);
    CU_ASSERT_EQUAL(gpu_batch_samples(&batch), 7);
    CU_ASSERT_EQUAL(gpu_batch_most_keys(&batch), 700);
    CU_ASSERT_TRUE(gpu_batch_has_prompt(&batch) && !gpu_batch_has_prompt(&none));
    CU_ASSERT_TRUE(gpu_batch_is_alike(&batch, &other) && !gpu_batch_is_alike(&batch, &none));
    other.group[1].sequences++;
    CU_ASSERT_FALSE(gpu_batch_is_alike(&batch, &other));
}

/* The part of a prompt before its end gives no token, and is no step of those that do. */
static void parts_of_prompts_do_not_sample(void)
{
    struct gpu_batch whole = of(2, 100, 5, 700), part = whole, generating = whole;
    part.group[0].samples = false;
    generating.group[0].prompt = false;
    CU_ASSERT_EQUAL(gpu_batch_samples(&part), 5);
    CU_ASSERT_FALSE(gpu_batch_is_alike(&whole, &part));
    CU_ASSERT_FALSE(gpu_batch_is_alike(&whole, &generating));
    part = whole;
    part.groups = 1;
    CU_ASSERT_FALSE(gpu_batch_is_alike(&whole, &part) || gpu_batch_is_alike(&part, &whole));
}

/* Its only prompt in one step, then tokens: an agenda that says the same runs the same. */
static void an_agenda_that_says_what_the_workload_says_runs_the_same(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_batch agenda[8];
    int32_t steps = gpu_job_steps(&job);
    CU_ASSERT_TRUE_FATAL(steps <= 8);
    for (int32_t i = 0; i < steps; i++) {
        agenda[i] = gpu_job_batch(&job, i);
    }
    struct gpu_job other = job;
    other.agenda = agenda;
    other.agenda_steps = steps;
    other.workload.prompt_tokens = 1;
    struct gpu_world *a = gpu_world_create(&job, 0, 1), *b = gpu_world_create(&other, 0, 1);
    CU_ASSERT_TRUE(gpu_world_run(a) == BASE_OK && gpu_world_run(b) == BASE_OK);
    gpu_world_close(a, fixture_end_ps(&a, 1));
    gpu_world_close(b, fixture_end_ps(&b, 1));
    CU_ASSERT_EQUAL(fixture_digest(&a, 1), fixture_digest(&b, 1));
    gpu_world_free(a);
    gpu_world_free(b);
}

static void a_step_grows_with_sequences_keys_and_prompts(void)
{
    struct gpu_job job = still_job();
    struct gpu_batch few = of(0, 0, 4, 500), many = of(0, 0, 64, 500), deep = of(0, 0, 64, 1900),
                     mixed = of(1, 512, 64, 1900), more = of(3, 512, 64, 1900);
    int64_t last = 0, now;
    const struct gpu_batch *const batch[] = {&few, &many, &deep, &mixed, &more};
    for (size_t i = 0; i < sizeof batch / sizeof *batch; i++) {
        now = step_ps(&job, batch[i]);
        CU_ASSERT_TRUE(now > last);
        last = now;
    }
}

/* Weights pass once for all, so one step is less than two. */
static void a_mixed_step_takes_less_than_its_halves_apart(void)
{
    struct gpu_job job = still_job();
    struct gpu_batch both = of(1, 512, 64, 900), prompt = of(1, 512, 0, 0),
                     decode = of(0, 0, 64, 900);
    CU_ASSERT_TRUE(step_ps(&job, &both) < step_ps(&job, &prompt) + step_ps(&job, &decode));
    CU_ASSERT_TRUE(step_ps(&job, &both) > step_ps(&job, &prompt));
}

static void parts_of_a_step_add_up(void)
{
    struct gpu_job job = still_job();
    struct gpu_batch batch = of(0, 0, 16, 700);
    struct gpu_step_time t = gpu_step_simulate(&job, &batch);
    CU_ASSERT_EQUAL(t.host_ps + t.compute_ps + t.collective_ps + t.idle_ps, t.ps);
    CU_ASSERT_TRUE(0 < t.small_ps && t.small_ps < t.isolated_ps);
    CU_ASSERT_TRUE(llabs(t.isolated_ps - t.compute_ps) < t.compute_ps / 100);
}

/* Decode steps are captured: a straight line in layers. Eager ones owe a little to the first. */
static void few_layers_tell_of_many(void)
{
    struct gpu_job job = still_job();
    struct gpu_batch decode = of(0, 0, 16, 700), mixed = of(2, 700, 16, 700);
    struct gpu_step_time full = gpu_step_simulate(&job, &decode),
                         fast = gpu_step_extrapolate(&job, &decode);
    CU_ASSERT_TRUE(llabs(full.ps - fast.ps) <= full.ps / 1000);
    CU_ASSERT_EQUAL(full.kernels, fast.kernels);
    int64_t slow = step_ps(&job, &mixed);
    CU_ASSERT_TRUE(llabs(slow - gpu_step_extrapolate(&job, &mixed).ps) <= slow / 50);
}

/* Sums over draws; with few layers the estimate is the step itself. */
static void estimates_have_the_mean_of_whole_steps(void)
{
    struct gpu_job job = fixture_job();
    struct gpu_batch decode = of(0, 0, 16, 700);
    job.frozen = 1U << GPU_SOURCE_RUN;
    job.model.layers = 10;
    CU_ASSERT_EQUAL(gpu_step_estimate_ps(&job, &decode), gpu_step_simulate(&job, &decode).ps);
    job.model.layers = 24;
    int64_t whole = 0, estimate = 0, draws = 24;
    for (job.seed = 1; job.seed <= (uint64_t)draws; job.seed++) {
        whole += gpu_step_simulate(&job, &decode).ps;
        estimate += gpu_step_estimate_ps(&job, &decode);
    }
    CU_ASSERT_TRUE(whole / draws > gpu_step_extrapolate(&job, &decode).ps);
    CU_ASSERT_TRUE(llabs(whole - estimate) <= whole / 100);
}

/* One layer of three, and the first beyond, sees all keys, the others a window; steps far beyond
 * the window tell them apart. */
static void layers_with_windows_come_again(void)
{
    struct gpu_job job = still_job();
    job.model.sliding_window = 128;
    for (int64_t i = 0; i < job.model.layers; i += 3)
        job.model.full_layer[0] |= UINT64_C(1) << i;
    job.model.max_positions = 1 << 17;
    job.bucket.max_sequence = 1 << 17;
    struct gpu_batch decode = of(0, 0, 16, 100000);
    int64_t full = step_ps(&job, &decode), fast = gpu_step_extrapolate(&job, &decode).ps;
    CU_ASSERT_TRUE(llabs(full - fast) <= full / 1000);
}

/* Two stages: the second begins when the first is through. */
static void a_step_ends_with_its_last_gpu(void)
{
    struct gpu_job job = still_job(), split = job;
    struct gpu_batch batch = of(0, 0, 16, 700);
    job.cluster.tensor_parallel = split.cluster.tensor_parallel = 4;
    split.cluster.pipeline_parallel = 2;
    int64_t whole = step_ps(&job, &batch), halves = step_ps(&split, &batch);
    CU_ASSERT_TRUE(4 * halves > 3 * whole && 4 * halves < 5 * whole);
}

/* The engine's part is before the first launch, so it adds to the whole, prompts or none. */
static void host_time_of_the_engine_adds_up(void)
{
    struct gpu_job job = still_job(), bare = job;
    struct gpu_batch batch[2] = {of(0, 0, 16, 700), of(2, 700, 16, 700)};
    job.chip.engine_sequence_ps = 7 * 1000000;
    bare.chip.engine_schedule_ps = bare.chip.engine_inputs_ps = bare.chip.engine_sampling_ps = 0;
    for (size_t i = 0; i < 2; i++) {
        int64_t host = job.chip.engine_schedule_ps + job.chip.engine_inputs_ps +
                       job.chip.engine_sampling_ps +
                       gpu_batch_sequences(&batch[i]) * job.chip.engine_sequence_ps;
        CU_ASSERT_EQUAL(step_ps(&job, &batch[i]), host + step_ps(&bare, &batch[i]));
    }
}

static void mixed_steps_do_not_see_partitions(void)
{
    struct gpu_job job = fixture_job();
    const struct gpu_batch agenda[] = {of(0, 0, 3, 200), of(2, 96, 3, 201), of(0, 0, 5, 150)};
    job.agenda = agenda;
    job.agenda_steps = 3;
    job.cluster.tensor_parallel = 4;
    job.cluster.pipeline_parallel = 2;
    uint64_t digest[2];
    for (int32_t k = 0; k < 2; k++) {
        int32_t partitions = k == 0 ? 1 : 3;
        struct gpu_world *world[3];
        for (int32_t i = 0; i < partitions; i++) {
            world[i] = gpu_world_create(&job, i, partitions);
        }
        fixture_run(world, partitions);
        int64_t end = fixture_end_ps(world, partitions);
        for (int32_t i = 0; i < partitions; i++) {
            CU_ASSERT_TRUE(gpu_world_finished(world[i]));
            gpu_world_close(world[i], end);
        }
        digest[k] = fixture_digest(world, partitions);
        for (int32_t i = 0; i < partitions; i++) {
            gpu_world_free(world[i]);
        }
    }
    CU_ASSERT_EQUAL(digest[0], digest[1]);
}

TEST_MAIN("batch", TEST(sums_run_over_groups),
          TEST(an_agenda_that_says_what_the_workload_says_runs_the_same),
          TEST(a_step_grows_with_sequences_keys_and_prompts),
          TEST(a_mixed_step_takes_less_than_its_halves_apart), TEST(parts_of_a_step_add_up),
          TEST(parts_of_prompts_do_not_sample), TEST(few_layers_tell_of_many),
          TEST(estimates_have_the_mean_of_whole_steps), TEST(layers_with_windows_come_again),
          TEST(a_step_ends_with_its_last_gpu), TEST(host_time_of_the_engine_adds_up),
          TEST(mixed_steps_do_not_see_partitions))
