/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks go out in waves, and the time of a wave has the bound it should have. */
#include "gpu_cluster/kernel.h"

#include "cluster_fixture.h"
#include "test.h"

static struct gpu_chip chip_of_fixture(void)
{
    return fixture_job().chip;
}

/* One block an SM, a microsecond each on the tensor cores: 1,830 cycles of the fixture. */
static struct gpu_kernel blocks_of_1_us(int32_t blocks)
{
    return (struct gpu_kernel){
        .blocks = blocks,
        .blocks_per_sm = 1,
        .split_k = 1,
        .loop = {.groups = 1, .pipes = 1, .stages = 1, .tensor_cycles = 1830},
        .steps = 1};
}

static void a_block_more_than_sms_costs_another_wave(void)
{
    static const struct {
        int32_t blocks, sms, waves;
    } rows[] = {{1, 132, 1},   {132, 132, 1}, {133, 132, 2},
                {264, 132, 2}, {265, 132, 3}, {132, 108, 2}};
    struct gpu_chip chip = chip_of_fixture();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gpu_kernel kernel = blocks_of_1_us(rows[i].blocks);
        CU_ASSERT_EQUAL(gpu_kernel_ps(&chip, &kernel, rows[i].sms), rows[i].waves * 1000000);
    }
}

static void sms_lost_to_a_collective_cost_a_wave(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_kernel kernel = blocks_of_1_us(132);
    CU_ASSERT_EQUAL(gpu_kernel_ps(&chip, &kernel, 132 - 24),
                    2 * gpu_kernel_ps(&chip, &kernel, 132));
}

static void big_products_are_bound_by_tensor_cores_and_thin_ones_by_memory(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_kernel big = gpu_kernel_gemm(&chip, 8192, 8192, 8192, GPU_NUMBER_BF16);
    CU_ASSERT_EQUAL(gpu_kernel_wave(&chip, &big, gpu_kernel_slots(&big, 132), 132, true).bound,
                    GPU_BOUND_TENSOR);
    struct gpu_kernel thin = gpu_kernel_gemm(&chip, 16, 8192, 28672, GPU_NUMBER_BF16);
    CU_ASSERT_EQUAL(gpu_kernel_wave(&chip, &thin, thin.blocks, 132, true).bound, GPU_BOUND_HBM);
}

static void a_product_is_never_faster_than_the_machine(void)
{
    struct gpu_chip chip = chip_of_fixture();
    static const int64_t size[] = {1, 16, 100, 512, 2048, 8192};
    for (int i = 0; i < 6 * 6 * 6; i++) {
        int64_t m = size[i % 6], n = 64 * size[i / 6 % 6], k = 64 * size[i / 36];
        struct gpu_kernel kernel = gpu_kernel_gemm(&chip, m, n, k, GPU_NUMBER_BF16);
        double ps = (double)gpu_kernel_ps(&chip, &kernel, chip.sms);
        double flops = 2.0 * (double)m * (double)n * (double)k;
        CU_ASSERT_TRUE(ps > flops / chip.fp16_flops * 1e12);
        CU_ASSERT_TRUE(ps > (double)(n * k) * 2 / chip.hbm_bytes_per_s * 1e12);
        CU_ASSERT_TRUE(ps > (double)chip.kernel_floor_ps);
    }
}

static void few_columns_and_a_long_sum_are_split(void)
{
    struct gpu_chip chip = chip_of_fixture();
    CU_ASSERT_TRUE(gpu_kernel_gemm(&chip, 16, 256, 16384, GPU_NUMBER_BF16).split_k > 1);
    CU_ASSERT_EQUAL(gpu_kernel_gemm(&chip, 8192, 8192, 4096, GPU_NUMBER_BF16).split_k, 1);
}

static void decode_attention_is_split_over_keys_until_sms_are_full(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_attention one = {1, 1, 8192, 0, 4, 1, 128, 2},
                         many = {200, 1, 8192, 0, 4, 1, 128, 2};
    CU_ASSERT_EQUAL(gpu_kernel_attention(&chip, &one).blocks, 32);
    CU_ASSERT_EQUAL(gpu_kernel_attention(&chip, &many).split_k, 1);
    one.keys = 256;
    CU_ASSERT_EQUAL(gpu_kernel_attention(&chip, &one).blocks, 2);
    one.keys = 8192;
    chip.sm_version = 80;
    CU_ASSERT_EQUAL(gpu_kernel_attention(&chip, &one).blocks, 55);
}

