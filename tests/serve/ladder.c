/* SPDX-License-Identifier: BSD-3-Clause */
/* Ladders against every ladder there is, and counts of steps against requests walked token by
 * token.
 */
#include "serve/ladder.h"

#include "base/memory.h"
#include "base/random.h"
#include "test.h"

enum { TRIALS = 300, MOST_SIZES = 9, UNIT = 8, MOST_REQUESTS = 40 };

struct draw {
    uint64_t entity, next;
};

static int32_t draw(struct draw *d, int32_t count)
{
    return (int32_t)(base_random_u64(9, BASE_RANDOM_PLAY, d->entity, d->next++) % (uint64_t)count);
}

/* Requests and sizes that are drawn. */
struct trial {
    struct serve_request request[MOST_REQUESTS];
    size_t count;
    struct serve_rung size[MOST_SIZES];
    int32_t sizes;
    bool prompts;
};

static struct trial trial_of(uint64_t entity)
{
    struct draw d = {.entity = entity};
    struct trial t = {.count = (size_t)draw(&d, MOST_REQUESTS), .sizes = 1 + draw(&d, MOST_SIZES)};
    int64_t cycles = draw(&d, 1000);
    for (int32_t n = 0, positions = 0; n < t.sizes; n++) {
        positions += UNIT * (1 + draw(&d, 3));
        cycles += draw(&d, 4) ? draw(&d, 100) : 0;
        t.size[n] = (struct serve_rung){positions, cycles};
    }
    int32_t most = t.size[t.sizes - 1].positions;
    for (size_t i = 0; i < t.count; i++) {
        t.request[i].prompt_tokens = 1 + draw(&d, most);
        t.request[i].output_tokens = 1 + draw(&d, 1 + most / 2);
    }
    t.prompts = draw(&d, 2) > 0;
    return t;
}

/* The smallest bucket of a ladder that holds so many positions. */
static const struct serve_rung *bucket_of(const struct serve_ladder *ladder, int32_t positions)
{
    int32_t b = 0;
    while (ladder->rung[b].positions < positions)
        b++;
    return &ladder->rung[b];
}

/* The price of a ladder, token by token. */
static struct serve_price walk(const struct trial *t, const struct serve_ladder *ladder)
{
    struct serve_price price = {0};
    int32_t most = t->size[t->sizes - 1].positions;
    for (size_t i = 0; i < t->count; i++) {
        const struct serve_request *r = &t->request[i];
        int32_t end = r->prompt_tokens + r->output_tokens;
        for (int32_t p = t->prompts ? 1 : r->prompt_tokens; p < end && end <= most; p++) {
            price.cycles += bucket_of(ladder, p)->cycles;
            price.positions += bucket_of(ladder, p)->positions;
        }
    }
    return price;
}

/* The fewest cycles of all ladders of `buckets` sizes; -1: there is none. */
static int64_t least(const struct trial *t, int32_t buckets)
{
    int64_t best = -1;
    for (unsigned set = 0; set < 1U << t->sizes; set++) {
        struct serve_ladder ladder = {0};
        for (int32_t n = 0; n < t->sizes; n++)
            if (set >> n & 1 && ladder.buckets < SERVE_BUCKETS)
                ladder.rung[ladder.buckets++] = t->size[n];
        bool counts = ladder.buckets == buckets && set >> (t->sizes - 1) & 1 &&
                      ladder.rung[buckets - 1].positions == t->size[t->sizes - 1].positions;
        int64_t cycles = counts ? walk(t, &ladder).cycles : -1;
        best = counts && (best < 0 || cycles < best) ? cycles : best;
    }
    return best;
}

static void compare(const struct trial *t, const struct serve_demand *demand, int32_t buckets)
{
    struct serve_ladder ladder;
    bool found = serve_ladder_best(demand, t->size, t->sizes, buckets, &ladder);
    int64_t wanted = least(t, buckets);
    CU_ASSERT_EQUAL(found, buckets <= t->sizes);
    if (!found)
        return;
    struct serve_price price = serve_ladder_price(demand, &ladder), walked = walk(t, &ladder);
    CU_ASSERT_EQUAL(ladder.buckets, buckets);
    CU_ASSERT_EQUAL(ladder.rung[buckets - 1].positions, demand->most);
    CU_ASSERT_EQUAL(price.cycles, wanted);
    CU_ASSERT_EQUAL(price.cycles, walked.cycles);
    CU_ASSERT_EQUAL(price.positions, walked.positions);
}

static void no_ladder_is_better(void)
{
    for (uint64_t entity = 0; entity < TRIALS; entity++) {
        struct trial t = trial_of(entity);
        struct serve_demand demand =
            serve_demand_of(t.request, t.count, t.size[t.sizes - 1].positions, t.prompts);
        for (int32_t buckets = 1; buckets <= SERVE_BUCKETS; buckets++)
            compare(&t, &demand, buckets);
        serve_demand_release(&demand);
    }
}

static void steps_are_counted_and_long_requests_refused(void)
{
    static const struct serve_request request[] = {
        {.prompt_tokens = 3, .output_tokens = 2}, /* 3, 4 */
        {.prompt_tokens = 4, .output_tokens = 4}, /* 4 to 7 */
        {.prompt_tokens = 1, .output_tokens = 8}, /* 9 of 8 */
    };
    struct serve_demand d = serve_demand_of(request, 3, 8, false);
    CU_ASSERT_EQUAL(d.refused, 1);
    CU_ASSERT_EQUAL(d.steps, 6);
    CU_ASSERT_EQUAL(d.attended, 3 + 4 + 4 + 5 + 6 + 7);
    CU_ASSERT_EQUAL(d.up_to[2], 0);
    CU_ASSERT_EQUAL(d.up_to[4], 3);
    serve_demand_release(&d);
    d = serve_demand_of(request, 3, 8, true);
    CU_ASSERT_EQUAL(d.steps, 4 + 7);
    serve_demand_release(&d);
}

static void lengths_between_known_ones_are_on_lines(void)
{
    static const struct serve_rung known[] = {{10, 100}, {20, 200}, {40, 210}};
    static const struct serve_rung wanted[] = {{10, 100}, {15, 150}, {20, 200}, {29, 205},
                                               {31, 206}, {40, 210}, {0, 0},    {60, 220}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        CU_ASSERT_EQUAL(serve_rung_between(known, 3, wanted[i].positions), wanted[i].cycles);
    CU_ASSERT_EQUAL(serve_rung_between(known, 1, 77), 100);
}

TEST_MAIN("ladder", TEST(no_ladder_is_better), TEST(steps_are_counted_and_long_requests_refused),
          TEST(lengths_between_known_ones_are_on_lines))
