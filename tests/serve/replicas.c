/* SPDX-License-Identifier: BSD-3-Clause */
/* Replicas behind a router: who gets which request, in which order things happen. An iteration
 * takes a second on the first replica, two on the others. */
#include "serve/replicas.h"

#include "base/random.h"
#include "test.h"

static const int64_t s = 1000000000000;

static int64_t unequal(void *context, int32_t replica, int64_t iteration,
                       const struct gpu_batch *batch)
{
    (void)context;
    (void)iteration;
    (void)batch;
    return replica == 0 ? s : 2 * s;
}

static struct serve_tally run(int32_t replicas, enum serve_router router,
                              struct serve_request *request, struct serve_outcome *outcome,
                              size_t count)
{
    const struct serve_replicas all = {.count = replicas,
                                       .router = router,
                                       .rules = {.budget_tokens = 1000,
                                                 .max_sequences = 4,
                                                 .splits_prompts = true,
                                                 .preempts = true,
                                                 .blocks = 100,
                                                 .block_tokens = 16},
                                       .clock = {unequal, NULL}};
    struct serve_load load = {request, outcome, count, count, NULL, NULL, false};
    struct serve_tally tally = {0};
    serve_replicas_run(&all, &load, &tally);
    return tally;
}

static void they_take_turns(void)
{
    struct serve_request request[7];
    struct serve_outcome outcome[7];
    for (int i = 0; i < 7; i++)
        request[i] = (struct serve_request){i * s / 2, i == 3 ? 5000 : 10, 5, 0};
    run(3, SERVE_ROUND_ROBIN, request, outcome, 7);
    CU_ASSERT_EQUAL(outcome[3].fate, SERVE_TOO_LONG);
    static const int32_t want[] = {0, 1, 2, -1, 0, 1, 2};
    for (int i = 0; i < 7; i++)
        CU_ASSERT_EQUAL(outcome[i].replica, want[i]);
}

/* What the first replica has left of 10 + 5 is 4, 3, 2 tokens after 1, 2, 3 seconds; the second
 * one has 5 + 5 until two seconds after it began, then 4. */
static void the_least_loaded_one_is_chosen(void)
{
    struct serve_request request[] = {
        {0, 10, 5, 0}, {0, 5, 5, 0}, {s - 1, 1, 1, 0}, {2 * s, 1, 1, 0}, {2 * s, 3, 1, 0}};
    struct serve_outcome outcome[5];
    run(2, SERVE_LEAST_LOADED, request, outcome, 5);
    CU_ASSERT_EQUAL(outcome[0].replica, 0);
    CU_ASSERT_EQUAL(outcome[1].replica, 1);
    CU_ASSERT_EQUAL(outcome[2].replica, 1); /* 15 and 10 */
    CU_ASSERT_EQUAL(outcome[3].replica, 0); /* 3 and 4 + 2: ends come before arrivals */
    CU_ASSERT_EQUAL(outcome[4].replica, 0); /* 5 and 6 */
}

static void requests_come_before_an_iteration_begins(void)
{
    struct serve_request request[] = {{0, 1, 2, 0}, {s, 1, 1, 0}};
    struct serve_outcome outcome[2];
    run(1, SERVE_ROUND_ROBIN, request, outcome, 2);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, s);
    CU_ASSERT_EQUAL(outcome[1].finished_ps, 2 * s);
}

enum { MANY = 3000 };

static void draw_many(struct serve_request *request)
{
    int64_t at = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        double u = base_random_uniform(5, BASE_RANDOM_PLAY, 1, i);
        at += (int64_t)(base_random_exponential(5, BASE_RANDOM_PLAY, 0, i) * 3.2 * (double)s);
        request[i] = (struct serve_request){at, 20, u < 0.1 ? 200 : 5, 0};
    }
}

static double mean_wait_s(const struct serve_request *request, const struct serve_outcome *outcome)
{
    double sum = 0;
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(outcome[i].fate, SERVE_FINISHED);
        sum += (double)(outcome[i].first_token_ps - request[i].arrival_ps) / 1e12 / MANY;
    }
    return sum;
}

/* Answers are short or very long, and the first replica is twice as fast. */
static void seeing_loads_shortens_queues(void)
{
    static struct serve_request request[MANY];
    static struct serve_outcome outcome[MANY];
    draw_many(request);
    struct serve_tally blind = run(4, SERVE_ROUND_ROBIN, request, outcome, MANY);
    double blind_s = mean_wait_s(request, outcome);
    int32_t share[4] = {0};
    struct serve_tally seeing = run(4, SERVE_LEAST_LOADED, request, outcome, MANY);
    double seeing_s = mean_wait_s(request, outcome);
    for (int i = 0; i < MANY; i++)
        share[outcome[i].replica]++;
    CU_ASSERT_TRUE(seeing_s < 0.5 * blind_s);
    for (int i = 1; i < 4; i++) {
        CU_ASSERT_TRUE(share[0] > share[i]);
        CU_ASSERT_TRUE(share[i] > MANY / 6 && share[i] < MANY / 3);
    }
    CU_ASSERT_EQUAL(blind.output_tokens, seeing.output_tokens);
}

static void stop_at_once(void *context, struct serve_load *load, int64_t now_ps,
                         const size_t *finished, size_t count)
{
    (void)context;
    (void)now_ps;
    (void)finished;
    load->stop = count > 0;
}

static void who_is_not_through_is_left_waiting(void)
{
    struct serve_request request[] = {{0, 1, 1, 0}, {0, 1, 3, 0}, {9 * s, 1, 1, 0}};
    struct serve_outcome outcome[3];
    const struct serve_replicas one = {
        .count = 1,
        .rules = {.budget_tokens = 10, .max_sequences = 10, .blocks = 10, .block_tokens = 16},
        .clock = {unequal, NULL}};
    struct serve_load load = {request, outcome, 3, 3, stop_at_once, NULL, false};
    struct serve_tally tally = {0};
    CU_ASSERT_EQUAL(serve_replicas_run(&one, &load, &tally), s);
    CU_ASSERT_EQUAL(outcome[0].fate, SERVE_FINISHED);
    CU_ASSERT_EQUAL(outcome[1].fate, SERVE_WAITING);
    CU_ASSERT_EQUAL(outcome[1].first_token_ps, s);
    CU_ASSERT_EQUAL(outcome[2].fate, SERVE_WAITING);
    CU_ASSERT_EQUAL(outcome[2].replica, -1);
}

TEST_MAIN("replicas", TEST(they_take_turns), TEST(the_least_loaded_one_is_chosen),
          TEST(requests_come_before_an_iteration_begins), TEST(seeing_loads_shortens_queues),
          TEST(who_is_not_through_is_left_waiting))