/* Decode and prefill through a window of 128 keys, near and far into the context. */
static void a_window_bounds_what_attention_reads_and_computes(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_attention near = {1, 1, 128, 128, 8, 1, 64, 2}, far = near, open = near;
    far.keys = 100000;
    struct gpu_kernel a = gpu_kernel_attention(&chip, &near), b = gpu_kernel_attention(&chip, &far);
    CU_ASSERT_EQUAL(a.block_l2_bytes, b.block_l2_bytes);
    far.keys = 100050; /* the window touches two steps of 160 keys */
    b = gpu_kernel_attention(&chip, &far);
    CU_ASSERT_EQUAL(2 * a.block_l2_bytes, b.block_l2_bytes * b.split_k);
    CU_ASSERT_TRUE(a.blocks <= b.blocks && b.blocks <= 2 * a.blocks);
    open.window = 0;
    struct gpu_kernel c = gpu_kernel_attention(&chip, &open);
    CU_ASSERT_EQUAL(gpu_kernel_ps(&chip, &a, chip.sms), gpu_kernel_ps(&chip, &c, chip.sms));
    struct gpu_attention chunk = {1, 4096, 4096, 128, 8, 1, 64, 2}, whole = chunk;
    whole.window = 0;
    a = gpu_kernel_attention(&chip, &chunk);
    b = gpu_kernel_attention(&chip, &whole);
    CU_ASSERT_EQUAL(a.blocks, b.blocks);
    CU_ASSERT_TRUE(gpu_kernel_ps(&chip, &a, chip.sms) < gpu_kernel_ps(&chip, &b, chip.sms));
    CU_ASSERT_TRUE(a.steps < b.steps / 4);
}

static void experts_in_one_launch_are_the_product_of_one_where_there_is_one(void)
{
    struct gpu_chip chip = chip_of_fixture();
    chip.hbm_expert_efficiency = chip.hbm_efficiency;
    chip.tensor_sustained = 1;
    int32_t rows[] = {0, 4000, 0};
    struct gpu_experts shape = {
        .rows = 4000, .experts = 3, .chosen = 1, .n = 8192, .k = 4096, .width = 4096};
    struct gpu_kernel one = gpu_kernel_gemm(&chip, 4000, 8192, 4096, GPU_NUMBER_BF16);
    struct gpu_kernel grouped = gpu_kernel_grouped(&chip, &shape, rows, GPU_NUMBER_BF16);
    CU_ASSERT_EQUAL(one.split_k, 1);
    CU_ASSERT_EQUAL(one.blocks, grouped.blocks);
    CU_ASSERT_TRUE(grouped.wave_latency_ps > 0); /* blocks that find no rows */
    grouped.wave_latency_ps = 0;
    CU_ASSERT_EQUAL(gpu_kernel_ps(&chip, &one, chip.sms), gpu_kernel_ps(&chip, &grouped, chip.sms));
}

static int64_t experts_ps(const struct gpu_chip *chip, const struct gpu_experts *shape)
{
    int32_t rows[64] = {0};
    for (int64_t i = 0; i < shape->rows * shape->chosen; i++)
        rows[i % shape->experts]++;
    struct gpu_kernel kernel = gpu_kernel_grouped(chip, shape, rows, GPU_NUMBER_BF16);
    return gpu_kernel_ps(chip, &kernel, chip->sms);
}

/* Blocks of experts of other GPUs find nothing to do; rows of W that are not aligned come in number
 * by number; both for tiles of either year. */
static void experts_elsewhere_and_odd_widths_cost_time(void)
{
    struct gpu_chip chip = chip_of_fixture();
    for (int early = 0; early < 2; early++) {
        struct gpu_experts here = {.rows = 64,
                                   .experts = 8,
                                   .chosen = 2,
                                   .n = 4096,
                                   .k = 1856,
                                   .width = 1856,
                                   .early = early};
        struct gpu_experts shared = here, odd = here;
        shared.everywhere = 256;
        odd.k = 1857;
        CU_ASSERT_TRUE(experts_ps(&chip, &here) < experts_ps(&chip, &shared));
        CU_ASSERT_TRUE(experts_ps(&chip, &here) * 11 < experts_ps(&chip, &odd) * 10);
    }
}

