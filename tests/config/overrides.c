/* SPDX-License-Identifier: BSD-3-Clause */
/* --set wins over files, names files relative to the working directory, and faults like a file. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sample.h"

static void a_later_override_wins(void)
{
    struct sample sample = sample_small("run.seed=5", "run.seed = 6", " bucket.batch = \"2\" ");
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.seed, 6);
    CU_ASSERT_EQUAL(sample.scenario.bucket.batch, 2);
    sample_release(&sample);
}

static void a_value_may_hold_an_equals_sign(void)
{
    struct sample sample = sample_small("run.output=a=b.h5", NULL, NULL);
    CU_ASSERT_STRING_EQUAL(sample.scenario.output_path, "a=b.h5");
    sample_release(&sample);
}

static void values_are(const char *override, bool expected)
{
    struct sample sample = sample_small(override, NULL, NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.values, expected);
    sample_release(&sample);
}

static void a_key_without_a_group_is_set_like_any_other(void)
{
    values_are("values=on", true);
    values_are("values=true", true);
    values_are("values=off", false);
    values_are(" values = \"on\" ", true);
    struct sample sample = sample_small("value=on", "valuess=on", "values=maybe");
    CU_ASSERT_TRUE(sample_says(&sample, "--set: unknown key \"value\"; the nearest known one is "
                                        "\"values\""));
    CU_ASSERT_TRUE(sample_says(&sample, "--set: unknown key \"valuess\"; the nearest"));
    CU_ASSERT_TRUE(sample_says(&sample, "--set: values: \"maybe\": write true, false, on or off"));
    CU_ASSERT_EQUAL(sample.report.count, 3);
    sample_release(&sample);
}

static void the_arithmetic_and_the_way_of_the_prompt_can_be_chosen(void)
{
    struct sample sample = sample_small("lpu.numerics=int8", "lpu.prefill=off", NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.lpu_numerics, SCENARIO_INT8);
    CU_ASSERT_FALSE(sample.scenario.lpu_prefill);
    sample_release(&sample);
}

static void a_group_may_be_replaced_by_a_file(void)
{
    char *path = test_source_path("configs/gpus/a100-sxm.cfg");
    char *chip = base_format("gpu.chip=%s", path);
    struct sample sample = sample_small(chip, "gpu.chip.sms=100", NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.gpu_chip.sms, 100);
    CU_ASSERT_STRING_EQUAL(sample.scenario.gpu_chip.name, "A100-SXM-80GB");
    sample_release(&sample);
    base_free(chip);
    free(path);
}

static void a_file_replaces_all_of_a_group(void)
{
    char *large = test_source_path("configs/topologies/lpu-8x9x8.cfg");
    char *small = test_source_path("configs/topologies/lpu-1x8.cfg");
    char *first = base_format("lpu.rack=%s", large), *then = base_format("lpu.rack=%s", small);
    struct sample sample = sample_small(first, then, NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.racks, 1);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.cables_per_node_pair, 0);
    sample_release(&sample);
    base_free(first);
    base_free(then);
    free(large);
    free(small);
}

static void faults_name_the_option_set(void)
{
    struct sample sample =
        sample_small("lpu.rack.node=3", "lpu.chip.clock=5 ns", "bucket.max_sequence");
    CU_ASSERT_FALSE(sample.accepted);
    CU_ASSERT_TRUE(sample_says(&sample, "--set: unknown key \"lpu.rack.node\"; the nearest known "
                                        "one is \"lpu.rack.nodes\""));
    CU_ASSERT_TRUE(sample_says(&sample, "--set: lpu.chip.clock: \"5 ns\": \"ns\" is a unit of a"));
    CU_ASSERT_TRUE(sample_says(&sample, "--set: \"bucket.max_sequence\": write key=value"));
    sample_release(&sample);
}

static void a_missing_file_is_one_fault(void)
{
    struct sample sample = sample_small("gpu.chip=gone.cfg", NULL, NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "--set: gpu.chip: \"gone.cfg\" is not there"));
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
}

TEST_MAIN("overrides", TEST(a_later_override_wins), TEST(a_value_may_hold_an_equals_sign),
          TEST(a_key_without_a_group_is_set_like_any_other),
          TEST(the_arithmetic_and_the_way_of_the_prompt_can_be_chosen),
          TEST(a_group_may_be_replaced_by_a_file), TEST(a_file_replaces_all_of_a_group),
          TEST(faults_name_the_option_set), TEST(a_missing_file_is_one_fault))
