/* SPDX-License-Identifier: BSD-3-Clause */
/* Where combs and grids meet is what visiting every member finds. */
#include "test.h"

#include <stdbool.h>

#include "chip/comb.h"
#include "chip/grid.h"

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

/* Repeats that nest, either level the fast one. */
static struct grid drawn_grid(void)
{
    static const int32_t common[] = {1, 1, 2, 3};
    int32_t fast = common[draw(4)], count = (int32_t)(1 + draw(6));
    struct grid g = {draw(80) - 40,
                     {fast, fast * (count - 1) + (int32_t)(1 + draw(3))},
                     {count, (int32_t)(1 + draw(5))}};
    if (draw(3) == 0)
        g = (struct grid){g.start, {g.step[1], g.step[0]}, {g.count[1], g.count[0]}};
    return g;
}

static int64_t grid_member(const struct grid *g, int32_t i, int32_t o)
{
    return g->start + (int64_t)i * g->step[0] + (int64_t)o * g->step[1];
}

static bool is_in(int32_t k, int32_t from, int32_t count)
{
    return k >= from && k < from + count;
}

/* Whether a meeting says that member (i, o) of the one is member (j, p) of the other. */
static bool says(const struct grid_meeting *m, int32_t i, int32_t o, int32_t j, int32_t p)
{
    int32_t k = i - m->a[0], l = o - m->a[1];
    return is_in(i, m->a[0], m->count[0]) && is_in(o, m->a[1], m->count[1]) &&
           j - m->b[0] == (m->crossed ? l : k) && p - m->b[1] == (m->crossed ? k : l);
}

static bool agrees_with_grids(const struct grid *a, const struct grid *b,
                              const struct grid_meeting *m)
{
    for (int32_t i = 0; i < a->count[0]; i++)
        for (int32_t o = 0; o < a->count[1]; o++)
            for (int32_t j = 0; j < b->count[0]; j++)
                for (int32_t p = 0; p < b->count[1]; p++)
                    if (says(m, i, o, j, p) != (grid_member(a, i, o) == grid_member(b, j, p)))
                        return false;
    return true;
}

static void what_is_said_of_grids_is_exact(void)
{
    int wrong = 0, met = 0, crossed = 0, apart = 0;
    for (int n = 0; n < 40000; n++) {
        struct grid a = drawn_grid(), b = drawn_grid();
        struct grid_meeting m;
        if (!grid_meet(&a, &b, &m))
            continue;
        wrong += !agrees_with_grids(&a, &b, &m);
        met += m.count[0] > 1 && m.count[1] > 1;
        crossed += m.crossed && m.count[0] > 0;
        apart += m.count[0] == 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(met > 50 && crossed > 200 && apart > 1000);
}

static void grids_of_one_shape_meet_shifted(void)
{
    struct grid a = {100, {1, 23}, {20, 300}}, b = {100 + 23 * 7 + 2, {1, 23}, {20, 300}};
    struct grid_meeting m;
    CU_ASSERT_TRUE(grid_meet(&a, &b, &m));
    CU_ASSERT_EQUAL(m.count[0], 18);
    CU_ASSERT_EQUAL(m.count[1], 293);
    CU_ASSERT_EQUAL(m.a[0], 2);
    CU_ASSERT_EQUAL(m.a[1], 7);
    b = (struct grid){100 + 20, {1, 23}, {3, 300}};
    CU_ASSERT_TRUE(grid_meet(&a, &b, &m));
    CU_ASSERT_EQUAL(m.count[0], 0); /* in the gaps */
}

TEST_MAIN("combs", TEST(meetings_are_exact), TEST(long_combs_meet_by_arithmetic),
          TEST(what_is_said_of_grids_is_exact), TEST(grids_of_one_shape_meet_shifted))
