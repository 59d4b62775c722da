/* SPDX-License-Identifier: BSD-3-Clause */
/* No compiled schedule is shorter than its bound, and bounds are what a hand computes. */
#include "partition/bound.h"

#include <stdio.h>

#include "partition/bound_path.h"
#include "rack.h"
#include "test.h"

static const struct rack_case racks[] = {
    {.name = "tiny, 1 chip", .stages = 1, .group = 1, .prompt = 33},
    {.name = "tiny, 1 stage of 2", .stages = 1, .group = 2, .prompt = 33},
    {.name = "tiny, 1 stage of 4", .stages = 1, .group = 4, .prompt = 33},
    {.name = "tiny, 4 stages of 1", .stages = 4, .group = 1, .prompt = 33},
    {.name = "tiny, a stage a block", .stages = 10, .group = 1, .nodes = 3},
    {.name = "tiny, 4 stages of 4", .stages = 4, .group = 4, .nodes = 4, .prompt = 33},
    {.name = "tiny, 2 stages of 8", .stages = 2, .group = 4, .nodes = 2, .chips_per_node = 8},
    {.name = "tiny, 9 nodes", .stages = 9, .group = 4, .nodes = 9},
    {.name = "tiny, as the compiler likes", .prompt = 33},
    {.name = "tiny, long bucket", .stages = 2, .group = 2, .max_sequence = 2048, .prompt = 70},
    {.name = "tiny, chunk of 128", .stages = 1, .group = 4, .chunk = 128, .prompt = 140},
    {.name = "tiny, chunk of 16", .stages = 2, .group = 1, .chunk = 16, .prompt = 33},
    {.name = "qwen, 1 chip", .model = &rack_qwen, .stages = 1, .group = 1, .prompt = 33},
    {.name = "qwen, 2 stages of 2", .model = &rack_qwen, .stages = 2, .group = 2},
    {.name = "wide, 1 stage of 2", .model = &rack_wide, .stages = 1, .group = 2, .prompt = 33},
    {.name = "wide, 1 stage of 4", .model = &rack_wide, .stages = 1, .group = 4, .prompt = 33},
    {.name = "wide, 4 stages of 1", .model = &rack_wide, .stages = 4, .group = 1, .prompt = 33},
    {.name = "odd, 1 chip", .model = &rack_odd, .stages = 1, .group = 1, .prompt = 33},
    {.name = "odd, 2 stages of 2", .model = &rack_odd, .stages = 2, .group = 2, .prompt = 33},
};
enum { RACKS = sizeof racks / sizeof racks[0] };

/* Cycles at least the bound; says whose they are where they are not. */
static void check(const char *whose, const char *part, int64_t cycles, int64_t bound)
{
    CU_ASSERT_TRUE(cycles >= bound);
    if (cycles < bound)
        fprintf(stderr, "%s, %s: %lld cycles, bound %lld\n", whose, part, (long long)cycles,
                (long long)bound);
}

static void check_block(const char *whose, const struct bound_block *block)
{
    int64_t path = 0;
    if (!block->ops)
        return;
    check(whose, "a block", block->length, block->end);
    for (int32_t n = 0; n < block->ops; n++) {
        const struct bound_op *op = &block->op[n];
        path += op->path;
        CU_ASSERT_TRUE(op->span > 0); /* the compiled block knows the op */
        check(whose, op->name, op->span, op->alone);
    }
    CU_ASSERT_EQUAL(path, block->end);
}

static void check_stage(const char *whose, const struct bound_stage *stage)
{
    check(whose, "a stage", stage->cycles, stage->bound);
    check(whose, "a move", stage->move_cycles, stage->move_bound);
    check(whose, "a stage and its move", stage->joint_cycles, stage->joint_bound);
}

static void check_phase(const struct rack *rack, const char *whose, enum partition_phase phase)
{
    struct bound_step step;
    bound_step(rack->plan, phase, &step);
    for (int kind = 0; kind < PARTITION_BLOCKS; kind++)
        check_block(whose, &step.block[kind]);
    for (int32_t s = 0; s < step.stages; s++)
        check_stage(whose, &step.stage[s]);
    check(whose, "the step", step.cycles, step.bound);
    bound_release(&step);
}

