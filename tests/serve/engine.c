/* SPDX-License-Identifier: BSD-3-Clause */
/* One engine with continuous batching: who takes part in which iteration, said by hand, and what
 * must hold whatever comes. Iterations take a second. */
#include "serve/engine.h"

#include "base/memory.h"
#include "base/random.h"
#include "serve/replicas.h"
#include "test.h"

static const int64_t s = 1000000000000;

/* The batches of a run, in order. */
struct log {
    struct gpu_batch batch[64];
    int32_t count;
};

static int64_t second(void *context, int32_t replica, int64_t iteration,
                      const struct gpu_batch *batch)
{
    struct log *log = context;
    (void)replica;
    if (log && iteration < 64)
        log->batch[log->count++] = *batch;
    return s;
}

static struct serve_rules rules_of(int64_t budget, int64_t blocks)
{
    return (struct serve_rules){.batching = SERVE_CONTINUOUS,
                                .budget_tokens = budget,
                                .max_sequences = budget < 100 ? (int32_t)budget : 100,
                                .splits_prompts = true,
                                .preempts = true,
                                .blocks = blocks,
                                .block_tokens = 1};
}

static struct serve_tally run(const struct serve_rules *rules, struct serve_request *request,
                              struct serve_outcome *outcome, size_t count, struct log *log)
{
    const struct serve_replicas one = {.count = 1, .rules = *rules, .clock = {second, log}};
    struct serve_load load = {request, outcome, count, count, NULL, NULL, false};
    struct serve_tally tally = {0};
    serve_replicas_run(&one, &load, &tally);
    return tally;
}

static int64_t generating(const struct gpu_batch *batch)
{
    const struct gpu_group *last = &batch->group[batch->groups - 1];
    return last->prompt ? 0 : last->sequences;
}

static void check_group(const struct gpu_batch *batch, int32_t number, struct gpu_group want)
{
    const struct gpu_group *group = &batch->group[number];
    CU_ASSERT_TRUE_FATAL(number < batch->groups);
    CU_ASSERT_EQUAL(group->sequences, want.sequences);
    CU_ASSERT_EQUAL(group->tokens, want.tokens);
    CU_ASSERT_EQUAL(group->keys, want.keys);
    CU_ASSERT_EQUAL(group->prompt, want.prompt);
    CU_ASSERT_EQUAL(group->samples, want.samples);
}

static void prompts_fill_what_tokens_leave_of_the_budget(void)
{
    struct serve_request request[] = {{0, 2, 4, 0}, {s, 7, 2, 0}};
    struct serve_outcome outcome[2];
    struct serve_rules rules = rules_of(4, 1000);
    struct log log = {.count = 0};
    run(&rules, request, outcome, 2, &log);
    CU_ASSERT_EQUAL_FATAL(log.count, 5);
    check_group(&log.batch[0], 0, (struct gpu_group){1, 2, 2, true, true});
    check_group(&log.batch[1], 0, (struct gpu_group){1, 3, 3, true, false});
    check_group(&log.batch[1], 1, (struct gpu_group){1, 1, 3, false, true});
    check_group(&log.batch[2], 0, (struct gpu_group){1, 3, 6, true, false});
    check_group(&log.batch[3], 0, (struct gpu_group){1, 1, 7, true, true});
    check_group(&log.batch[3], 1, (struct gpu_group){1, 1, 5, false, true});
    check_group(&log.batch[4], 0, (struct gpu_group){1, 1, 8, false, true});
    CU_ASSERT_EQUAL(outcome[0].finished_ps, 4 * s);
    CU_ASSERT_EQUAL(outcome[1].first_token_ps, 4 * s);
    CU_ASSERT_EQUAL(outcome[1].finished_ps, 5 * s);
}

static void whole_prompts_wait_for_an_iteration_of_their_own(void)
{
    struct serve_request request[] = {{0, 3, 3, 0}, {s, 4, 1, 0}};
    struct serve_outcome outcome[2];
    struct serve_rules rules = rules_of(4, 1000);
    rules.splits_prompts = false;
    rules.preempts = false;
    run(&rules, request, outcome, 2, NULL);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, 3 * s); /* 4 and 1 exceed the budget before */
    rules.prompts_first = true;
    run(&rules, request, outcome, 2, NULL);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, s);
    CU_ASSERT_EQUAL(outcome[0].longest_gap_ps, 2 * s);
    CU_ASSERT_EQUAL(outcome[0].finished_ps, 4 * s);
}

/* Ten positions; A and B need eight each. B leaves when A wants its sixth, passes six again, and
 * comes before C, for which there would be room. */
