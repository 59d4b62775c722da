/* SPDX-License-Identifier: BSD-3-Clause */
/* What the compiler writes keeps the contract: executed, instruction by instruction, for models,
 * splits and prompts of many kinds. */
#include "test.h"

#include <stdio.h>

#include "rack.h"

static const struct rack_case splits[] = {
    {.name = "tiny, 1 chip", .stages = 1, .group = 1, .prompt = 33},
    {.name = "tiny, 1 stage of 2", .stages = 1, .group = 2, .prompt = 33},
    {.name = "tiny, 1 stage of 4", .stages = 1, .group = 4, .prompt = 33},
    {.name = "tiny, 2 stages of 1", .stages = 2, .group = 1, .prompt = 2},
    {.name = "tiny, 2 stages of 2", .stages = 2, .group = 2, .prompt = 33},
    {.name = "tiny, 4 stages of 1", .stages = 4, .group = 1, .prompt = 33},
    {.name = "tiny, 3 stages of 1", .stages = 3, .group = 1, .prompt = 1},
    {.name = "tiny, a stage a block", .stages = 10, .group = 1, .nodes = 3, .prompt = 2},
    {.name = "tiny, 4 stages of 4", .stages = 4, .group = 4, .nodes = 4, .prompt = 33},
    {.name = "tiny, 2 stages of 8", .stages = 2, .group = 4, .nodes = 2, .chips_per_node = 8},
    {.name = "tiny, 9 nodes", .stages = 9, .group = 4, .nodes = 9, .prompt = 2},
    {.name = "tiny, 6 stages of 4 in 3 racks",
     .stages = 6,
     .group = 4,
     .racks = 3,
     .nodes = 2,
     .cables = 2,
     .prompt = 33},
    {.name = "tiny, 9 stages of 1 over racks",
     .stages = 9,
     .group = 1,
     .racks = 3,
     .nodes = 3,
     .chips_per_node = 1,
     .cables = 1,
     .prompt = 33},
    {.name = "tiny, as the compiler likes", .prompt = 33},
    {.name = "tiny, long bucket", .stages = 2, .group = 2, .max_sequence = 2048, .prompt = 70},
    {.name = "tiny, chunk of 128", .stages = 1, .group = 4, .chunk = 128, .prompt = 140},
    {.name = "tiny, chunk beyond the bucket", .stages = 1, .group = 2, .chunk = 96, .prompt = 200},
    {.name = "tiny, whole bucket", .stages = 2, .group = 1, .chunk = 64, .prompt = 253},
    {.name = "tiny, chunk of 16", .stages = 2, .group = 1, .chunk = 16, .prompt = 33},
    {.name = "qwen, 1 chip", .model = &rack_qwen, .stages = 1, .group = 1, .prompt = 33},
    {.name = "qwen, 1 stage of 2", .model = &rack_qwen, .stages = 1, .group = 2, .prompt = 33},
    {.name = "qwen, 2 stages of 2", .model = &rack_qwen, .stages = 2, .group = 2, .prompt = 2},
    {.name = "qwen, 4 stages of 1", .model = &rack_qwen, .stages = 4, .group = 1, .prompt = 1},
    {.name = "wide, 1 chip", .model = &rack_wide, .stages = 1, .group = 1, .prompt = 2},
    {.name = "wide, 1 stage of 2", .model = &rack_wide, .stages = 1, .group = 2, .prompt = 33},
    {.name = "wide, 1 stage of 4", .model = &rack_wide, .stages = 1, .group = 4, .prompt = 33},
    {.name = "wide, 4 stages of 1", .model = &rack_wide, .stages = 4, .group = 1, .prompt = 33},
    {.name = "odd, 1 chip", .model = &rack_odd, .stages = 1, .group = 1, .prompt = 33},
    {.name = "odd, 1 stage of 2", .model = &rack_odd, .stages = 1, .group = 2, .prompt = 33},
    {.name = "tiny, 1 chip, batch 2", .stages = 1, .group = 1, .prompt = 33, .batch = 2},
    {.name = "tiny, 1 stage of 4, batch 3", .stages = 1, .group = 4, .prompt = 33, .batch = 3},
    {.name = "tiny, 2 stages of 2, batch 8", .stages = 2, .group = 2, .prompt = 33, .batch = 8},
    {.name = "tiny, 2 nodes, batch 4",
     .stages = 2,
     .group = 4,
     .nodes = 2,
     .prompt = 2,
     .batch = 4},
    {.name = "tiny, long bucket, batch 4", .group = 2, .max_sequence = 2048, .batch = 4},
    {.name = "qwen, 1 chip, batch 5", .model = &rack_qwen, .group = 1, .prompt = 33, .batch = 5},
    {.name = "odd, 1 stage of 2, batch 2", .model = &rack_odd, .group = 2, .prompt = 2, .batch = 2},
    {.name = "odd, 2 stages of 2", .model = &rack_odd, .stages = 2, .group = 2, .prompt = 33},
    {.name = "normed, 1 chip", .model = &rack_normed, .stages = 1, .group = 1, .prompt = 33},
    {.name = "normed, 1 stage of 2", .model = &rack_normed, .stages = 1, .group = 2, .prompt = 33},
    {.name = "normed, 1 stage of 4", .model = &rack_normed, .stages = 1, .group = 4, .prompt = 2},
    {.name = "normed, 2 stages of 2", .model = &rack_normed, .stages = 2, .group = 2, .prompt = 33},
    {.name = "varied, 1 chip", .model = &rack_varied, .stages = 1, .group = 1, .prompt = 33},
    {.name = "varied, 1 stage of 2", .model = &rack_varied, .stages = 1, .group = 2, .prompt = 120},
    {.name = "varied, 1 stage of 4", .model = &rack_varied, .stages = 1, .group = 4, .prompt = 33},
    {.name = "varied, 4 stages of 1", .model = &rack_varied, .stages = 4, .group = 1, .prompt = 33},
    {.name = "varied, long bucket",
     .model = &rack_varied,
     .stages = 1,
     .group = 4,
     .max_sequence = 1024,
     .chunk = 64,
     .prompt = 200},
    {.name = "varied, batch 3", .model = &rack_varied, .group = 2, .prompt = 120, .batch = 3},
    {.name = "mixture, batch 2", .model = &rack_mixture, .group = 4, .prompt = 33, .batch = 2},
    {.name = "mixture, 1 chip", .model = &rack_mixture, .stages = 1, .group = 1},
    {.name = "mixture, 1 stage of 2",
     .model = &rack_mixture,
     .stages = 1,
     .group = 2,
     .prompt = 33},
    {.name = "mixture, passes of 64",
     .model = &rack_mixture,
     .stages = 1,
     .group = 4,
     .chunk = 64,
     .prompt = 66},
    {.name = "mixture, 4 stages of 1",
     .model = &rack_mixture,
     .stages = 4,
     .group = 1,
     .prompt = 33},
    {.name = "mixture, batch of 3",
     .model = &rack_mixture,
     .stages = 2,
     .group = 2,
     .batch = 3,
     .prompt = 33},
    {.name = "biased mixture, 1 stage of 2",
     .model = &rack_biased_mixture,
     .stages = 1,
     .group = 2,
     .prompt = 33},
    {.name = "biased mixture, 2 stages of 2",
     .model = &rack_biased_mixture,
     .stages = 2,
     .group = 2,
     .prompt = 33},
    {.name = "biased mixture, batch of 8",
     .model = &rack_biased_mixture,
     .stages = 1,
     .group = 4,
     .batch = 8,
     .prompt = 120},
    {.name = "varied, batch of 2",
     .model = &rack_varied,
     .stages = 1,
     .group = 4,
     .batch = 2,
     .prompt = 120},
};
enum { SPLITS = sizeof splits / sizeof splits[0] };

