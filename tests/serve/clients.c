/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of a benchmark: times of closed loops that can be said by hand. */
#include "serve/clients.h"

#include "test.h"

static const int64_t ms = 1000000000;

/* A millisecond, and one more for 100 tokens of prompts. */
static int64_t iteration_ps(void *context, int32_t replica, int64_t iteration,
                            const struct gpu_batch *batch)
{
    (void)context;
    (void)replica;
    (void)iteration;
    int64_t prompts = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        const struct gpu_group *group = &batch->group[i];
        prompts += group->prompt ? group->sequences * group->tokens : 0;
    }
    return ms + prompts * ms / 100;
}

static struct serve_clients clients_of(int32_t clients)
{
    return (struct serve_clients){
        .clients = clients, .prompt = 100, .output = 11, .rounds = 1, .shortest = 1};
}

static struct serve_rules rules_of(int64_t budget)
{
    return (struct serve_rules){.budget_tokens = budget,
                                .max_sequences = 100,
                                .splits_prompts = true,
                                .blocks = 1 << 20,
                                .block_tokens = 1};
}

static struct serve_clients_times run(struct serve_clients clients, struct serve_rules rules)
{
    const struct serve_clock clock = {.iteration_ps = iteration_ps};
    return serve_clients_run(&clients, &rules, &clock);
}

static void one_client_gets_a_token_an_iteration(void)
{
    struct serve_clients_times t = run(clients_of(1), rules_of(1000));
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, 2.0 * (double)ms, 1);
    CU_ASSERT_DOUBLE_EQUAL(t.tpot_ps, (double)ms, 1);
    CU_ASSERT_EQUAL(t.tally.iterations, 11);
    CU_ASSERT_EQUAL(t.tally.prompt_iterations, 1);
    CU_ASSERT_EQUAL(t.tally.output_tokens, 11);
}

static void prompts_of_others_make_tokens_late(void)
{
    struct serve_rules rules = rules_of(101); /* a prompt beside a token */
    struct serve_clients_times t = run(clients_of(2), rules);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, 3.005 * (double)ms, 1e7); /* 1 of 100 goes with the first */
    CU_ASSERT_TRUE(t.tpot_ps > (double)ms);
    rules.prompts_first = true;
    rules.budget_tokens = 100;
    struct serve_clients_times apart = run(clients_of(2), rules);
    CU_ASSERT_DOUBLE_EQUAL(apart.ttft_ps, 3.0 * (double)ms, 1);
    CU_ASSERT_DOUBLE_EQUAL(apart.tpot_ps, 1.1 * (double)ms, 1); /* one waits for a prompt */
}

static void whoever_does_not_fit_the_cache_waits(void)
{
    struct serve_rules rules = rules_of(1000);
    rules.blocks = 111;
    struct serve_clients_times t = run(clients_of(2), rules);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, (2 + 14) / 2.0 * (double)ms, 1);
    CU_ASSERT_DOUBLE_EQUAL(t.tpot_ps, (double)ms, 1);
    CU_ASSERT_EQUAL(t.tally.most_blocks, 111);
}

static void clients_send_one_request_after_the_other(void)
{
    struct serve_clients clients = clients_of(1);
    clients.rounds = 3;
    clients.client_ps = 5 * ms;
    struct serve_clients_times t = run(clients, rules_of(1000));
    CU_ASSERT_EQUAL(t.tally.iterations, 33);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, 2.0 * (double)ms, 1);
    CU_ASSERT_EQUAL(t.last_first_ps, 2 * (12 + 5) * ms + 2 * ms);
}

static void a_front_end_passes_requests_on_one_by_one(void)
{
    struct serve_rules rules = rules_of(1000);
    rules.front_ps = 20 * ms;
    struct serve_clients_times t = run(clients_of(2), rules);
    CU_ASSERT_DOUBLE_EQUAL(t.ttft_ps, (22 + 42) / 2.0 * (double)ms, 1);
}

static void drawn_lengths_are_shorter(void)
{
    struct serve_clients clients = clients_of(4);
    clients.rounds = 20;
    int64_t whole = run(clients, rules_of(1000)).tally.iterations;
    clients.shortest = 0.5;
    struct serve_clients_times a = run(clients, rules_of(1000)), b = run(clients, rules_of(1000));
    CU_ASSERT_TRUE(a.tally.iterations < whole);
    CU_ASSERT_TRUE(a.tally.iterations == b.tally.iterations && a.ttft_ps == b.ttft_ps);
}

TEST_MAIN("clients", TEST(one_client_gets_a_token_an_iteration),
          TEST(prompts_of_others_make_tokens_late), TEST(whoever_does_not_fit_the_cache_waits),
          TEST(clients_send_one_request_after_the_other),
          TEST(a_front_end_passes_requests_on_one_by_one), TEST(drawn_lengths_are_shorter))
