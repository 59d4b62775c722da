/* SPDX-License-Identifier: BSD-3-Clause */
/* Where combs meet is what visiting every member finds. */
#include "test.h"

#include <stdbool.h>

#include "chip/comb.h"

static uint64_t state = 1;

static int64_t draw(int64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)n);
}

static int64_t member(struct comb c, int64_t k)
{
    return c.start + k * c.step;
}

/* Pairs (i, j) that meet, found one by one, must be the next of the meeting. */
static bool agrees(struct comb a, struct comb b, struct comb_meeting m)
{
    int32_t found = 0;
    for (int32_t i = 0; i < a.count; i++)
        for (int32_t j = 0; j < b.count; j++)
            if (member(a, i) == member(b, j)) {
                if (found >= m.count || m.a + found * m.a_step != i || m.b + found * m.b_step != j)
                    return false;
                found++;
            }
    return found == m.count;
}

static struct comb drawn(void)
{
    return (struct comb){draw(120) - 60, 1 + draw(12), (int32_t)(1 + draw(30))};
}

static void meetings_are_exact(void)
{
    int wrong = 0, met = 0;
    for (int n = 0; n < 40000; n++) {
        struct comb a = drawn(), b = drawn();
        struct comb_meeting m = comb_meet(a, b);
        wrong += !agrees(a, b, m);
        met += m.count > 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(met > 5000);
}

static void long_combs_meet_by_arithmetic(void)
{
    struct comb a = {5, 24, 40000000}, b = {29, 35, 20000000};
    struct comb_meeting m = comb_meet(a, b);
    CU_ASSERT_TRUE(m.count > 800000);
    CU_ASSERT_EQUAL(m.a_step, 35);
    CU_ASSERT_EQUAL(m.b_step, 24);
    CU_ASSERT_EQUAL(member(a, m.a), member(b, m.b));
    struct comb far = {INT64_C(1) << 39, 1, 5};
    CU_ASSERT_EQUAL(comb_meet(a, far).count, 0);
}

TEST_MAIN("combs", TEST(meetings_are_exact), TEST(long_combs_meet_by_arithmetic))