static void the_youngest_leaves_and_is_recomputed(void)
{
    struct serve_request request[] = {{0, 4, 4, 0}, {0, 4, 4, 0}, {s, 4, 1, 0}};
    struct serve_outcome outcome[3];
    struct serve_rules rules = rules_of(100, 10);
    struct log log = {.count = 0};
    struct serve_tally tally = run(&rules, request, outcome, 3, &log);
    CU_ASSERT_EQUAL(outcome[0].finished_ps, 4 * s);
    CU_ASSERT_EQUAL(outcome[1].finished_ps, 6 * s);
    CU_ASSERT_EQUAL(outcome[0].preemptions, 0);
    CU_ASSERT_EQUAL(outcome[1].preemptions, 1);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, 0);
    CU_ASSERT_EQUAL(outcome[1].longest_gap_ps, 3 * s);
    CU_ASSERT_EQUAL(outcome[2].admitted_ps, 4 * s);
    CU_ASSERT_EQUAL(tally.prompt_tokens, 4 + 4 + 6 + 4);
    CU_ASSERT_EQUAL(tally.output_tokens, 9);
    CU_ASSERT_EQUAL(tally.most_blocks, 10);
    CU_ASSERT_EQUAL_FATAL(log.count, 6);
    check_group(&log.batch[4], 0, (struct gpu_group){2, 5, 5, true, true}); /* of 6 and 4 */
}

static void without_preemption_the_answer_must_fit_too(void)
{
    struct serve_request request[] = {{0, 4, 4, 0}, {0, 4, 4, 0}};
    struct serve_outcome outcome[2];
    struct serve_rules rules = rules_of(100, 10);
    rules.preempts = false;
    struct serve_tally tally = run(&rules, request, outcome, 2, NULL);
    CU_ASSERT_EQUAL(outcome[1].admitted_ps, 4 * s);
    CU_ASSERT_EQUAL(tally.preemptions, 0);
    CU_ASSERT_EQUAL(tally.most_blocks, 8);
}

static void no_more_sequences_are_in_than_may_be(void)
{
    struct serve_request request[] = {{0, 4, 3, 0}, {0, 4, 3, 0}, {0, 4, 3, 0}};
    struct serve_outcome outcome[3];
    struct serve_rules rules = rules_of(100, 1000);
    rules.max_sequences = 2;
    struct serve_tally tally = run(&rules, request, outcome, 3, NULL);
    CU_ASSERT_EQUAL(tally.most_sequences, 2);
    CU_ASSERT_EQUAL(outcome[2].admitted_ps, 3 * s);
}

static void what_can_never_fit_is_refused(void)
{
    struct serve_request request[] = {{0, 8, 3, 0}, {0, 7, 3, 0}, {0, 2, 3, 0}};
    struct serve_outcome outcome[3];
    struct serve_rules rules = rules_of(6, 10);
    run(&rules, request, outcome, 3, NULL);
    CU_ASSERT_EQUAL(outcome[0].fate, SERVE_TOO_LONG);
    CU_ASSERT_EQUAL(outcome[0].finished_ps, -1);
    CU_ASSERT_EQUAL(outcome[1].fate, SERVE_FINISHED);
    rules.splits_prompts = false;
    run(&rules, request, outcome, 3, NULL);
    CU_ASSERT_EQUAL(outcome[1].fate, SERVE_TOO_LONG);
    CU_ASSERT_EQUAL(outcome[2].fate, SERVE_FINISHED);
}

/* Anything between 1 and `most`. */
static int32_t draw(uint64_t trial, uint64_t index, int32_t most)
{
    return 1 + (int32_t)(base_random_u64(7, BASE_RANDOM_PLAY, trial, index) % (uint64_t)most);
}

static struct serve_rules drawn_rules(uint64_t trial)
{
    bool is_dynamic = trial % 4 == 3;
    struct serve_rules rules = {.batching = is_dynamic ? SERVE_DYNAMIC : SERVE_CONTINUOUS,
                                .budget_tokens = 60 + draw(trial, 0, 60),
                                .max_sequences = draw(trial, 1, 12),
                                .prompts_first = draw(trial, 2, 2) == 1,
                                .splits_prompts = draw(trial, 3, 2) == 1,
                                .preempts = draw(trial, 4, 3) > 1,
                                .block_tokens = draw(trial, 5, 16),
                                .front_ps = draw(trial, 6, 2) == 1 ? 0 : s / 2,
                                .batch_delay_ps = draw(trial, 7, 5) * s,
                                .preferred_sequences = draw(trial, 8, 5) - 1};
    rules.blocks = (60 + rules.block_tokens - 1) / rules.block_tokens + draw(trial, 9, 20);
    return rules;
}

enum { REQUESTS = 40 };

static void draw_requests(uint64_t trial, struct serve_request *request)
{
    int64_t at = 0;
    for (uint64_t i = 0; i < REQUESTS; i++) {
        at += draw(trial, 100 + i, 4) == 1 ? draw(trial, 200 + i, 12) * s / 2 : 0;
        request[i] =
            (struct serve_request){at, draw(trial, 300 + i, 30), draw(trial, 400 + i, 30), 0};
    }
}

