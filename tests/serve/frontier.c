/* SPDX-License-Identifier: BSD-3-Clause */
/* The search for the highest good rate, on machines whose percentiles are formulas of the rate. */
#include "serve/frontier.h"

#include "base/memory.h"
#include "test.h"

enum { HIGHEST = 256 }; /* so that rates looked at are whole numbers */

/* TTFT is the rate in picoseconds, TPOT rises where the rate does beyond 100, and beyond 200 one
 * request in ten is refused. */
struct plain {
    int measured, stops_at; /* stops_at 0: never */
};

static bool measure(void *context, double rate, struct serve_point *point)
{
    struct plain *plain = context;
    if (++plain->measured == plain->stops_at)
        return false;
    bool refuses = rate > 200;
    point->measures.requests = 110;
    point->measures.fate[SERVE_TOO_LONG] = 10;
    point->measures.fate[SERVE_TOO_LATE] = refuses ? 10 : 1;
    point->measures.fate[SERVE_FINISHED] = refuses ? 90 : 99;
    point->measures.ttft.p99_ps = (int64_t)rate;
    point->measures.tpot.p99_ps = rate > 100 ? 20 : 10;
    return true;
}

/* Asks one curve about one pair of limits. */
static struct serve_frontier found(struct serve_curve *curve, int64_t ttft_ps, int64_t tpot_ps)
{
    struct serve_limits limits = {ttft_ps, tpot_ps};
    struct serve_frontier frontier;
    CU_ASSERT_TRUE(serve_frontier_find(curve, &limits, HIGHEST, &frontier));
    return frontier;
}

static void the_limit_that_breaks_first_decides(void)
{
    struct plain plain = {0};
    struct serve_curve curve = {.measure = measure, .context = &plain};
    static const struct {
        struct serve_limits limits;
        double rate;
        enum serve_verdict verdict;
    } cases[] = {{{77, 0}, 77, SERVE_TTFT_BROKEN},    {{77, 10}, 77, SERVE_TTFT_BROKEN},
                 {{150, 10}, 100, SERVE_TPOT_BROKEN}, {{0, 0}, 200, SERVE_REFUSING},
                 {{0, 9}, 0, SERVE_TPOT_BROKEN},      {{1, 0}, 1, SERVE_TTFT_BROKEN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct serve_frontier f = found(&curve, cases[i].limits.ttft_ps, cases[i].limits.tpot_ps);
        CU_ASSERT_DOUBLE_EQUAL(f.rate, cases[i].rate, 1e-9);
        CU_ASSERT_EQUAL(f.verdict, cases[i].verdict);
    }
    serve_curve_release(&curve);
}

static bool measure_easy(void *context, double rate, struct serve_point *point)
{
    (void)context, (void)rate;
    point->measures.requests = point->measures.fate[SERVE_FINISHED] = 1;
    return true;
}

static void the_highest_rate_may_keep_them_too(void)
{
    struct serve_curve curve = {.measure = measure_easy};
    struct serve_frontier f = found(&curve, 1, 1);
    CU_ASSERT_EQUAL(f.rate, HIGHEST);
    CU_ASSERT_EQUAL(f.verdict, SERVE_KEPT);
    CU_ASSERT_EQUAL(curve.count, 1);
    serve_curve_release(&curve);
}

static void no_rate_is_measured_twice(void)
{
    struct plain plain = {0};
    struct serve_curve curve = {.measure = measure, .context = &plain};
    for (int64_t ttft = 1; ttft <= 256; ttft++)
        found(&curve, ttft, 0);
    CU_ASSERT_EQUAL((size_t)plain.measured, curve.count);
    CU_ASSERT_TRUE(curve.count <= SERVE_FRONTIER_STEPS);
    for (size_t i = 1; i < curve.count; i++)
        CU_ASSERT_TRUE(curve.point[i - 1].rate < curve.point[i].rate);
    serve_curve_release(&curve);
}

static void a_stop_ends_the_search(void)
{
    struct plain plain = {.stops_at = 3};
    struct serve_curve curve = {.measure = measure, .context = &plain};
    struct serve_limits limits = {77, 0};
    struct serve_frontier frontier;
    CU_ASSERT_FALSE(serve_frontier_find(&curve, &limits, HIGHEST, &frontier));
    CU_ASSERT_PTR_NULL(serve_curve_at(&curve, 5));
    CU_ASSERT_EQUAL(plain.measured, 3);
    serve_curve_release(&curve);
}

TEST_MAIN("frontier", TEST(the_limit_that_breaks_first_decides),
          TEST(the_highest_rate_may_keep_them_too), TEST(no_rate_is_measured_twice),
          TEST(a_stop_ends_the_search))
