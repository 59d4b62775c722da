/* SPDX-License-Identifier: BSD-3-Clause */
/* Iteration times on a grid, against a time that is known. */
#include "serve/cells.h"

#include <math.h>

#include "base/random.h"
#include "test.h"

/* What was asked for. */
struct asked {
    size_t means, draws, calls;
    uint64_t key[4096];
};

/* Linear in everything that an axis of the grid stands for, so the grid is exact. */
static double plain_ps(const struct gpu_batch *batch)
{
    double ps = 1e9;
    for (int32_t i = 0; i < batch->groups; i++) {
        const struct gpu_group *group = &batch->group[i];
        double tokens = (double)(group->sequences * group->tokens);
        ps += tokens * (group->prompt ? 2e6 : 3e6) + tokens * (double)group->keys * 1e2;
    }
    return ps;
}

static void means(void *context, const struct gpu_batch *batch, const uint64_t *key, size_t count,
                  double *mean_ps)
{
    struct asked *asked = context;
    asked->calls++;
    for (size_t i = 0; i < count; i++) {
        asked->key[asked->means++] = key[i];
        mean_ps[i] = plain_ps(&batch[i]);
    }
}

/* From 0.9 to 1.1 of the mean, in descending order. */
static void draws(void *context, const struct gpu_batch *batch, uint64_t key, size_t count,
                  double *ps)
{
    struct asked *asked = context;
    (void)key;
    asked->draws++;
    for (size_t i = 0; i < count; i++)
        ps[i] = plain_ps(batch) * (1.1 - 0.2 * (double)i / (double)(count - 1));
}

static struct serve_cells *cells_of(struct asked *asked)
{
    const struct serve_cells_source source = {means, draws, asked};
    return serve_cells_create(200, 2048, 4000, &source);
}

static struct gpu_batch of(int64_t prompt, int64_t seen, int64_t sequences, int64_t keys)
{
    struct gpu_batch batch = {0};
    if (prompt > 0)
        gpu_batch_add(&batch, (struct gpu_group){1, prompt, seen + prompt, true, true});
    gpu_batch_add(&batch, (struct gpu_group){sequences, 1, keys, false, true});
    return batch;
}

static int64_t between(uint64_t index, int64_t least, int64_t most)
{
    double u = base_random_uniform(3, BASE_RANDOM_PLAY, 0, index);
    return least + (int64_t)(u * (double)(most - least));
}

static void what_is_straight_is_met_exactly(void)
{
    static struct asked asked;
    struct serve_cells *cells = cells_of(&asked);
    for (uint64_t i = 0; i < 4000; i += 4) {
        struct gpu_batch alone = of(0, 0, between(i, 1, 200), between(i + 1, 64, 4000));
        CU_ASSERT_DOUBLE_EQUAL(serve_cells_mean_ps(cells, &alone) / plain_ps(&alone), 1, 1e-12);
        int64_t tokens = between(i + 2, 400, 1840);
        struct gpu_batch both = of(tokens, between(i + 3, 2048 - tokens, 3900 - tokens),
                                   between(i, 1, 200), between(i + 1, 128, 4000));
        double ratio = serve_cells_mean_ps(cells, &both) / plain_ps(&both);
        CU_ASSERT_DOUBLE_EQUAL(ratio, 1, 0.02); /* prompts that share keys are whole numbers */
    }
    serve_cells_free(cells);
}

static void a_point_is_asked_for_once(void)
{
    static struct asked asked;
    const struct serve_cells_source source = {means, draws, &asked};
    struct serve_cells *cells = serve_cells_create(1000, 60000, 100000, &source);
    for (uint64_t i = 0; i < 4500; i += 3) {
        struct gpu_batch batch = of(i % 2 ? 0 : between(i, 1, 30000), between(i + 7, 0, 60000),
                                    between(i + 1, 1, 1000), between(i + 2, 1, 90000));
        serve_cells_mean_ps(cells, &batch);
        serve_cells_factor(cells, &batch, 0.5);
    }
    CU_ASSERT_EQUAL(serve_cells_points(cells), asked.means);
    CU_ASSERT_EQUAL(serve_cells_regions(cells), asked.draws);
    CU_ASSERT_EQUAL(asked.draws, 4);
    CU_ASSERT_TRUE(asked.means > 512); /* what was known is found again in a larger table */
    for (size_t i = 0; i < asked.means; i++)
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(asked.key[i], asked.key[k]);
    serve_cells_free(cells);
}

/* A launch less or more is a jump: no mean is taken between batches with prompts and without. */
static void nothing_is_asked_for_that_no_batch_touches(void)
{
    static struct asked asked;
    struct serve_cells *cells = cells_of(&asked);
    struct gpu_batch one = of(0, 0, 1, 64), prompt = of(1024, 0, 0, 0), five = of(0, 0, 5, 100);
    serve_cells_mean_ps(cells, &one);
    CU_ASSERT_EQUAL(asked.means, 1);
    serve_cells_mean_ps(cells, &prompt);
    CU_ASSERT_EQUAL(asked.means, 2);
    serve_cells_mean_ps(cells, &five); /* 4 and 6 sequences, 64 and 256 keys */
    CU_ASSERT_EQUAL(asked.means, 6);
    CU_ASSERT_EQUAL(asked.calls, 3);
    serve_cells_free(cells);
}

static void batches_in_several_groups_have_points_of_their_own(void)
{
    static struct asked asked;
    struct serve_cells *cells = cells_of(&asked);
    struct gpu_batch one = of(1008, 16, 16, 128), two = {0};
    gpu_batch_add(&two, (struct gpu_group){1, 504, 1024, true, true});
    gpu_batch_add(&two, (struct gpu_group){1, 504, 1024, true, false});
    gpu_batch_add(&two, (struct gpu_group){16, 1, 128, false, true});
    serve_cells_mean_ps(cells, &one);
    serve_cells_mean_ps(cells, &two);
    CU_ASSERT_EQUAL(asked.means, 2);
    serve_cells_free(cells);
}

static void factors_have_mean_one_and_the_spread_of_the_draws(void)
{
    static struct asked asked;
    struct serve_cells *cells = cells_of(&asked);
    struct gpu_batch batch = of(0, 0, 16, 256);
    double sum = 0, square = 0, last = 0;
    for (int i = 0; i < 10000; i++) {
        double factor = serve_cells_factor(cells, &batch, (i + 0.5) / 10000);
        CU_ASSERT_TRUE(factor >= last);
        last = factor;
        sum += factor / 10000;
        square += (factor - 1) * (factor - 1) / 10000;
    }
    CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(last, 1.1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(sqrt(square) / serve_cells_deviation(cells, &batch), 1, 0.05);
    CU_ASSERT_DOUBLE_EQUAL(serve_cells_factor(cells, &batch, 1e-9), 0.9, 1e-9);
    serve_cells_free(cells);
}

TEST_MAIN("cells", TEST(what_is_straight_is_met_exactly), TEST(a_point_is_asked_for_once),
          TEST(nothing_is_asked_for_that_no_batch_touches),
          TEST(batches_in_several_groups_have_points_of_their_own),
          TEST(factors_have_mean_one_and_the_spread_of_the_draws))