/* One iteration, from its beginning to its end: what passed is within the budget. */
static void check_iteration(struct serve_engine *engine, const struct serve_rules *rules)
{
    const struct serve_tally *tally = serve_engine_tally(engine);
    int64_t prompts = tally->prompt_tokens, tokens = tally->output_tokens;
    int64_t generate = generating(serve_engine_batch(engine));
    CU_ASSERT_TRUE(tally->most_blocks <= rules->blocks);
    serve_engine_step(engine);
    prompts = tally->prompt_tokens - prompts;
    tokens = tally->output_tokens - tokens;
    CU_ASSERT_TRUE(prompts + generate <= rules->budget_tokens);
    CU_ASSERT_TRUE(prompts + generate > 0);
    CU_ASSERT_TRUE(tokens <= gpu_batch_samples(serve_engine_batch(engine)));
}

static void serve_all(const struct serve_rules *rules, const struct serve_request *request,
                      struct serve_outcome *outcome, struct serve_tally *tally)
{
    const struct serve_clock clock = {second, NULL};
    struct serve_engine *engine = serve_engine_create(3, rules, &clock);
    int32_t next = 0;
    while (next < REQUESTS || serve_engine_next_ps(engine) < SERVE_NEVER) {
        if (next < REQUESTS && request[next].arrival_ps <= serve_engine_next_ps(engine)) {
            serve_engine_push(engine, (size_t)next, &request[next], request[next].arrival_ps,
                              &outcome[next]);
            next++;
        } else if (serve_engine_is_running(engine)) {
            check_iteration(engine, rules);
        } else {
            serve_engine_step(engine);
        }
        CU_ASSERT_TRUE(serve_engine_is_valid(engine));
    }
    CU_ASSERT_EQUAL(serve_engine_outstanding(engine), 0);
    *tally = *serve_engine_tally(engine);
    serve_engine_free(engine);
}

static void check_outcomes(const struct serve_rules *rules, const struct serve_request *request,
                           const struct serve_outcome *outcome, const struct serve_tally *tally)
{
    int64_t prompts = 0, tokens = 0, preemptions = 0, last = 0;
    for (int32_t i = 0; i < REQUESTS; i++) {
        const struct serve_outcome *o = &outcome[i];
        CU_ASSERT_EQUAL(o->fate, SERVE_FINISHED);
        CU_ASSERT_EQUAL(o->replica, 3);
        CU_ASSERT_TRUE(o->admitted_ps >= request[i].arrival_ps + rules->front_ps);
        CU_ASSERT_TRUE(o->first_token_ps > o->admitted_ps);
        CU_ASSERT_TRUE(o->finished_ps - o->first_token_ps >= (request[i].output_tokens - 1) * s);
        CU_ASSERT_TRUE(o->admitted_ps >= last); /* first come, first served */
        last = o->admitted_ps;
        prompts += request[i].prompt_tokens;
        tokens += request[i].output_tokens;
        preemptions += o->preemptions;
    }
    CU_ASSERT_EQUAL(tally->output_tokens, tokens);
    CU_ASSERT_EQUAL(tally->preemptions, preemptions);
    CU_ASSERT_TRUE(tally->prompt_tokens >= prompts);
    CU_ASSERT_EQUAL(tally->busy_ps, tally->iterations * s);
    if (preemptions == 0 && rules->batching == SERVE_CONTINUOUS)
        CU_ASSERT_EQUAL(tally->prompt_tokens, prompts);
}

static void whatever_comes_everybody_is_served_within_blocks_and_budget(void)
{
    int64_t preemptions = 0, batches = 0;
    for (uint64_t trial = 0; trial < 400; trial++) {
        struct serve_rules rules = drawn_rules(trial);
        struct serve_request request[REQUESTS];
        struct serve_outcome outcome[REQUESTS];
        struct serve_tally tally;
        draw_requests(trial, request);
        serve_all(&rules, request, outcome, &tally);
        check_outcomes(&rules, request, outcome, &tally);
        preemptions += tally.preemptions;
        batches += rules.batching == SERVE_DYNAMIC ? tally.iterations : 0;
    }
    CU_ASSERT_TRUE(preemptions > 1000); /* else nothing was tested */
    CU_ASSERT_TRUE(batches > 1000);
}

TEST_MAIN("engine", TEST(prompts_fill_what_tokens_leave_of_the_budget),
          TEST(whole_prompts_wait_for_an_iteration_of_their_own),
          TEST(the_youngest_leaves_and_is_recomputed),
          TEST(without_preemption_the_answer_must_fit_too),
          TEST(no_more_sequences_are_in_than_may_be), TEST(what_can_never_fit_is_refused),
          TEST(whatever_comes_everybody_is_served_within_blocks_and_budget))