static void no_schedule_is_shorter_than_its_bound(void)
{
    for (int n = 0; n < RACKS; n++) {
        struct rack rack;
        rack_compile(&rack, &racks[n]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        check_phase(&rack, racks[n].name, PARTITION_DECODE);
        check_phase(&rack, racks[n].name, PARTITION_PREFILL);
        rack_release(&rack);
    }
}

/* VXM at 46, SXM and links 45 away, MXM 46; a function 3, a permutation 3, a product 35 cycles. */
static void ways_through_the_machine_are_sums_of_distances_and_delays(void)
{
    struct bound_machine m = bound_machine_of(rack_chip());
    CU_ASSERT_EQUAL(m.mxm, 46 + 35 + 46);
    CU_ASSERT_EQUAL(m.sxm, 45 + 3 + 45);
    CU_ASSERT_EQUAL(m.hop, 45 + 650 + 2 + 45);
    /* 320 lanes of two bytes over 64 streams: 10 cycles, the last 9 after the first; one maximum.
     */
    CU_ASSERT_EQUAL(bound_crossing(&m, 1, 2), 93 + 9 + 3);
    /* 100 rows would take 999 cycles: two crossings and a maximum between are shorter. */
    CU_ASSERT_EQUAL(bound_crossing(&m, 100, 2), 93 + 3 + 93 + 3);
}

/* A row of 8,192 numbers is 52 vectors; a slot takes 24 cycles. */
static void an_exchange_takes_one_hop_or_two(void)
{
    struct bound_machine m = bound_machine_of(rack_chip());
    /* Of two chips each needs 52 vectors of the other; the last may be a sum already. */
    CU_ASSERT_EQUAL(bound_exchange(&m, 2, 52), 742 + 51 * 24);
    CU_ASSERT_EQUAL(bound_exchange(&m, 8, 1), 742 + 3);
    /* Three late sums on each link relieve it of 18 vectors: 34 are left, 33 slots after the first.
     */
    CU_ASSERT_EQUAL(bound_exchange(&m, 8, 52), 2 * 742 + 3 + 2 * 24);
    CU_ASSERT_TRUE(2 * 742 + 3 + 2 * 24 >= 742 + 33 * 24);
}

/* One stage of eight chips of Llama-2-70B: what gate and up bring into the MXM. */
static void a_product_waits_for_weights_that_no_buffer_holds(void)
{
    static const struct model model = {.layers = 1,
                                       .hidden = 8192,
                                       .heads = 64,
                                       .kv_heads = 8,
                                       .head_dim = 128,
                                       .ffn = 28672,
                                       .vocabulary = 32000};
    struct bucket bucket = {.max_sequence = 4096, .batch = 1, .prefill_chunk = 128};
    struct bound_machine m = bound_machine_of(rack_chip());
    struct bound_block block;
    struct shape shape;
    char why[160];
    CU_ASSERT_TRUE_FATAL(shape_derive_decode(&shape, rack_chip(), &model, &bucket, 8, why));
    bound_block(&m, &shape, PARTITION_MLP, &block);
    /* 8,192 x 7,168 bytes are 183,501 vectors; arrays and buffers hold 2,560; 64 come in a cycle,
     * and each 1,280 of them wait two cycles for an install; then the product and two functions. */
    CU_ASSERT_STRING_EQUAL(block.op[1].name, "gateup");
    CU_ASSERT_EQUAL(block.op[1].path, 2828 + 142 * 2 + 127 + 2 * 3);
    /* Norm: six functions around a crossing of one row. */
    CU_ASSERT_EQUAL(block.op[0].path, 93 + 9 + 6 * 3);
}

TEST_MAIN("bounds", TEST(no_schedule_is_shorter_than_its_bound),
          TEST(ways_through_the_machine_are_sums_of_distances_and_delays),
          TEST(an_exchange_takes_one_hop_or_two),
          TEST(a_product_waits_for_weights_that_no_buffer_holds))