/* Three steps right after the prompt, and one that takes the bucket's last row. */
static void decode(struct rack *rack)
{
    int32_t vocabulary = (int32_t)rack->model.vocabulary, last = rack->bucket.max_sequence - 1;
    const int32_t token[] = {0, vocabulary / 2, vocabulary - 1};
    int64_t length = plan_length_cycles(rack->plan, PARTITION_DECODE);
    for (int32_t n = 0; n < 3; n++)
        CU_ASSERT_EQUAL(
            rack_step(rack, PARTITION_DECODE, rack->workload.prompt_tokens - 1 + n, token[n]),
            length);
    rack_replayed(rack, 1, last);
    CU_ASSERT_EQUAL(rack_step(rack, PARTITION_DECODE, last, 1), length);
}

static void check_case(const struct rack_case *c)
{
    struct rack rack;
    rack_compile(&rack, c);
    CU_ASSERT_PTR_NOT_NULL(rack.plan);
    if (!rack.plan) {
        fprintf(stderr, "%s is refused\n", c->name);
        base_report_print(&rack.report, stderr);
        rack_release(&rack);
        return;
    }
    rack_start(&rack);
    rack_prompt(&rack);
    decode(&rack);
    int64_t violations = rack_violations(&rack);
    CU_ASSERT_EQUAL(violations, 0);
    if (violations)
        fprintf(stderr, "%s: %lld violations\n", c->name, (long long)violations);
    rack_release(&rack);
}

