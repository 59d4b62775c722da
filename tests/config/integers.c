/* SPDX-License-Identifier: BSD-3-Clause */
/* No integer is cut short on its way through libconfig, whatever its width and spelling. */
#include "test.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "sample.h"

static void seed_is(const char *text, int64_t expected)
{
    struct sample sample = sample_read(sample_file("wide.cfg", text), NULL);
    CU_ASSERT_EQUAL(sample.scenario.seed, expected);
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "seed"));
    sample_release(&sample);
}

static void integers_beyond_32_bits_need_no_suffix(void)
{
    seed_is("run = { seed = 2147483647; };", INT32_MAX);
    seed_is("run = { seed = 2147483648; };", INT64_C(2147483648));
    seed_is("run = { seed = 4294967297; };", INT64_C(4294967297));
    seed_is("run = { seed = 9223372036854775807; };", INT64_MAX);
    seed_is("run = { seed=4294967297L; };", INT64_C(4294967297));
    seed_is("run = { seed = 0x1FFFFFFFF; };", INT64_C(0x1FFFFFFFF));
    seed_is("run = { seed = /* 5 */ 4294967297; # 6\n};", INT64_C(4294967297));
    seed_is("run = { seed = \"4294967297\"; };", INT64_C(4294967297));
    sample_file("other.cfg", "run = { seed = 4294967299; };");
    seed_is("@include \"other.cfg\"", INT64_C(4294967299));
}

static void an_integer_beyond_64_bits_is_a_fault(void)
{
    struct sample sample =
        sample_read(sample_file("seed.cfg", "run = {\n seed = 99999999999999999999; };"), NULL);
    CU_ASSERT_TRUE(
        sample_says(&sample, "seed.cfg:2: 99999999999999999999 does not fit into 64 bits"));
    sample_release(&sample);
    sample = sample_read(sample_file("seed.cfg", "run = { seed = 99999999999999999999L; };"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "99999999999999999999L does not fit into 64 bits"));
    sample_release(&sample);
}

static void a_wide_integer_does_not_slip_into_a_narrow_field(void)
{
    struct sample sample =
        sample_read(sample_file("batch.cfg", "bucket = { batch = 4294967297; };"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "bucket.batch: 4294967297 is out of range: 1 to 4096"));
    sample_release(&sample);
    sample = sample_read(sample_file("steps.cfg", "lpu = { execute_steps = 4294967297; };"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "lpu.execute_steps: 4294967297 is out of range"));
    sample_release(&sample);
}

static void a_fraction_may_be_written_as_an_integer(void)
{
    struct sample sample = sample_read(
        sample_file("real.cfg", "gpu = { straggler_slowdown = 25; neighbour_load = 0.45;\n"
                                "cluster = { oversubscription = 2.5e0; }; };"),
        NULL);
    CU_ASSERT_DOUBLE_EQUAL(sample.scenario.gpu_cluster.straggler_slowdown, 25.0, 0.0);
    CU_ASSERT_DOUBLE_EQUAL(sample.scenario.gpu_cluster.neighbour_load, 0.45, 0.0);
    CU_ASSERT_DOUBLE_EQUAL(sample.scenario.gpu_cluster.oversubscription, 2.5, 0.0);
    sample_release(&sample);
}

static void a_whole_float_is_an_integer_and_another_is_not(void)
{
    struct sample sample = sample_read(
        sample_file("float.cfg", "bucket = { batch = 4.0; max_sequence = 4.5; };"), NULL);
    CU_ASSERT_EQUAL(sample.scenario.bucket.batch, 4);
    CU_ASSERT_TRUE(sample_says(&sample, "bucket.max_sequence: \"4.5\" is not a whole number"));
    sample_release(&sample);
}

static void check_ladder(const struct bucket *bucket)
{
    CU_ASSERT_EQUAL(bucket->max_sequence, 512);
    CU_ASSERT_EQUAL_FATAL(bucket->rungs, 2);
    CU_ASSERT_EQUAL(bucket->rung[0], 64);
    CU_ASSERT_EQUAL(bucket->rung[1], 128);
}

static void a_ladder_is_an_array_or_a_text_and_ascends(void)
{
    static const struct {
        const char *value, *fault;
    } wrong[] = {{"64,32", "32 after 64: the positions of a ladder ascend"},
                 {"64,64", "64 after 64: the positions of a ladder ascend"},
                 {"0,64", "0 is out of range: 1 to 1048576"},
                 {"64,", "\"\" is not a number"},
                 {"1,2,3,4,5,6", "6 is one too many: a ladder has up to 5"}};
    struct sample sample = sample_read(
        sample_file("ladder.cfg", "bucket = { max_sequence = [64, 128, 512]; };"), NULL);
    check_ladder(&sample.scenario.bucket);
    sample_release(&sample);
    sample = sample_small("bucket.max_sequence=64,128,512", NULL, NULL);
    check_ladder(&sample.scenario.bucket);
    sample_release(&sample);
    for (size_t n = 0; n < sizeof wrong / sizeof wrong[0]; n++) {
        char *set = base_format("bucket.max_sequence=%s", wrong[n].value);
        sample = sample_small(set, NULL, NULL);
        CU_ASSERT_TRUE(sample_says(&sample, wrong[n].fault));
        CU_ASSERT_EQUAL(sample.scenario.bucket.rungs, 0);
        sample_release(&sample);
        base_free(set);
    }
}

TEST_MAIN("integers", TEST(integers_beyond_32_bits_need_no_suffix),
          TEST(an_integer_beyond_64_bits_is_a_fault),
          TEST(a_wide_integer_does_not_slip_into_a_narrow_field),
          TEST(a_fraction_may_be_written_as_an_integer),
          TEST(a_whole_float_is_an_integer_and_another_is_not),
          TEST(a_ladder_is_an_array_or_a_text_and_ascends))
