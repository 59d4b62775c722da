/* SPDX-License-Identifier: BSD-3-Clause */
/* No compiled schedule is shorter than its bound, and bounds are what a hand computes. */
#include "partition/bound.h"

#include <stdio.h>
#include <string.h>

#include "partition/bound_path.h"
#include "splits.h"
#include "test.h"

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
    check(whose, "a block", block->cycles, block->bound);
    for (int32_t n = 0; n < block->ops; n++) {
        const struct bound_op *op = &block->op[n];
        path += op->path;
        CU_ASSERT_TRUE(op->span > 0); /* the compiled block knows the op */
        check(whose, op->name, op->span, op->alone);
    }
    CU_ASSERT_EQUAL(path, block->bound);
}

static void check_stage(const char *whose, const struct bound_stage *stage)
{
    check(whose, "a stage", stage->cycles, stage->bound);
}

static void check_phase(const struct plan *plan, const char *whose, enum partition_phase phase)
{
    struct bound_step step;
    bound_step(plan, phase, &step);
    for (int kind = 0; kind < PARTITION_BLOCKS; kind++)
        check_block(whose, &step.block[kind]);
    for (int32_t s = 0; s < step.stages; s++)
        check_stage(whose, &step.stage[s]);
    check(whose, "the step", step.cycles, step.bound);
    bound_release(&step);
}

