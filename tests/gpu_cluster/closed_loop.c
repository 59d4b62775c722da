/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of the benchmark: times of loops that can be said by hand. */
#include "closed_loop.h"

#include "test.h"

static const int64_t ms = 1000000000;

/* A millisecond, and one more for 100 tokens of prompts. */
static int64_t step_ps(void *context, const struct gpu_batch *batch)
{
    (void)context;
    int64_t prompts = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        const struct gpu_group *group = &batch->group[i];
        prompts += group->prompt ? group->sequences * group->tokens : 0;
    }
    return ms + prompts * ms / 100;
}

static struct closed_loop loop_of(int64_t clients, int64_t budget)
{
    return (struct closed_loop){
        .clients = clients,
        .prompt = 100,
        .output = 11,
        .rounds = 1,
        .shortest = 1,
        .batching = {.budget = budget, .splits_prompts = true, .kv_positions = 1 << 20},
        .step_ps = step_ps,
    };
}

static void one_client_gets_a_token_a_step(void)
{
    struct closed_loop loop = loop_of(1, 1000);
    struct closed_loop_times t = closed_loop_run(&loop);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, 2.0 * (double)ms, 1);
    CU_ASSERT_DOUBLE_EQUAL(t.tpot_ps, (double)ms, 1);
    CU_ASSERT_EQUAL(t.steps, 11);
    CU_ASSERT_EQUAL(t.prompt_steps, 1);
}

static void prompts_of_others_make_tokens_late(void)
{
    struct closed_loop loop = loop_of(2, 101); /* a prompt beside a token */
    struct closed_loop_times t = closed_loop_run(&loop);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, 3.005 * (double)ms, 1e7); /* 1 of 100 goes with the first */
    CU_ASSERT_TRUE(t.tpot_ps > (double)ms);
    loop.batching.prompts_first = true;
    loop.batching.budget = 100;
    struct closed_loop_times apart = closed_loop_run(&loop);
    CU_ASSERT_DOUBLE_EQUAL(apart.ttft_ps, 3.0 * (double)ms, 1);
    CU_ASSERT_DOUBLE_EQUAL(apart.tpot_ps, 1.1 * (double)ms, 1); /* one waits for a prompt */
}

static void whoever_does_not_fit_the_cache_waits(void)
{
    struct closed_loop loop = loop_of(2, 1000);
    loop.batching.kv_positions = 111;
    struct closed_loop_times t = closed_loop_run(&loop);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, (2 + 14) / 2.0 * (double)ms, 1);
    CU_ASSERT_DOUBLE_EQUAL(t.tpot_ps, (double)ms, 1);
}

static void clients_send_one_request_after_the_other(void)
{
    struct closed_loop loop = loop_of(1, 1000);
    loop.rounds = 3;
    loop.client_ps = 5 * ms;
    struct closed_loop_times t = closed_loop_run(&loop);
    CU_ASSERT_EQUAL(t.steps, 33);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, 2.0 * (double)ms, 1);
    CU_ASSERT_EQUAL(t.last_first_ps, 2 * (12 + 5) * ms + 2 * ms);
}

static void drawn_lengths_are_shorter(void)
{
    struct closed_loop loop = loop_of(4, 1000);
    loop.rounds = 20;
    int64_t whole = closed_loop_run(&loop).steps;
    loop.shortest = 0.5;
    struct closed_loop_times a = closed_loop_run(&loop), b = closed_loop_run(&loop);
    CU_ASSERT_TRUE(a.steps < whole);
    CU_ASSERT_TRUE(a.steps == b.steps && a.ttft_ps == b.ttft_ps);
}

TEST_MAIN("closed loop", TEST(one_client_gets_a_token_a_step),
          TEST(prompts_of_others_make_tokens_late), TEST(whoever_does_not_fit_the_cache_waits),
          TEST(clients_send_one_request_after_the_other), TEST(drawn_lengths_are_shorter))
