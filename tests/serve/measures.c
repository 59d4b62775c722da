/* SPDX-License-Identifier: BSD-3-Clause */
/* Percentiles, goodput, queues over time and the books, on outcomes small enough to count by hand.
 */
#include "serve/measures.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "test.h"

static void a_percentile_is_the_nearest_rank(void)
{
    static const int64_t value[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    CU_ASSERT_EQUAL(serve_percentile(value, 10, 50), 5);
    CU_ASSERT_EQUAL(serve_percentile(value, 10, 51), 6);
    CU_ASSERT_EQUAL(serve_percentile(value, 10, 90), 9);
    CU_ASSERT_EQUAL(serve_percentile(value, 10, 99), 10);
    CU_ASSERT_EQUAL(serve_percentile(value, 10, 100), 10);
    CU_ASSERT_EQUAL(serve_percentile(value, 10, 1), 1);
    CU_ASSERT_EQUAL(serve_percentile(value, 1, 99), 1);
}

/* Seconds stand for picoseconds. Five requests: two finished on two replicas, one refused, one
 * being served and one in the queue at the end. */
static const struct serve_request request[] = {
    {0, 10, 3, 0}, {2, 20, 1, 1}, {3, 30, 9, 0}, {4, 40, 8, 0}, {6, 50, 2, 0}};
static const struct serve_outcome outcome[] = {{SERVE_FINISHED, 0, 2, 1, 4, 10, 10, 5},
                                               {SERVE_FINISHED, 1, 0, 2, 8, 8, -1, 0},
                                               {SERVE_TOO_LATE, -1, 0, -1, -1, -1, -1, 0},
                                               {SERVE_WAITING, 1, 1, 8, 9, -1, 30, 0},
                                               {SERVE_WAITING, -1, 0, -1, -1, -1, -1, 0}};

static struct serve_served served(const struct serve_outcome *by)
{
    return (struct serve_served){.machine = "M",
                                 .request = request,
                                 .outcome = by,
                                 .count = 5,
                                 .replicas = 2,
                                 .ttft_limit_ps = 5,
                                 .tpot_limit_ps = 3};
}

static void requests_are_counted_by_their_fate(void)
{
    struct serve_served s = served(outcome);
    struct serve_measures m;
    struct base_report report = {0};
    CU_ASSERT_TRUE(serve_outcomes_check(&s, &report));
    CU_ASSERT_TRUE(serve_measures_take(&s, &m, &report));
    CU_ASSERT_EQUAL(m.requests, 5);
    CU_ASSERT_EQUAL(m.fate[SERVE_FINISHED], 2);
    CU_ASSERT_EQUAL(m.fate[SERVE_TOO_LATE], 1);
    CU_ASSERT_EQUAL(m.fate[SERVE_WAITING], 2);
    CU_ASSERT_EQUAL(m.entered, 4);
    CU_ASSERT_EQUAL(m.horizon_ps, 10);
    CU_ASSERT_EQUAL(m.prompt_tokens, 30);
    CU_ASSERT_EQUAL(m.output_tokens, 4);
    CU_ASSERT_DOUBLE_EQUAL(m.output_tokens_per_s, 4e11, 1);
    CU_ASSERT_EQUAL(m.preemptions, 3);
}

static void times_are_of_those_who_have_them(void)
{
    struct serve_served s = served(outcome);
    struct serve_measures m;
    struct base_report report = {0};
    serve_measures_take(&s, &m, &report);
    CU_ASSERT_EQUAL(m.queue.count, 3); /* 1, 0, 4 */
    CU_ASSERT_EQUAL(m.queue.p50_ps, 1);
    CU_ASSERT_EQUAL(m.queue.max_ps, 4);
    CU_ASSERT_EQUAL(m.ttft.count, 3); /* 4, 6, 5 */
    CU_ASSERT_EQUAL(m.ttft.p50_ps, 5);
    CU_ASSERT_DOUBLE_EQUAL(m.ttft.mean_ps, 5, 1e-12);
    CU_ASSERT_EQUAL(m.tpot.count, 1); /* (10 - 4) / 2 */
    CU_ASSERT_EQUAL(m.tpot.p99_ps, 3);
    CU_ASSERT_EQUAL(m.gap.max_ps, 5);
    CU_ASSERT_EQUAL(m.request.count, 2); /* 10, 6 */
    CU_ASSERT_EQUAL(m.request.p50_ps, 6);
    CU_ASSERT_EQUAL(m.request.p99_ps, 10);
}

/* Waiting: request 0 from 0 to 1, request 3 from 4 to 8, request 4 from 6 to 10. Served: request 0
 * from 1 to 10, request 1 from 2 to 8, request 3 from 8 to 10. */
static void queues_are_weighted_by_time(void)
{
    struct serve_served s = served(outcome);
    struct serve_measures m;
    struct base_report report = {0};
    serve_measures_take(&s, &m, &report);
    CU_ASSERT_DOUBLE_EQUAL(m.waiting.mean, 0.9, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(m.serving.mean, 1.7, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(m.inside.mean, 2.6, 1e-12);
    CU_ASSERT_EQUAL(m.waiting.most, 2);
    CU_ASSERT_EQUAL(m.serving.most, 2);
    CU_ASSERT_EQUAL(m.inside.most, 4);
    CU_ASSERT_DOUBLE_EQUAL(m.inside.mean_s, 26e-12 / 4, 1e-24);
    CU_ASSERT_DOUBLE_EQUAL(m.busy_share, 0.85, 1e-12); /* 9 + 8 of 20 */
}

static void good_is_within_both_limits(void)
{
    static const struct {
        int64_t ttft, tpot, good;
    } limit[] = {{0, 0, 2}, {6, 0, 2}, {5, 0, 1}, {4, 3, 1}, {3, 3, 0}, {0, 2, 1}, {6, 3, 2}};
    for (size_t i = 0; i < sizeof limit / sizeof limit[0]; i++) {
        struct serve_served s = served(outcome);
        struct serve_measures m;
        struct base_report report = {0};
        s.ttft_limit_ps = limit[i].ttft;
        s.tpot_limit_ps = limit[i].tpot;
        serve_measures_take(&s, &m, &report);
        CU_ASSERT_EQUAL(m.good, limit[i].good);
        CU_ASSERT_DOUBLE_EQUAL(m.good_share, (double)limit[i].good / 5, 1e-12);
        CU_ASSERT_DOUBLE_EQUAL(m.good_per_s, (double)limit[i].good * 1e11, 1);
    }
}

/* A mean time between tokens of 3 1/3 is more than 3. */
static void a_mean_is_not_rounded_before_it_is_judged(void)
{
    struct serve_request one = {0, 1, 4, 0};
    struct serve_outcome late = {SERVE_FINISHED, 0, 0, 0, 0, 10, -1, 4};
    struct serve_served s = {"M", &one, &late, 1, 1, 0, 3};
    struct serve_measures m;
    struct base_report report = {0};
    CU_ASSERT_TRUE(serve_measures_take(&s, &m, &report));
    CU_ASSERT_EQUAL(m.tpot.max_ps, 3);
    CU_ASSERT_EQUAL(m.good, 0);
}

/* One outcome changed, and what is said of it. */
static const struct {
    size_t at;
    struct serve_outcome outcome;
    const char *fault;
} broken[] = {
    {0, {SERVE_FINISHED, 0, 0, 1, 4, 10, 11, 5}, "was not finished at the time that it was"},
    {0, {SERVE_FINISHED, 0, 0, 1, 4, -1, -1, 5}, "is finished at no time"},
    {0, {SERVE_FINISHED, 0, 0, 5, 4, 10, -1, 5}, "has its first token before it was admitted"},
    {0, {SERVE_FINISHED, 0, 0, -1, 4, 10, -1, 5}, "has its first token before it was admitted"},
    {0, {SERVE_FINISHED, 0, 0, 1, 11, 10, -1, 5}, "was finished before its first token"},
    {0, {SERVE_FINISHED, 2, 0, 1, 4, 10, -1, 5}, "was admitted by a replica that is not there"},
    {0, {SERVE_FINISHED, 0, 0, 1, 4, 10, -1, 2}, "has a longest gap that is none of its gaps"},
    {0, {SERVE_FINISHED, 0, 0, 1, 4, 10, -1, 7}, "has a longest gap that is none of its gaps"},
    {1, {SERVE_FINISHED, 0, 0, 1, 8, 8, -1, 0}, "was admitted before it arrived"},
    {1, {SERVE_FINISHED, 0, 0, 2, 8, 9, -1, 0}, "has one token, and time between tokens"},
    {2, {SERVE_TOO_LATE, 0, 0, 4, -1, -1, -1, 0}, "is refused, and was admitted"},
    {3, {SERVE_WAITING, 0, 0, 8, 9, 10, -1, 0}, "waits, and is finished"},
    {4, {SERVE_FATES, -1, 0, -1, -1, -1, -1, 0}, "is in no state that there is"},
};

static void the_books_name_the_request_that_breaks_them(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct serve_outcome by[5];
        struct base_report report = {0};
        memcpy(by, outcome, sizeof by);
        by[broken[i].at] = broken[i].outcome;
        struct serve_served s = served(by);
        CU_ASSERT_FALSE(serve_outcomes_check(&s, &report));
        CU_ASSERT_EQUAL_FATAL(report.count, 1);
        char *start = base_format("M: request %zu %s", broken[i].at, broken[i].fault);
        CU_ASSERT_PTR_EQUAL(strstr(report.message[0], start), report.message[0]);
        if (strstr(report.message[0], start) != report.message[0])
            fprintf(stderr, "%s\nnot: %s\n", report.message[0], start);
        base_free(start);
        base_report_release(&report);
    }
}

/* What passes no check: somebody leaves before having come. */
static void littles_law_notices_who_leaves_before_coming(void)
{
    struct serve_request one = {5, 1, 1, 0};
    struct serve_outcome early = {SERVE_FINISHED, 0, 0, 3, 3, 3, -1, 0};
    struct serve_served s = {"M", &one, &early, 1, 1, 0, 0};
    struct serve_measures m;
    struct base_report report = {0};
    CU_ASSERT_FALSE(serve_measures_take(&s, &m, &report));
    CU_ASSERT_EQUAL_FATAL(report.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], "M: Little's law does not hold"));
    base_report_release(&report);
}

static void nobody_at_all_is_no_fault(void)
{
    struct serve_request one = {0, 1, 1, 0};
    struct serve_outcome refused = {SERVE_TOO_LONG, -1, 0, -1, -1, -1, -1, 0};
    struct serve_served s = {"M", &one, &refused, 1, 1, 0, 0};
    struct serve_measures m;
    struct base_report report = {0};
    CU_ASSERT_TRUE(serve_outcomes_check(&s, &report));
    CU_ASSERT_TRUE(serve_measures_take(&s, &m, &report));
    CU_ASSERT_EQUAL(m.horizon_ps, 0);
    CU_ASSERT_EQUAL(m.ttft.count, 0);
    CU_ASSERT_EQUAL(m.inside.mean, 0);
}

TEST_MAIN("measures", TEST(a_percentile_is_the_nearest_rank),
          TEST(requests_are_counted_by_their_fate), TEST(times_are_of_those_who_have_them),
          TEST(queues_are_weighted_by_time), TEST(good_is_within_both_limits),
          TEST(a_mean_is_not_rounded_before_it_is_judged),
          TEST(the_books_name_the_request_that_breaks_them),
          TEST(littles_law_notices_who_leaves_before_coming), TEST(nobody_at_all_is_no_fault))