static void every_split_keeps_the_contract_and_its_length(void)
{
    for (int n = 0; n < SPLITS; n++)
        check_case(&splits[n]);
}

/* A cache written row by row from the first to the bucket's last. */
static void a_sequence_may_fill_the_bucket(void)
{
    struct rack rack;
    rack_compile(&rack, &(struct rack_case){.stages = 2, .group = 2, .max_sequence = 64});
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    rack_start(&rack);
    for (int32_t position = 0; position < 64; position++)
        CU_ASSERT_EQUAL(rack_step(&rack, PARTITION_DECODE, position, 13 * position),
                        plan_length_cycles(rack.plan, PARTITION_DECODE));
    CU_ASSERT_EQUAL(rack_violations(&rack), 0);
    rack_release(&rack);
}

/* Each step takes the first program that suffices; the cache stays where it is. */
static void check_ladder(const struct model *model, int32_t batch)
{
    struct rack rack;
    rack_compile(&rack, &(struct rack_case){.model = model,
                                            .stages = 2,
                                            .group = 2,
                                            .max_sequence = 256,
                                            .rung = {64, 128},
                                            .batch = batch});
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    const enum partition_phase ladder[] = {PARTITION_RUNG, PARTITION_RUNG + 1, PARTITION_DECODE};
    int64_t before = 0;
    rack_start(&rack);
    for (int32_t n = 0, position = 0; n < 3; n++) {
        int64_t length = plan_length_cycles(rack.plan, ladder[n]);
        CU_ASSERT_TRUE(length > before);
        CU_ASSERT_EQUAL(plan_positions(rack.plan, ladder[n]), 64 << n);
        for (; position < plan_positions(rack.plan, ladder[n]); position++)
            CU_ASSERT_EQUAL(rack_step(&rack, ladder[n], position, 13 * position), length);
        before = length;
    }
    CU_ASSERT_EQUAL(plan_length_cycles(rack.plan, PARTITION_RUNG + 2), 0);
    CU_ASSERT_EQUAL(rack_violations(&rack), 0);
    rack_release(&rack);
}

static void sequences_move_up_the_ladder(void)
{
    check_ladder(NULL, 2);
    check_ladder(&rack_varied, 1);
}

TEST_MAIN("compiled programs", TEST(every_split_keeps_the_contract_and_its_length),
          TEST(a_sequence_may_fill_the_bucket), TEST(sequences_move_up_the_ladder))
