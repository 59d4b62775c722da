/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawn requests: rates, variation and lengths are what was asked for, and request i is the same
 * whatever is drawn behind it. */
#include "serve/draws.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "test.h"

enum { MANY = 200000 };
static const double SECOND_PS = 1e12;

/* Quantile of a normal number: 99.9 % of all lie within, on both sides; seeds are fixed, so that a
 * test passes always or never. */
static const double Z = 3.29;

static struct serve_source source_of(enum serve_arrivals arrivals)
{
    return (struct serve_source){.arrivals = arrivals,
                                 .rate = 50,
                                 .arrival_cv = 1,
                                 .burst_on_ps = INT64_C(200000000000),
                                 .burst_off_ps = INT64_C(600000000000),
                                 .prompt_mean = 1155,
                                 .prompt_cv = 1,
                                 .output_mean = 211,
                                 .output_cv = 0.5};
}

static struct serve_request *drawn(const struct serve_source *source, uint64_t seed, size_t count)
{
    struct serve_request *request = base_alloc(count, sizeof *request);
    CU_ASSERT_TRUE(serve_draws_take(source, seed, count, request));
    return request;
}

struct moments {
    double mean, cv;
};

static struct moments moments_of(const double *x, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i];
    for (size_t i = 0; i < count; i++)
        squares += (x[i] - sum / (double)count) * (x[i] - sum / (double)count);
    return (struct moments){sum / (double)count,
                            sqrt(squares / (double)(count - 1)) / (sum / (double)count)};
}

/* Intervals in seconds, of which the first begins at 0. */
static struct moments intervals_of(const struct serve_source *source, uint64_t seed)
{
    struct serve_request *request = drawn(source, seed, MANY);
    double *x = base_alloc(MANY, sizeof *x);
    for (size_t i = 0; i < MANY; i++) {
        int64_t before = i > 0 ? request[i - 1].arrival_ps : 0;
        CU_ASSERT_FATAL(request[i].arrival_ps >= before);
        x[i] = (double)(request[i].arrival_ps - before) / SECOND_PS;
    }
    struct moments m = moments_of(x, MANY);
    base_free(x);
    base_free(request);
    return m;
}

/* The mean of MANY independent intervals. */
static void has_rate(struct moments m, double rate, double cv)
{
    CU_ASSERT_DOUBLE_EQUAL(m.mean * rate, 1, Z * cv / sqrt(MANY));
}

static void poisson_intervals_have_the_rate_and_a_cv_of_one(void)
{
    struct serve_source source = source_of(SERVE_POISSON);
    struct moments m = intervals_of(&source, 7);
    has_rate(m, 50, 1);
    /* Variance of the estimate of a CV of exponential numbers: (mu4 / s^4 - 1) / 4 - ... = 1 / n:
     * the delta method with central moments 1, 2, 9 gives (9 - 1) / 4 - 2 + 1. */
    CU_ASSERT_DOUBLE_EQUAL(m.cv, 1, Z * 1 / sqrt(MANY));
}

/* Counts in windows of a Poisson process have a variance that is their mean. */
static void poisson_counts_are_as_variable_as_they_are_many(void)
{
    enum { WINDOWS = 4000 };
    static double count[WINDOWS];
    struct serve_source source = source_of(SERVE_POISSON);
    struct serve_request *request = drawn(&source, 11, MANY);
    for (size_t i = 0; i < MANY; i++) {
        int64_t window = request[i].arrival_ps / INT64_C(1000000000000);
        if (window < WINDOWS)
            count[window]++;
    }
    struct moments m = moments_of(count, WINDOWS);
    double dispersion = m.cv * m.cv * m.mean;
    CU_ASSERT_TRUE(request[MANY - 1].arrival_ps > WINDOWS * INT64_C(990000000000));
    CU_ASSERT_DOUBLE_EQUAL(dispersion, 1, Z * sqrt(2.0 / (WINDOWS - 1)) + 0.01);
    base_free(request);
}

/* Fourth central moment of a gamma number of mean 1 and shape k: 3 / k^2 + 6 / k^3; third 2 / k^2.
 */
static double gamma_cv_error(double cv)
{
    double k = 1 / (cv * cv), variance = 1 / k;
    double third = 2 / (k * k), fourth = 3 / (k * k) + 6 / (k * k * k);
    double of_cv = (fourth / (variance * variance) - 1) / 4 - third / variance + variance;
    return cv * sqrt(of_cv / MANY);
}

static void gamma_intervals_have_the_cv_that_is_wished_for(void)
{
    static const double cv[] = {0.1, 0.5, 1, 2, 4};
    struct serve_source source = source_of(SERVE_GAMMA);
    for (size_t i = 0; i < sizeof cv / sizeof cv[0]; i++) {
        source.arrival_cv = cv[i];
        struct moments m = intervals_of(&source, 100 + i);
        has_rate(m, 50, cv[i]);
        CU_ASSERT_DOUBLE_EQUAL(m.cv, cv[i], Z * gamma_cv_error(cv[i]));
    }
}

/* An interrupted Poisson process: squared CV of intervals 1 + 2 a s / (s + w)^2, where s and w are
 * the rates of leaving and of entering the time on, and a is the rate while on (A. Kuczura, "The
 * interrupted Poisson process as an overflow process", Bell System Technical Journal 52, 1973). */
