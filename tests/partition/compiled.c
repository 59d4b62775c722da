/* SPDX-License-Identifier: BSD-3-Clause */
/* What the compiler writes keeps the contract: executed, instruction by instruction, for models,
 * splits and prompts of many kinds. */
#include "test.h"

#include <stdio.h>

#include "splits.h"

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
    for (int n = 0; n < splits_count; n++)
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
