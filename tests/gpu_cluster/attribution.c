/* SPDX-License-Identifier: BSD-3-Clause */
/* Shares of variance and tail, of intervals whose answer is known. */
#include "gpu_cluster/attribution.h"

#include <stdbool.h>

#include "base/random.h"
#include "test.h"

enum { REPEATS = 40, STEPS = 500, COUNT = REPEATS * STEPS };

/* 1 us, and where they vary a part with 9 and one with 1 units of variance, and a part that only
 * both together have. */
static int64_t interval(int32_t i, bool large, bool small, bool both)
{
    double x = base_random_normal(7, BASE_RANDOM_LAUNCH, 0, (uint64_t)i);
    double y = base_random_normal(7, BASE_RANDOM_LAUNCH, 1, (uint64_t)i);
    return 1000000 + (int64_t)(large * 3000 * x + small * 1000 * y + both * 2000 * x * y);
}

static void fill(int64_t *value, bool large, bool small, bool both)
{
    for (int32_t i = 0; i < COUNT; i++)
        value[i] = interval(i, large, small, both);
}

static int64_t value[4][COUNT];

static struct gpu_intervals intervals_with(bool together)
{
    fill(value[0], true, true, together);
    fill(value[1], false, true, false);
    fill(value[2], true, false, false);
    fill(value[3], false, false, false);
    return (struct gpu_intervals){value[0], 4, REPEATS, STEPS};
}

static void independent_sources_share_the_variance(void)
{
    struct gpu_intervals all = intervals_with(false);
    struct gpu_attribution row[4];
    for (int32_t run = 0; run < 4; run++)
        row[run] = gpu_attribution_of(&all, run);
    CU_ASSERT_DOUBLE_EQUAL(row[0].deviation_ps, 3162, 60);
    CU_ASSERT_DOUBLE_EQUAL(row[1].variance_share, 0.9, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(row[2].variance_share, 0.1, 0.02);
    CU_ASSERT_EQUAL(row[3].variance_share, 1);
    CU_ASSERT_EQUAL(row[3].deviation_ps, 0);
    CU_ASSERT_EQUAL(row[3].tail_share, 1);
    CU_ASSERT_DOUBLE_EQUAL(row[1].tail_share, 1 - 1 / 3.162, 0.03);
    CU_ASSERT_DOUBLE_EQUAL(gpu_attribution_rest(row, 4).variance_share, 0, 0.02);
}

static void what_needs_both_is_counted_twice_and_said(void)
{
    struct gpu_intervals all = intervals_with(true);
    struct gpu_attribution row[4];
    for (int32_t run = 0; run < 4; run++)
        row[run] = gpu_attribution_of(&all, run);
    CU_ASSERT_DOUBLE_EQUAL(row[1].variance_share, 13.0 / 14, 0.02);
    CU_ASSERT_DOUBLE_EQUAL(row[2].variance_share, 5.0 / 14, 0.03);
    CU_ASSERT_DOUBLE_EQUAL(gpu_attribution_rest(row, 4).variance_share, -4.0 / 14, 0.04);
}

static void the_error_shrinks_with_repeats(void)
{
    struct gpu_intervals all = intervals_with(false), few = all;
    double error = gpu_attribution_of(&all, 1).variance_error;
    CU_ASSERT_TRUE(error > 0 && error < 0.01);
    few.repeats = 1;
    few.runs = 1;
    CU_ASSERT_EQUAL(gpu_attribution_of(&few, 0).variance_error, 0);
}

static void percentiles_are_values_that_occurred(void)
{
    static const int64_t few[] = {5, 1, 4, 2, 3};
    struct gpu_intervals all = {few, 1, 1, 5};
    struct gpu_attribution row = gpu_attribution_of(&all, 0);
    CU_ASSERT_EQUAL(row.p50_ps, 3);
    CU_ASSERT_EQUAL(row.p99_ps, 5);
    CU_ASSERT_EQUAL(row.mean_ps, 3);
}

TEST_MAIN("attribution", TEST(independent_sources_share_the_variance),
          TEST(what_needs_both_is_counted_twice_and_said), TEST(the_error_shrinks_with_repeats),
          TEST(percentiles_are_values_that_occurred))
