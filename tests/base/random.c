/* SPDX-License-Identifier: BSD-3-Clause */
/* Random numbers: known answers, independence of streams, and the shapes of the distributions. */
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include <Random123/philox.h>

#include "base/random.h"

enum { DRAWS = 200000 };

/* Rows of Random123's kat_vectors for philox4x32, 10 rounds. */
static void philox_gives_the_published_answers(void)
{
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } row[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        philox4x32_ctr_t counter;
        philox4x32_key_t key;
        for (int j = 0; j < 4; j++)
            counter.v[j] = row[i].counter[j];
        for (int j = 0; j < 2; j++)
            key.v[j] = row[i].key[j];
        philox4x32_ctr_t answer = philox4x32(counter, key);
        for (int j = 0; j < 4; j++)
            CU_ASSERT_EQUAL(answer.v[j], row[i].answer[j]);
    }
}

/* The key is seed + purpose * 0x9E3779B97F4A7C15: this seed makes it 0, so the first row above
 * applies. */
static void draws_come_from_philox_with_the_documented_key(void)
{
    uint64_t seed = 0 - (uint64_t)BASE_RANDOM_KERNEL * UINT64_C(0x9E3779B97F4A7C15);
    CU_ASSERT_EQUAL(base_random_u64(seed, BASE_RANDOM_KERNEL, 0, 0), UINT64_C(0xe169c58d6627e8d5));
    struct base_random_pair pair = base_random_pair(seed, BASE_RANDOM_KERNEL, 0, 0);
    CU_ASSERT_EQUAL(pair.bits[0], UINT64_C(0xe169c58d6627e8d5));
    CU_ASSERT_EQUAL(pair.bits[1], UINT64_C(0x9b00dbd8bc57ac4c));
}

static void equal_arguments_give_equal_numbers(void)
{
    for (uint64_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(base_random_u64(7, BASE_RANDOM_LINK, 3, i),
                        base_random_u64(7, BASE_RANDOM_LINK, 3, i));
}

static void each_argument_makes_another_number(void)
{
    uint64_t base = base_random_u64(1, BASE_RANDOM_LINK, 1, 1);
    CU_ASSERT_NOT_EQUAL(base, base_random_u64(2, BASE_RANDOM_LINK, 1, 1));
    CU_ASSERT_NOT_EQUAL(base, base_random_u64(1, BASE_RANDOM_HOST, 1, 1));
    CU_ASSERT_NOT_EQUAL(base, base_random_u64(1, BASE_RANDOM_LINK, 2, 1));
    CU_ASSERT_NOT_EQUAL(base, base_random_u64(1, BASE_RANDOM_LINK, 1, 2));
    CU_ASSERT_NOT_EQUAL(base, base_random_u64(1, BASE_RANDOM_LINK, UINT64_C(1) << 32 | 1, 1));
    CU_ASSERT_NOT_EQUAL(base, base_random_u64(1, BASE_RANDOM_LINK, 1, UINT64_C(1) << 32 | 1));
}

/* Correlation of two streams of DRAWS uniforms: its standard deviation is 1 / sqrt(DRAWS); five of
 * them. */
static void check_uncorrelated(enum base_random_purpose a, uint64_t entity_a,
                               enum base_random_purpose b, uint64_t entity_b)
{
    double sum = 0;
    for (uint64_t i = 0; i < DRAWS; i++)
        sum += (base_random_uniform(5, a, entity_a, i) - 0.5) *
               (base_random_uniform(5, b, entity_b, i) - 0.5);
    CU_ASSERT_TRUE(fabs(sum / DRAWS * 12) < 5 / sqrt(DRAWS));
}

static void streams_are_uncorrelated(void)
{
    check_uncorrelated(BASE_RANDOM_KERNEL, 0, BASE_RANDOM_KERNEL, 1);
    check_uncorrelated(BASE_RANDOM_KERNEL, 0, BASE_RANDOM_LAUNCH, 0);
    check_uncorrelated(BASE_RANDOM_NEIGHBOUR, 9, BASE_RANDOM_ARRIVAL, 9);
}

/* Mean and variance of DRAWS numbers within five standard deviations of what the distribution has.
 * `kurtosis`: the fourth central moment over the squared variance. */
static void check_moments(double (*draw)(uint64_t, enum base_random_purpose, uint64_t, uint64_t),
                          double mean, double variance, double kurtosis)
{
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x = draw(11, BASE_RANDOM_KERNEL, 0, i) - mean;
        sum += x;
        squares += x * x;
    }
    CU_ASSERT_TRUE(fabs(sum / DRAWS) < 5 * sqrt(variance / DRAWS));
    CU_ASSERT_TRUE(fabs(squares / DRAWS - variance) < 5 * variance * sqrt((kurtosis - 1) / DRAWS));
}

static void distributions_have_their_moments(void)
{
    check_moments(base_random_uniform, 0.5, 1.0 / 12, 1.8);
    check_moments(base_random_normal, 0, 1, 3);
    check_moments(base_random_exponential, 1, 1, 9);
}

static void uniforms_stay_inside_the_open_interval(void)
{
    bool is_inside = true;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double u = base_random_uniform(3, BASE_RANDOM_HOST, 0, i);
        is_inside = is_inside && u > 0 && u < 1;
    }
    CU_ASSERT_TRUE(is_inside);
}

TEST_MAIN("random", TEST(philox_gives_the_published_answers),
          TEST(draws_come_from_philox_with_the_documented_key),
          TEST(equal_arguments_give_equal_numbers), TEST(each_argument_makes_another_number),
          TEST(streams_are_uncorrelated), TEST(distributions_have_their_moments),
          TEST(uniforms_stay_inside_the_open_interval))
