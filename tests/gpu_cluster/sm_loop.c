/* SPDX-License-Identifier: BSD-3-Clause */
/* The main loop of an SM has the pace of the unit that is busiest, and overlaps what may overlap.
 */
#include "gpu_cluster/sm_loop.h"

#include "test.h"

/* Two groups whose operands are always there. */
static struct gpu_sm_loop computing(void)
{
    return (struct gpu_sm_loop){.blocks = 1,
                                .groups = 2,
                                .pipes = 1,
                                .stages = 4,
                                .issue_cycles = 10,
                                .tensor_cycles = 500,
                                .step_bytes = 1024,
                                .bytes_per_kcycle = 64 * 1024,
                                .latency_cycles = 600};
}

static double step_of(const struct gpu_sm_loop *loop)
{
    return gpu_sm_loop_run(loop, 100).step_cycles;
}

static void groups_share_a_pipe_and_have_pipes_of_their_own(void)
{
    struct gpu_sm_loop loop = computing();
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 1000, 1e-9);
    loop.pipes = 2;
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 510, 1e-9);
    loop.groups = 4;
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 1000, 1e-9);
}

static void loads_give_the_pace_where_bytes_take_longer(void)
{
    struct gpu_sm_loop loop = computing();
    loop.step_bytes = 128 * 1024; /* 2,000 cycles at 65.5 bytes a cycle */
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 2048, 1);
    loop.blocks = 2;
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 4096, 1);
}

/* A load goes out when its stage is free, and a step later where more is staged. */
static void stages_hide_latency(void)
{
    struct gpu_sm_loop loop = computing();
    loop.groups = 1;
    loop.latency_cycles = 5000;
    loop.stages = 1;
    double one = step_of(&loop);
    loop.stages = 2;
    double two = step_of(&loop);
    loop.stages = 16;
    CU_ASSERT_DOUBLE_EQUAL(one, 5000 + 16 + 510, 1);
    CU_ASSERT_DOUBLE_EQUAL(two, one / 2, 10);
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 510, 1e-9);
}

/* Attention: while one group exponentiates, the other multiplies. */
static void one_groups_exponentials_pass_behind_anothers_products(void)
{
    struct gpu_sm_loop loop = computing();
    loop.issue_cycles = 0;
    loop.second_cycles = 500;
    loop.special_cycles = 900;
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 2000, 150); /* 3,800 without overlap */
    loop.groups = 1;
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 500 + 900 + 500, 1e-9);
    loop.groups = 2;
    loop.special_cycles = 1500;
    CU_ASSERT_DOUBLE_EQUAL(step_of(&loop), 3000, 1e-9); /* the units of exponentials are shared */
}

static void a_long_loop_is_fill_and_steps(void)
{
    struct gpu_sm_loop loop = computing();
    struct gpu_sm_time one = gpu_sm_loop_run(&loop, 1), many = gpu_sm_loop_run(&loop, 1000);
    CU_ASSERT_EQUAL(one.fill_cycles, 600 + 16 + 10);
    CU_ASSERT_EQUAL(one.end_cycles, one.fill_cycles + 1000);
    CU_ASSERT_EQUAL(many.end_cycles, one.fill_cycles + 1000 * 1000);
    CU_ASSERT_EQUAL(many.picks, 1000 * 2 * 2); /* steps, groups; issue and matrix instruction */
    double half = (double)gpu_sm_loop_run(&loop, 1.5).end_cycles;
    CU_ASSERT_DOUBLE_EQUAL(half, (double)one.end_cycles + 500, 1);
}

/* More loops than are remembered, then the first again. */
static void answers_do_not_depend_on_what_was_asked_before(void)
{
    struct gpu_sm_loop loop = computing(), other = computing();
    struct gpu_sm_time before = gpu_sm_loop_run(&loop, 77);
    for (int32_t i = 1; i < 20000; i++) {
        other.latency_cycles = i;
        gpu_sm_loop_run(&other, 5);
    }
    struct gpu_sm_time after = gpu_sm_loop_run(&loop, 77);
    CU_ASSERT_EQUAL(before.end_cycles, after.end_cycles);
    CU_ASSERT_EQUAL(before.fill_cycles, after.fill_cycles);
}

TEST_MAIN("main loop of an SM", TEST(groups_share_a_pipe_and_have_pipes_of_their_own),
          TEST(loads_give_the_pace_where_bytes_take_longer), TEST(stages_hide_latency),
          TEST(one_groups_exponentials_pass_behind_anothers_products),
          TEST(a_long_loop_is_fill_and_steps), TEST(answers_do_not_depend_on_what_was_asked_before))
