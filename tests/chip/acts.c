/* SPDX-License-Identifier: BSD-3-Clause */
/* Acts of many runs happen in the order of their cycles: what sorting them all finds. */
#include "test.h"

#include <stdlib.h>

#include "base/memory.h"
#include "chip/acts.h"
#include "draw.h"

enum { RUNS = 40, MOST_ACTS = RUNS * ORDER_RUN_REPEATS };

/* One act as it must come. */
struct expected {
    int64_t cycle;
    uint64_t order;
    uint32_t run;
    int32_t k;
};

static int compare(const void *a, const void *b)
{
    const struct expected *x = a, *y = b;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Puts a random run that begins in `from` or later, with an order that no other run has. */
static size_t put_run(struct acts *acts, uint64_t *state, uint32_t number, int64_t from,
                      struct expected *to)
{
    const struct run run = {.number = number,
                            .step = draw_between(state, 1, 30),
                            .count = draw_between(state, 1, ORDER_RUN_REPEATS)};
    int64_t cycle = from + draw_between(state, 0, 100);
    uint64_t order = (uint64_t)draw_between(state, 0, 2) << 32 | (number * 17 % RUNS);
    acts_put(acts, &run, cycle, order);
    for (int32_t k = 0; k < run.count; k++)
        to[k] = (struct expected){cycle + (int64_t)k * run.step, order, number, k};
    return (size_t)run.count;
}

static bool is_next(const struct acts *acts, const struct expected *e)
{
    int64_t cycle = -1;
    const struct act *act = acts_next(acts, &cycle);
    return act && cycle == e->cycle && act->run.number == e->run && act->k == e->k;
}

static void acts_of_many_runs_come_as_if_sorted(void)
{
    struct acts acts = {0};
    uint64_t state = 6;
    static struct expected all[MOST_ACTS];
    int64_t cycle;
    for (int turn = 0; turn < 50; turn++) {
        size_t count = 0, wrong = 0;
        for (uint32_t n = 0; n < RUNS; n++)
            count += put_run(&acts, &state, n, 0, all + count);
        qsort(all, count, sizeof all[0], compare);
        for (size_t n = 0; n < count; n++, acts_pop(&acts))
            wrong += !is_next(&acts, &all[n]);
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_PTR_NULL(acts_next(&acts, &cycle));
    }
    CU_ASSERT_EQUAL(acts.pooled, RUNS); /* places are used again */
    acts_release(&acts);
}

/* As a chip does it: runs are put while others are under way, never into the past. */
static void runs_may_be_put_between_acts(void)
{
    struct acts acts = {0};
    uint64_t state = 7;
    static struct expected all[MOST_ACTS];
    size_t count = 0, done = 0, wrong = 0;
    int64_t now = 0;
    for (uint32_t n = 0; n < RUNS; n++) {
        count += put_run(&acts, &state, n, now, all + count);
        qsort(all + done, count - done, sizeof all[0], compare);
        for (int32_t k = draw_between(&state, 0, 50); k > 0 && done < count; k--, done++) {
            wrong += !is_next(&acts, &all[done]);
            now = all[done].cycle + 1; /* orders of one cycle are done */
            acts_pop(&acts);
        }
    }
    for (; done < count; done++, acts_pop(&acts))
        wrong += !is_next(&acts, &all[done]);
    CU_ASSERT_EQUAL(wrong, 0);
    acts_release(&acts);
}

static void a_cleared_heap_forgets_runs_under_way(void)
{
    struct acts acts = {0};
    int64_t cycle;
    acts_put(&acts, &(struct run){.number = 1, .step = 2, .count = 5}, 10, 0);
    acts_pop(&acts);
    acts_clear(&acts);
    CU_ASSERT_PTR_NULL(acts_next(&acts, &cycle));
    acts_put(&acts, &(struct run){.number = 2, .step = 1, .count = 1}, 3, 0);
    CU_ASSERT_TRUE(is_next(&acts, &(struct expected){.cycle = 3, .run = 2}));
    acts_pop(&acts);
    CU_ASSERT_PTR_NULL(acts_next(&acts, &cycle));
    acts_release(&acts);
}

TEST_MAIN("acts", TEST(acts_of_many_runs_come_as_if_sorted), TEST(runs_may_be_put_between_acts),
          TEST(a_cleared_heap_forgets_runs_under_way))