/* Tiles by the tokens of the step. */
static void untuned_experts_take_the_tiles_of_their_year(void)
{
    static const struct {
        int64_t tokens;
        int32_t late[2], early[2];
    } row[] = {{4, {16, 64}, {16, 32}},
               {64, {32, 64}, {16, 32}},
               {96, {32, 128}, {64, 64}},
               {512, {64, 128}, {64, 64}},
               {4096, {128, 128}, {64, 64}}};
    struct gpu_chip chip = chip_of_fixture();
    int32_t rows[64] = {1};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int early = 0; early < 2; early++) {
            struct gpu_experts shape = {.rows = row[i].tokens,
                                        .experts = 64,
                                        .chosen = 2,
                                        .n = 4096,
                                        .k = 2048,
                                        .width = 2048,
                                        .early = early};
            struct gpu_kernel kernel = gpu_kernel_grouped(&chip, &shape, rows, GPU_NUMBER_BF16);
            const int32_t *tile = early ? row[i].early : row[i].late;
            CU_ASSERT_EQUAL(kernel.tile_m, tile[0]);
            CU_ASSERT_EQUAL(kernel.tile_n, tile[1]);
        }
}

/* However few operands stay in L2, a matrix is read again only by further rows of its own. */
static void other_experts_do_not_read_a_matrix_again(void)
{
    struct gpu_chip chip = chip_of_fixture();
    chip.l2_keep = 0.01;
    int32_t rows[128];
    for (int i = 0; i < 128; i++)
        rows[i] = 2;
    struct gpu_experts shape = {
        .rows = 64, .experts = 128, .chosen = 4, .n = 4096, .k = 7168, .width = 2048};
    struct gpu_kernel kernel = gpu_kernel_grouped(&chip, &shape, rows, GPU_NUMBER_BF16);
    double weights = 2.0 * 128 * 4096 * 7168;
    CU_ASSERT_TRUE(kernel.block_hbm_bytes * kernel.blocks < 1.1 * weights);
}

/* Bytes over HBM: the weights of the experts that have rows, each once, and the rows. */
static void experts_are_read_if_any_row_has_chosen_them(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_experts shape = {.experts = 4, .chosen = 1, .n = 1536, .k = 1024, .width = 768};
    static const struct {
        int32_t rows[4];
        int64_t touched, all;
    } row[] = {
        {{1, 0, 0, 0}, 1, 1}, {{3, 0, 1, 0}, 2, 4}, {{1, 1, 1, 1}, 4, 4}, {{0, 0, 0, 200}, 1, 200}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct gpu_kernel kernel = gpu_kernel_grouped(&chip, &shape, row[i].rows, GPU_NUMBER_BF16);
        double bytes = kernel.block_hbm_bytes * (double)kernel.blocks;
        double expected = 2.0 * (double)(row[i].touched * 1536 * 1024) +
                          2.0 * (double)(row[i].all * (1024 + 1536));
        CU_ASSERT_DOUBLE_EQUAL(bytes, expected, 1e-6 * expected);
    }
}

TEST_MAIN("kernel", TEST(a_block_more_than_sms_costs_another_wave),
          TEST(sms_lost_to_a_collective_cost_a_wave),
          TEST(big_products_are_bound_by_tensor_cores_and_thin_ones_by_memory),
          TEST(a_product_is_never_faster_than_the_machine),
          TEST(few_columns_and_a_long_sum_are_split),
          TEST(decode_attention_is_split_over_keys_until_sms_are_full),
          TEST(a_window_bounds_what_attention_reads_and_computes),
          TEST(experts_in_one_launch_are_the_product_of_one_where_there_is_one),
          TEST(experts_elsewhere_and_odd_widths_cost_time),
          TEST(other_experts_do_not_read_a_matrix_again),
          TEST(untuned_experts_take_the_tiles_of_their_year),
          TEST(experts_are_read_if_any_row_has_chosen_them))