static void bursts_keep_the_rate_and_have_kuczuras_variation(void)
{
    struct serve_source source = source_of(SERVE_BURSTS);
    double leave = 1 / 0.2, enter = 1 / 0.6, on = 50 * (leave + enter) / enter;
    double cv = sqrt(1 + 2 * on * leave / ((leave + enter) * (leave + enter)));
    struct moments m = intervals_of(&source, 23);
    has_rate(m, 50, cv);
    CU_ASSERT_DOUBLE_EQUAL(m.cv, cv, 0.03 * cv);
    CU_ASSERT_TRUE(cv > 5);
}

static void bursts_without_pauses_are_poisson(void)
{
    struct serve_source bursts = source_of(SERVE_BURSTS), plain = source_of(SERVE_POISSON);
    bursts.burst_off_ps = 0;
    struct serve_request *a = drawn(&bursts, 3, 1000), *b = drawn(&plain, 3, 1000);
    CU_ASSERT_EQUAL(memcmp(a, b, 1000 * sizeof *a), 0);
    base_free(a);
    base_free(b);
}

/* A source that is met at any moment is off with its share of time off. */
static void bursts_begin_anywhere(void)
{
    struct serve_source source = source_of(SERVE_BURSTS);
    source.rate = 1000;
    enum { SOURCES = 4000 };
    int late = 0;
    for (uint64_t seed = 0; seed < SOURCES; seed++) {
        struct serve_request first;
        CU_ASSERT_TRUE(serve_draws_take(&source, seed, 1, &first));
        late += first.arrival_ps > INT64_C(10000000000); /* 40 mean intervals of a time on */
    }
    /* Off at the start (0.75) and for 10 ms more, or on and over within few intervals. */
    double share = 0.75 * exp(-0.01 / 0.6);
    CU_ASSERT_DOUBLE_EQUAL((double)late / SOURCES, share, Z * sqrt(0.75 * 0.25 / SOURCES) + 0.002);
}

static void even_arrivals_are_one_interval_apart(void)
{
    struct serve_source source = source_of(SERVE_EVEN);
    struct serve_request *request = drawn(&source, 1, 100);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(request[i].arrival_ps, (i + 1) * INT64_C(20000000000));
    base_free(request);
}

/* Rounding moves neither by more than it does single lengths. */
static void lengths_have_their_mean_and_cv(void)
{
    struct serve_source source = source_of(SERVE_POISSON);
    struct serve_request *request = drawn(&source, 5, MANY);
    double *prompt = base_alloc(MANY, sizeof *prompt), *output = base_alloc(MANY, sizeof *output);
    for (size_t i = 0; i < MANY; i++) {
        CU_ASSERT_FATAL(request[i].prompt_tokens > 0 && request[i].output_tokens > 0);
        prompt[i] = request[i].prompt_tokens;
        output[i] = request[i].output_tokens;
    }
    struct moments p = moments_of(prompt, MANY), o = moments_of(output, MANY);
    CU_ASSERT_DOUBLE_EQUAL(p.mean / 1155, 1, Z * 1 / sqrt(MANY) + 1e-3);
    CU_ASSERT_DOUBLE_EQUAL(p.cv, 1, 0.03);
    CU_ASSERT_DOUBLE_EQUAL(o.mean / 211, 1, Z * 0.5 / sqrt(MANY) + 1e-3);
    CU_ASSERT_DOUBLE_EQUAL(o.cv, 0.5, 0.01);
    base_free(prompt);
    base_free(output);
    base_free(request);
}

static void lengths_without_variation_are_the_mean(void)
{
    struct serve_source source = source_of(SERVE_POISSON);
    source.prompt_cv = source.output_cv = 0;
    struct serve_request *request = drawn(&source, 5, 50);
    for (size_t i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(request[i].prompt_tokens, 1155);
        CU_ASSERT_EQUAL(request[i].output_tokens, 211);
    }
    base_free(request);
}

static void a_request_does_not_depend_on_what_is_drawn_behind_it(void)
{
    for (unsigned arrivals = SERVE_POISSON; arrivals <= SERVE_EVEN; arrivals++) {
        struct serve_source source = source_of((enum serve_arrivals)arrivals);
        source.arrival_cv = 3;
        struct serve_request *all = drawn(&source, 77, 5000), *few = drawn(&source, 77, 1234);
        struct serve_request *other = drawn(&source, 78, 1234);
        CU_ASSERT_EQUAL(memcmp(all, few, 1234 * sizeof *few), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(few, other, 1234 * sizeof *few), 0);
        base_free(all);
        base_free(few);
        base_free(other);
    }
}

static void what_lasts_longer_than_a_month_is_refused(void)
{
    struct serve_request request[100];
    for (unsigned arrivals = SERVE_POISSON; arrivals <= SERVE_EVEN; arrivals++) {
        struct serve_source source = source_of((enum serve_arrivals)arrivals);
        source.rate = 1e-6;
        CU_ASSERT_FALSE(serve_draws_take(&source, 1, 100, request));
    }
}

TEST_MAIN("draws", TEST(poisson_intervals_have_the_rate_and_a_cv_of_one),
          TEST(poisson_counts_are_as_variable_as_they_are_many),
          TEST(gamma_intervals_have_the_cv_that_is_wished_for),
          TEST(bursts_keep_the_rate_and_have_kuczuras_variation),
          TEST(bursts_without_pauses_are_poisson), TEST(bursts_begin_anywhere),
          TEST(even_arrivals_are_one_interval_apart), TEST(lengths_have_their_mean_and_cv),
          TEST(lengths_without_variation_are_the_mean),
          TEST(a_request_does_not_depend_on_what_is_drawn_behind_it),
          TEST(what_lasts_longer_than_a_month_is_refused))
