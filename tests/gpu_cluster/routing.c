/* SPDX-License-Identifier: BSD-3-Clause */
/* Experts drawn for tokens: each token's are different, all are as likely, and a step of a mixture
 * launches what it should. */
#include "gpu_cluster/routing.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cluster_fixture.h"
#include "test.h"

enum { EXPERTS = 8, LAYERS = 4 };

static void every_token_chooses_different_experts(void)
{
    int32_t rows[EXPERTS];
    for (int64_t chosen = 1; chosen <= EXPERTS; chosen++) {
        struct gpu_experts shape = {.rows = 1, .experts = EXPERTS, .chosen = chosen};
        for (int32_t step = 0; step < 50; step++) {
            int64_t all = 0;
            gpu_routing_draw(&shape, 1, 0, step, rows);
            for (int e = 0; e < EXPERTS; e++) {
                CU_ASSERT_TRUE(rows[e] == 0 || rows[e] == 1);
                all += rows[e];
            }
            CU_ASSERT_EQUAL(all, chosen);
        }
    }
}

/* 24,000 choices: each of 8 experts 3,000 times, with a standard deviation of about 50. */
static void all_experts_are_as_likely(void)
{
    struct gpu_experts shape = {.rows = 8000, .experts = EXPERTS, .chosen = 3};
    int32_t rows[EXPERTS];
    gpu_routing_draw(&shape, 7, 5, 3, rows);
    for (int e = 0; e < EXPERTS; e++)
        CU_ASSERT_TRUE(abs(rows[e] - 3000) < 200);
}

/* How many experts one token a step touches in 400 steps of one layer, of 128: as the graph
 * expects. */
static void as_many_experts_are_touched_as_the_graph_expects(void)
{
    struct gpu_experts shape = {.rows = 16, .experts = 128, .chosen = 8};
    int32_t rows[128];
    int64_t touched = 0;
    for (int32_t step = 0; step < 400; step++) {
        gpu_routing_draw(&shape, 1, 0, step, rows);
        for (int e = 0; e < 128; e++)
            touched += rows[e] > 0;
    }
    double expected = 128 * (1 - pow(1 - 8.0 / 128, 16));
    CU_ASSERT_DOUBLE_EQUAL((double)touched / 400, expected, 1);
}

static bool are_equal(const int32_t *a, const int32_t *b)
{
    for (int e = 0; e < EXPERTS; e++)
        if (a[e] != b[e])
            return false;
    return true;
}

static void a_choice_depends_on_seed_layer_and_step(void)
{
    struct gpu_experts shape = {.rows = 40, .experts = EXPERTS, .chosen = 2};
    int32_t first[EXPERTS], other[EXPERTS];
    gpu_routing_draw(&shape, 1, 2, 3, first);
    gpu_routing_draw(&shape, 1, 2, 3, other);
    CU_ASSERT_TRUE(are_equal(first, other));
    gpu_routing_draw(&shape, 2, 2, 3, other);
    CU_ASSERT_FALSE(are_equal(first, other));
    gpu_routing_draw(&shape, 1, 3, 3, other);
    CU_ASSERT_FALSE(are_equal(first, other));
    gpu_routing_draw(&shape, 1, 2, 4, other);
    CU_ASSERT_FALSE(are_equal(first, other));
    struct gpu_routing routing = {0};
    CU_ASSERT_TRUE(are_equal(gpu_routing_rows(&routing, &shape, 1, 2, 4), other));
    CU_ASSERT_TRUE(are_equal(gpu_routing_rows(&routing, &shape, 1, 2, 3), first));
    base_free(routing.rows);
}

static struct gpu_job mixture_job(int64_t shared_ffn)
{
    struct gpu_job job = fixture_job();
    job.model.layers = LAYERS;
    job.model.experts = EXPERTS;
    job.model.experts_per_token = 2;
    job.model.expert_ffn = 1024;
    job.model.shared_ffn = shared_ffn;
    job.model.sliding_window = 64;
    job.model.full_layer[0] = 2; /* layer 1 */
    return job;
}

static int64_t count_kernels(const struct gpu_tables *tables, enum gpu_op op)
{
    int64_t count = 0;
    for (size_t i = 0; i < tables->kernels; i++)
        count += tables->kernel[i].op == (int32_t)op;
    return count;
}

/* 8 GPUs, 5 steps. */
static void a_layer_of_experts_has_its_kernels_and_two_all_reduces(void)
{
    static const int64_t steps = 8 * 5 * LAYERS;
    for (int64_t shared = 0; shared <= 512; shared += 512) {
        struct gpu_job job = mixture_job(shared);
        struct gpu_world *world = gpu_world_create(&job, 0, 1);
        CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
        gpu_world_close(world, fixture_end_ps(&world, 1));
        struct gpu_tables t = gpu_world_tables(world);
        CU_ASSERT_EQUAL(t.collectives, 2 * steps + 8 * 5);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_CHOOSE), steps);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_EXPERTS_GATE_UP), steps);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_EXPERTS_DOWN), steps);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_ROUTER), (shared ? 2 : 1) * steps);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_COMBINE), (shared ? 2 : 1) * steps);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_ACTIVATE), (shared ? 2 : 1) * steps);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_GATE_UP), shared ? steps : 0);
        CU_ASSERT_EQUAL(count_kernels(&t, GPU_OP_DOWN), shared ? steps : 0);
        gpu_world_free(world);
    }
}

static uint64_t digest_on(const struct gpu_job *job, int32_t partitions)
{
    struct gpu_world *world[3];
    for (int32_t i = 0; i < partitions; i++)
        world[i] = gpu_world_create(job, i, partitions);
    fixture_run(world, partitions);
    int64_t end = fixture_end_ps(world, partitions);
    for (int32_t i = 0; i < partitions; i++)
        gpu_world_close(world[i], end);
    uint64_t digest = fixture_digest(world, partitions);
    for (int32_t i = 0; i < partitions; i++)
        gpu_world_free(world[i]);
    return digest;
}

static void a_mixture_does_not_depend_on_partitions_but_on_the_seed(void)
{
    struct gpu_job job = mixture_job(0);
    job.bucket.batch = 4; /* tokens share experts, or do not */
    job.chip.kernel_jitter_cv = 0;
    job.chip.launch_jitter_cv = 0;
    job.chip.run_jitter_cv = 0;
    job.cluster.neighbour = false;
    uint64_t one = digest_on(&job, 1);
    CU_ASSERT_EQUAL(one, digest_on(&job, 3));
    job.seed = 2;
    CU_ASSERT_NOT_EQUAL(one, digest_on(&job, 1));
}

TEST_MAIN("routing", TEST(every_token_chooses_different_experts), TEST(all_experts_are_as_likely),
          TEST(as_many_experts_are_touched_as_the_graph_expects),
          TEST(a_choice_depends_on_seed_layer_and_step),
          TEST(a_layer_of_experts_has_its_kernels_and_two_all_reduces),
          TEST(a_mixture_does_not_depend_on_partitions_but_on_the_seed))
