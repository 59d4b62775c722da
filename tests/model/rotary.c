/* SPDX-License-Identifier: BSD-3-Clause */
/* Rotary frequencies against values of the published formulas in 50 decimal digits. */
#include "test.h"

#include <math.h>

#include "model/rotary.h"
#include "sample.h"

enum { MOST_PAIRS = 64 };

struct known {
    int pair;
    double frequency;
};

static void check(const char *extra, const struct known *known, size_t count)
{
    struct model model;
    double frequency[MOST_PAIRS + 1] = {0};
    CU_ASSERT_TRUE_FATAL(sample_read("llama", extra, &model, NULL));
    CU_ASSERT_TRUE_FATAL(model.head_dim <= 2 * MOST_PAIRS);
    model_rotary_frequencies(&model, frequency);
    for (size_t i = 0; i < count; i++) {
        double expected = known[i].frequency;
        CU_ASSERT_TRUE(fabs(frequency[known[i].pair] - expected) <= 1e-14 * expected);
    }
    CU_ASSERT_EQUAL(frequency[model.head_dim / 2], 0);
}

static void plain_frequencies_are_powers_of_theta(void)
{
    static const struct known known[] = {
        {0, 1},
        {1, 0.31622776601683794},
        {2, 0.1},
        {5, 0.0031622776601683794},
        {7, 0.00031622776601683794},
    };
    check("\"head_dim\": 16, \"rope_theta\": 10000", known, sizeof known / sizeof known[0]);
}

static void linear_scaling_divides_by_its_factor(void)
{
    static const struct known known[] = {
        {0, 0.25},
        {1, 0.079056941504209485},
        {4, 0.0025},
        {7, 7.9056941504209485e-05},
    };
    check("\"head_dim\": 16, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4}", known,
          sizeof known / sizeof known[0]);
}

/* Llama 3.1: kept up to pair 28, blended up to 34, divided by 8 from 35 on. */
static void llama3_scaling_keeps_fast_pairs_and_slows_slow_ones(void)
{
    static const struct known known[] = {
        {0, 1},
        {1, 0.81461723385654472},
        {20, 0.016560440080994446},
        {28, 0.0032114459947525909},
        {29, 0.0021665707635033587},
        {30, 0.0013718935677611381},
        {32, 0.00052484616099295468},
        {34, 0.00017850781276799641},
        {35, 9.5562123539646833e-05},
        {40, 3.4281021959525912e-05},
        {63, 3.0689259889145111e-07},
    };
    check("\"head_dim\": 128, \"rope_theta\": 500000, \"rope_scaling\": {\"rope_type\": "
          "\"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
          "\"original_max_position_embeddings\": 8192}",
          known, sizeof known / sizeof known[0]);
}

/* gpt-oss: kept up to pair 8, blended up to 17, divided by 32 from 18 on. */
static void yarn_scaling_blends_along_a_ramp_of_pairs(void)
{
    static const struct known known[] = {
        {0, 1},
        {1, 0.68904430588816323},
        {8, 0.050813274815461475},
        {9, 0.031705696184663769},
        {12, 0.006794959489732218},
        {17, 0.00012931870124506273},
        {18, 3.8308812373753384e-05},
        {20, 1.818833668168956e-05},
        {31, 3.0235114281192144e-07},
    };
    check("\"head_dim\": 64, \"rope_theta\": 150000, \"rope_scaling\": {\"rope_type\": \"yarn\", "
          "\"factor\": 32, \"beta_fast\": 32, \"beta_slow\": 1, \"truncate\": false, "
          "\"original_max_position_embeddings\": 4096}",
          known, sizeof known / sizeof known[0]);
}

/* Defaults: beta 32 and 1, truncated; the ramp runs from pair 23 to pair 40. */
static void a_truncated_yarn_ramp_begins_and_ends_at_whole_pairs(void)
{
    static const struct known known[] = {
        {0, 1},
        {20, 0.013335214321633241},
        {23, 0.0069783058485986633},
        {24, 0.0053753214907901019},
        {30, 0.0010643609812470017},
        {39, 6.4903943208370293e-05},
        {40, 4.4456985250973067e-05},
        {63, 3.1023444018792988e-07},
    };
    check("\"head_dim\": 128, \"rope_theta\": 1000000, \"rope_scaling\": {\"rope_type\": "
          "\"yarn\", \"factor\": 4, \"original_max_position_embeddings\": 32768}",
          known, sizeof known / sizeof known[0]);
}

static void only_yarn_has_a_gain(void)
{
    static const struct {
        const char *extra;
        double gain;
    } row[] = {
        {"", 1},
        {"\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4}", 1},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 1}", 1},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 32}", 1.3465735902799727},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4, \"attention_factor\": 1.5}",
         1.5},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4, \"mscale\": 1, "
         "\"mscale_all_dim\": 1}",
         1},
        {"\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4, \"mscale\": 2, "
         "\"mscale_all_dim\": 1}",
         1.2772588722239781 / 1.1386294361119891},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model model;
        CU_ASSERT_TRUE_FATAL(sample_read("llama", row[i].extra, &model, NULL));
        CU_ASSERT_DOUBLE_EQUAL(model_rotary_gain(&model), row[i].gain, 1e-15);
    }
}

TEST_MAIN("rotary", TEST(plain_frequencies_are_powers_of_theta),
          TEST(linear_scaling_divides_by_its_factor),
          TEST(llama3_scaling_keeps_fast_pairs_and_slows_slow_ones),
          TEST(yarn_scaling_blends_along_a_ramp_of_pairs),
          TEST(a_truncated_yarn_ramp_begins_and_ends_at_whole_pairs), TEST(only_yarn_has_a_gain))
