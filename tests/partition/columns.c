/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler cuts the second matrix of a pair by rows or by columns, whichever makes the request
 * shorter, each matrix apart. */
#include "partition/columns.h"

#include "rack.h"
#include "test.h"

/* Two layers as wide as those of Llama-3-8B, of fewer inner columns and tokens. */
static const struct model wide_model = {.name = "as wide as Llama-3-8B",
                                        .layers = 2,
                                        .hidden = 4096,
                                        .heads = 32,
                                        .kv_heads = 8,
                                        .head_dim = 128,
                                        .ffn = 4096,
                                        .vocabulary = 2048,
                                        .norm_epsilon = 1e-5,
                                        .rope_theta = 10000,
                                        .sliding_window = INT64_MAX};

static const struct rack_case eight_chips = {
    .model = &wide_model, .stages = 1, .group = 8, .chips_per_node = 8, .prompt = 33};

static int64_t decode_cycles(struct rack_case c, enum lpu_split o, enum lpu_split down)
{
    struct rack rack;
    c.split_o = o, c.split_down = down;
    rack_compile(&rack, &c);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    int64_t cycles = plan_length_cycles(rack.plan, PARTITION_DECODE);
    rack_release(&rack);
    return cycles;
}

/* What the compiler takes of four plans is the shortest, as far as decode steps count. */
static struct partition_columns check_choice(const struct rack_case *c)
{
    struct rack rack;
    rack_compile(&rack, c);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    struct partition_columns taken = plan_columns(rack.plan);
    int64_t own = plan_length_cycles(rack.plan, PARTITION_DECODE);
    for (int n = 0; n < 4; n++) {
        struct partition_columns other = {.o = n % 2, .down = n / 2};
        int64_t cycles = decode_cycles(*c, other.o ? LPU_SPLIT_COLUMNS : LPU_SPLIT_ROWS,
                                       other.down ? LPU_SPLIT_COLUMNS : LPU_SPLIT_ROWS);
        CU_ASSERT_TRUE(own <= cycles);
        CU_ASSERT_EQUAL(own == cycles, other.o == taken.o && other.down == taken.down);
    }
    rack_release(&rack);
    return taken;
}

static void a_single_row_is_summed(void)
{
    struct rack_case c = eight_chips;
    c.decode = 1000;
    struct partition_columns taken = check_choice(&c);
    CU_ASSERT_FALSE(taken.o);
    CU_ASSERT_FALSE(taken.down);
}

/* Four rows of 13 tiles take 104 slots of each link; four of two tiles and four of two, 32. */
static void a_few_rows_are_gathered(void)
{
    struct rack_case c = eight_chips;
    c.batch = 4, c.decode = 1000;
    CU_ASSERT_TRUE(check_choice(&c).o);
}

static struct partition_choice choice_of(const struct rack_case *c, enum partition_matrix matrix)
{
    struct rack rack;
    rack_compile(&rack, c);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    struct partition_choice choice = plan_choice(rack.plan, matrix);
    rack_release(&rack);
    return choice;
}

/* Passes are shorter by rows, steps by columns. */
static void the_request_decides(void)
{
    struct rack_case c = eight_chips;
    c.batch = 4, c.decode = 1, c.prompt = 225;
    struct partition_choice passes = choice_of(&c, PARTITION_O);
    c.decode = 200;
    struct partition_choice steps = choice_of(&c, PARTITION_O);
    CU_ASSERT_TRUE(passes.possible && !passes.asked && !passes.columns);
    CU_ASSERT_TRUE(steps.possible && !steps.asked && steps.columns);
    CU_ASSERT_TRUE(steps.request_cycles[1] < steps.request_cycles[0]);
    CU_ASSERT_EQUAL(passes.request_cycles[1], 0);
    for (int n = 0; n < 2; n++)
        for (int k = 0; k < 2; k++)
            CU_ASSERT_EQUAL(steps.block_cycles[n][k], passes.block_cycles[n][k]);
    CU_ASSERT_TRUE(steps.block_cycles[0][1] < steps.block_cycles[0][0]);
    CU_ASSERT_TRUE(steps.block_cycles[1][1] > steps.block_cycles[1][0]);
}

/* What a block takes by the comparison is what it takes in a plan that is asked to be so. */
static void compared_blocks_are_those_of_plans(void)
{
    struct rack_case c = eight_chips;
    c.batch = 4;
    struct partition_choice compared = choice_of(&c, PARTITION_O);
    for (int columns = 0; columns < 2; columns++) {
        struct rack rack;
        c.split_o = columns ? LPU_SPLIT_COLUMNS : LPU_SPLIT_ROWS;
        rack_compile(&rack, &c);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        struct columns_explained e = columns_explain(rack.plan, PARTITION_O);
        CU_ASSERT_TRUE(e.choice.asked);
        CU_ASSERT_EQUAL(e.choice.columns, columns == 1);
        CU_ASSERT_EQUAL(e.choice.block_cycles[0][0], compared.block_cycles[0][0]);
        CU_ASSERT_EQUAL(e.choice.block_cycles[0][1], compared.block_cycles[0][1]);
        CU_ASSERT_TRUE(e.row_cycles[0] < e.row_cycles[1]);
        rack_release(&rack);
    }
}

static void where_there_is_one_way_there_is_no_choice(void)
{
    struct rack_case c = {.model = &rack_mixture, .stages = 1, .group = 4, .prompt = 33};
    CU_ASSERT_TRUE(choice_of(&c, PARTITION_O).possible);
    CU_ASSERT_FALSE(choice_of(&c, PARTITION_DOWN).possible);
    c = (struct rack_case){.stages = 1, .group = 1, .split_o = LPU_SPLIT_COLUMNS};
    CU_ASSERT_FALSE(choice_of(&c, PARTITION_O).possible);
}

TEST_MAIN("columns", TEST(a_single_row_is_summed), TEST(a_few_rows_are_gathered),
          TEST(the_request_decides), TEST(compared_blocks_are_those_of_plans),
          TEST(where_there_is_one_way_there_is_no_choice))
