/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows of dynamic batching, said by hand. Iterations take a second. */
#include "serve/replicas.h"
#include "test.h"

static const int64_t s = 1000000000000;

/* Tokens of the largest iteration, sequences of the smallest. */
struct extremes {
    int64_t most_tokens, least_sequences;
};

static int64_t second(void *context, int32_t replica, int64_t iteration,
                      const struct gpu_batch *batch)
{
    struct extremes *extremes = context;
    int64_t tokens = gpu_batch_tokens(batch), sequences = gpu_batch_sequences(batch);
    (void)replica;
    (void)iteration;
    if (tokens > extremes->most_tokens)
        extremes->most_tokens = tokens;
    if (sequences < extremes->least_sequences)
        extremes->least_sequences = sequences;
    return s;
}

/* At most 4 at a time, 3 seconds of delay. */
static struct serve_rules rules_of(int32_t preferred)
{
    return (struct serve_rules){.batching = SERVE_DYNAMIC,
                                .budget_tokens = 1000,
                                .max_sequences = 4,
                                .splits_prompts = true,
                                .blocks = 1000,
                                .block_tokens = 16,
                                .batch_delay_ps = 3 * s,
                                .preferred_sequences = preferred};
}

static struct extremes run(struct serve_rules rules, struct serve_request *request,
                           struct serve_outcome *outcome, size_t count)
{
    struct extremes extremes = {0, INT64_MAX};
    const struct serve_replicas one = {.count = 1, .rules = rules, .clock = {second, &extremes}};
    struct serve_load load = {request, outcome, count, count, NULL, NULL, false};
    struct serve_tally tally = {0};
    serve_replicas_run(&one, &load, &tally);
    return extremes;
}

static void a_lone_request_waits_for_the_delay(void)
{
    struct serve_request request[] = {{s, 10, 2, 0}};
    struct serve_outcome outcome[1];
    run(rules_of(2), request, outcome, 1);
    CU_ASSERT_EQUAL(outcome[0].admitted_ps, 4 * s);
    CU_ASSERT_EQUAL(outcome[0].first_token_ps, 5 * s);
    CU_ASSERT_EQUAL(outcome[0].finished_ps, 6 * s);
}

static void a_preferred_number_goes_at_once(void)
{
    struct serve_request request[] = {{0, 10, 2, 0}, {s, 10, 2, 0}};
    struct serve_outcome outcome[2];
    run(rules_of(2), request, outcome, 2);
    CU_ASSERT_EQUAL(outcome[0].admitted_ps, s);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, s);
}

/* Two of three go at once; the third one's delay ends while nobody is in. */
static void the_rest_of_a_multiple_waits_for_its_own_delay(void)
{
    struct serve_request request[] = {{0, 10, 2, 0}, {0, 10, 2, 0}, {0, 10, 2, 0}};
    struct serve_outcome outcome[3];
    run(rules_of(2), request, outcome, 3);
    CU_ASSERT_EQUAL(outcome[1].finished_ps, 2 * s);
    CU_ASSERT_EQUAL(outcome[2].admitted_ps, 3 * s);
}

/* Three came while a batch ran for five seconds: the first of them has waited long enough, so all
 * go. */
static void after_the_delay_all_go(void)
{
    struct serve_request request[] = {
        {0, 10, 5, 0}, {0, 10, 5, 0}, {s, 10, 1, 0}, {4 * s, 10, 1, 0}, {4 * s, 10, 1, 0}};
    struct serve_outcome outcome[5];
    run(rules_of(2), request, outcome, 5);
    for (int i = 2; i < 5; i++)
        CU_ASSERT_EQUAL(outcome[i].admitted_ps, 5 * s);
}

static void without_a_preference_the_largest_batch_is_preferred(void)
{
    struct serve_request request[] = {
        {0, 10, 1, 0}, {0, 10, 1, 0}, {s, 10, 1, 0}, {2 * s, 10, 1, 0}, {2 * s, 10, 1, 0}};
    struct serve_outcome outcome[5];
    int64_t largest = run(rules_of(0), request, outcome, 5).most_tokens;
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(outcome[i].admitted_ps, 2 * s);
    CU_ASSERT_EQUAL(outcome[4].admitted_ps, 5 * s);
    CU_ASSERT_EQUAL(largest, 40);
}

/* The short answer is out after a second, its place free after five; prompts are as long as the
 * longest. */
static void finished_sequences_stay_until_the_batch_ends(void)
{
    struct serve_request request[] = {{0, 10, 1, 0}, {0, 20, 5, 0}, {s, 10, 1, 0}, {s, 10, 1, 0}};
    struct serve_outcome outcome[4];
    struct extremes extremes = run(rules_of(2), request, outcome, 4);
    CU_ASSERT_EQUAL(outcome[0].finished_ps, s);
    CU_ASSERT_EQUAL(outcome[1].finished_ps, 5 * s);
    CU_ASSERT_EQUAL(outcome[1].longest_gap_ps, s);
    CU_ASSERT_EQUAL(outcome[2].admitted_ps, 5 * s);
    CU_ASSERT_EQUAL(extremes.most_tokens, 2 * 20);
    CU_ASSERT_EQUAL(extremes.least_sequences, 2);
}

/* Two padded to 40 + 8 positions need 6 blocks of 16, three 9. */
static void a_batch_is_as_large_as_fits_the_cache(void)
{
    struct serve_request request[] = {{0, 40, 4, 0}, {0, 10, 8, 0}, {0, 10, 8, 0}, {0, 10, 8, 0}};
    struct serve_outcome outcome[4];
    struct serve_rules rules = rules_of(4);
    rules.blocks = 8;
    run(rules, request, outcome, 4);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, 0);
    CU_ASSERT_EQUAL(outcome[2].admitted_ps, 8 * s);
}

/* 40 positions of two prompts pass ten by ten, five of each. */
static void prompts_share_the_budget(void)
{
    struct serve_request request[] = {{0, 20, 1, 0}, {0, 20, 1, 0}};
    struct serve_outcome outcome[2];
    struct serve_rules rules = rules_of(2);
    rules.budget_tokens = 10;
    CU_ASSERT_EQUAL(run(rules, request, outcome, 2).most_tokens, 10);
    CU_ASSERT_EQUAL(outcome[0].first_token_ps, 4 * s);
    rules.budget_tokens = 39;
    rules.splits_prompts = false; /* one fits whole, two do not */
    run(rules, request, outcome, 2);
    CU_ASSERT_EQUAL(outcome[0].admitted_ps, 0);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, 3 * s);
}

TEST_MAIN("dynamic", TEST(a_lone_request_waits_for_the_delay),
          TEST(a_preferred_number_goes_at_once),
          TEST(the_rest_of_a_multiple_waits_for_its_own_delay), TEST(after_the_delay_all_go),
          TEST(without_a_preference_the_largest_batch_is_preferred),
          TEST(finished_sequences_stay_until_the_batch_ends),
          TEST(a_batch_is_as_large_as_fits_the_cache), TEST(prompts_share_the_budget))