static void no_schedule_is_shorter_than_its_bound(void)
{
    for (int n = 0; n < splits_count; n++) {
        struct rack rack;
        rack_compile(&rack, &splits[n]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        check_phase(rack.plan, splits[n].name, PARTITION_DECODE);
        check_phase(rack.plan, splits[n].name, PARTITION_PREFILL);
        rack_release(&rack);
    }
}

/* A number from 0 to `most`. */
static int32_t drawn(uint32_t *state, int32_t most)
{
    *state = *state * 1664525u + 1013904223u;
    return (int32_t)((*state >> 8) % (uint32_t)(most + 1));
}

/* Delays from nothing to three times those of the shipped chip, links from slow to quick. */
static struct lpu_chip drawn_chip(uint32_t seed)
{
    struct lpu_chip chip = *rack_chip();
    int32_t *delay[] = {
        &chip.mem_read_cycles,    &chip.mxm_compute_cycles,    &chip.vxm_alu_cycles,
        &chip.sxm_cycles,         &chip.sxm_transpose_cycles,  &chip.c2c_receive_cycles,
        &chip.mxm_install_cycles, &chip.mem_write_skew_cycles, &chip.sync_cycles};
    for (size_t n = 0; n < sizeof delay / sizeof delay[0]; n++)
        *delay[n] = 1 + chip.vxm_skew_cycles + drawn(&seed, 3 * *delay[n]);
    chip.c2c_hop_cycles = 10 + drawn(&seed, 1500);
    chip.c2c_bits_per_s = chip.c2c_bits_per_s / (1 + drawn(&seed, 3)) * (1 + drawn(&seed, 3));
    return chip;
}

static const struct rack_case *split_called(const char *name)
{
    for (int n = 0; n < splits_count; n++)
        if (strcmp(splits[n].name, name) == 0)
            return &splits[n];
    CU_FAIL_FATAL("no such split");
    return NULL;
}

/* Cut by columns where `columns`, else as the compiler likes. */
static void check_drawn_chips(const struct rack_case *c, bool columns, uint32_t seeds)
{
    struct rack rack;
    rack_compile(&rack, c);
    for (uint32_t seed = 0; seed < seeds; seed++) {
        struct lpu_chip chip = drawn_chip(seed);
        struct lpu_rack layout = {.nodes = 1 + (int32_t)seed % 3,
                                  .chips_per_node = 4,
                                  .pipeline_stages = 1 + (int32_t)seed % 3,
                                  .tensor_group = seed % 2 ? 4 : 2};
        if (columns)
            layout.split_o = layout.split_down = LPU_SPLIT_COLUMNS;
        struct lpu_topology topology;
        struct base_report report = {0};
        enum base_status status;
        CU_ASSERT_TRUE_FATAL(lpu_topology_build(&topology, &layout, &chip, &report));
        struct partition_input input = {&chip,        &layout,        &topology, &rack.model,
                                        &rack.bucket, &rack.workload, 1};
        struct plan *plan = plan_compile(&input, &report, &status);
        CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
        check_phase(plan, "a drawn chip", PARTITION_DECODE);
        check_phase(plan, "a drawn chip", PARTITION_PREFILL);
        plan_release(plan);
        lpu_topology_release(&topology);
        base_report_release(&report);
    }
    rack_release(&rack);
}

static void no_schedule_of_another_chip_is_either(void)
{
    check_drawn_chips(&splits[2], false, 24);
    check_drawn_chips(split_called("wide, 1 stage of 4"), true, 12);
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
    CU_ASSERT_EQUAL(bound_crossing(&m, 1, 320, 2), 93 + 9 + 3);
    CU_ASSERT_EQUAL(bound_crossing(&m, 1, 64, 2), 93 + 1 + 3);
    /* 100 rows would take 999 cycles: two crossings and a maximum between are shorter. */
    CU_ASSERT_EQUAL(bound_crossing(&m, 100, 1000, 2), 93 + 3 + 93 + 3);
}

/* A row of 8,192 numbers is 52 vectors; a slot takes 24 cycles. */
static void an_exchange_takes_one_hop_or_two(void)
{
    struct bound_machine m = bound_machine_of(rack_chip());
    /* Of two chips each needs 52 vectors of the other; the last may be a sum already. */
    CU_ASSERT_EQUAL(bound_exchange(&m, 2, 52, 0), 742 + 51 * 24);
    CU_ASSERT_EQUAL(bound_exchange(&m, 8, 1, 0), 742 + 3);
    /* Three late sums on each link relieve it of 18 vectors: 34 are left, 33 slots after the first.
     */
    CU_ASSERT_EQUAL(bound_exchange(&m, 8, 52, 0), 2 * 742 + 3 + 2 * 24);
    CU_ASSERT_TRUE(2 * 742 + 3 + 2 * 24 >= 742 + 33 * 24);
    /* What may come late leaves the two hops of the first sum. */
    CU_ASSERT_EQUAL(bound_exchange(&m, 8, 52, 100), 2 * 742 + 3);
}

/* Nine nodes of eight chips, two cables between any two: of the 16 links that end at node 1, two
 * come from node 0, and every chip of node 1 has one of the others. */
static void a_move_takes_all_links_that_lead_there(void)
{
    struct bound_machine m = bound_machine_of(rack_chip());
    struct lpu_rack rack = {.nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2};
    struct lpu_topology topology;
    struct base_report report = {0};
    CU_ASSERT_TRUE_FATAL(lpu_topology_build(&topology, &rack, rack_chip(), &report));
    struct bound_pair pair = {&topology, 8, 0, 8, .sums = false};
    /* A cable, and a hop from its end to the rest. */
    CU_ASSERT_EQUAL(bound_move(&m, &pair, 1), 742 + 652);
    /* By way of a third node it is a hop more: longer than the slots of 26 vectors on two cables.
     */
    CU_ASSERT_EQUAL(bound_move(&m, &pair, 26), 742 + 652 + 12 * 24);
    /* Of 100 vectors 60 take 30 slots on two cables; 40 go round, three slots on 14 links. */
    CU_ASSERT_EQUAL(bound_move(&m, &pair, 100), 742 + 2 * 652 + 2 * 24);
    CU_ASSERT_TRUE(742 + 652 + 29 * 24 <= 742 + 2 * 652 + 2 * 24);
    /* Parts of sums are gathered first. */
    pair.sums = true;
    CU_ASSERT_EQUAL(bound_move(&m, &pair, 1), 742 + 2 * 652 + 3);
    lpu_topology_release(&topology);
    base_report_release(&report);
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
    struct bound_time time = {0}, partial;
    struct bound_block block;
    struct shape shape;
    char why[160];
    CU_ASSERT_TRUE_FATAL(shape_derive_decode(&shape, rack_chip(), &model, &bucket, 8, why));
    bound_block(&m, &(struct bound_work){.shape = &shape, .kind = PARTITION_MLP}, &time, &partial,
                &block);
    /* 8,192 x 7,168 bytes are 183,501 vectors; arrays and buffers hold 2,560; 64 come in a cycle,
     * and each 1,280 of them wait two cycles for an install; then the product and two functions. */
    CU_ASSERT_STRING_EQUAL(block.op[1].name, "gateup");
    CU_ASSERT_EQUAL(block.op[1].path, 2828 + 142 * 2 + 127 + 2 * 3);
    /* Norm: five functions around a crossing of lanes that are all there at the start. */
    CU_ASSERT_EQUAL(block.op[0].path, 93 + 9 + 5 * 3);
}

TEST_MAIN("bounds", TEST(no_schedule_is_shorter_than_its_bound),
          TEST(no_schedule_of_another_chip_is_either),
          TEST(ways_through_the_machine_are_sums_of_distances_and_delays),
          TEST(an_exchange_takes_one_hop_or_two), TEST(a_move_takes_all_links_that_lead_there),
          TEST(a_product_waits_for_weights_that_no_buffer_holds))
