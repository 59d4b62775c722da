/* SPDX-License-Identifier: BSD-3-Clause */
/* What attention costs follows from the units of an SM: exponentials, fp32 lanes, tensor cores,
 * shared memory; and from the tables of its library. */
#include <math.h>

#include "cluster_fixture.h"
#include "gpu_cluster/kernel.h"
#include "test.h"

static struct gpu_chip chip_of_fixture(void)
{
    return fixture_job().chip;
}

/* Prompts of `keys` positions, 32 heads of 128 numbers. */
static struct gpu_attention prompts(int64_t sequences, int64_t keys)
{
    return (struct gpu_attention){sequences, keys, keys, 0, 32, 8, 128, 2};
}

static int64_t time_of(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    struct gpu_kernel kernel = gpu_kernel_attention(chip, shape);
    return gpu_kernel_ps(chip, &kernel, chip->sms);
}

static void exponentials_and_fp32_lanes_bound_a_step(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_attention shape = prompts(1, 8192);
    for (int32_t version = 80; version <= 100; version += 10) {
        chip.sm_version = version;
        struct gpu_sm_loop loop = gpu_kernel_attention(&chip, &shape).loop;
        struct gpu_chip fewer = chip, wider = chip;
        fewer.exp_lanes /= 2;
        wider.fp32_lanes *= 2;
        int32_t more = gpu_kernel_attention(&fewer, &shape).loop.special_cycles;
        int32_t less = gpu_kernel_attention(&wider, &shape).loop.special_cycles;
        CU_ASSERT_TRUE(less < loop.special_cycles && loop.special_cycles < more);
    }
}

/* Scores of a group: rows x keys, an exponential and some operations each. */
static void softmax_costs_what_its_units_take(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_attention shape = prompts(1, 8192);
    double scores = 64 * 128, results = 64 * 128;
    double cycles =
        scores / chip.exp_lanes + (scores * chip.softmax_ops + results) / chip.fp32_lanes;
    struct gpu_sm_loop hopper = gpu_kernel_attention(&chip, &shape).loop;
    CU_ASSERT_EQUAL(hopper.groups, 2);
    CU_ASSERT_EQUAL(hopper.special_cycles, (int32_t)ceil(cycles));
    chip.sm_version =
        80; /* 16 rows a warp, which reads keys and values from shared memory itself */
    struct gpu_sm_loop ampere = gpu_kernel_attention(&chip, &shape).loop;
    CU_ASSERT_EQUAL(ampere.groups, 4);
    CU_ASSERT_EQUAL(ampere.special_cycles, (int32_t)ceil(cycles / 4 + 2.0 * 128 * 128 * 2 / 128));
}

/* Head dims, and keys of a step: causal, through a window, one token; 16 bits and 8. */
static void steps_have_the_keys_of_the_table(void)
{
    static const struct {
        int64_t head_dim;
        int32_t wide[3], narrow[3];
    } row[] = {{64, {128, 160, 160}, {160, 160, 160}},
               {128, {128, 128, 128}, {160, 160, 160}},
               {192, {96, 96, 96}, {160, 128, 160}},
               {256, {80, 64, 80}, {128, 64, 128}}};
    struct gpu_chip chip = chip_of_fixture();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int kind = 0; kind < 3; kind++)
            for (int32_t bytes = 1; bytes <= 2; bytes++) {
                struct gpu_attention shape = {1, 4096, 4096, 0, 8, 8, row[i].head_dim, bytes};
                shape.window = kind == 1 ? 512 : 0;
                shape.queries = kind == 2 ? 1 : 4096;
                int32_t keys = bytes == 1 ? row[i].narrow[kind] : row[i].wide[kind];
                CU_ASSERT_EQUAL(gpu_kernel_attention(&chip, &shape).tile_n, keys);
            }
}

/* Tiles of 128 rows of one head, steps of 128 keys: tile t sees t + 1 steps; through a window of
 * 128 keys the one below and its own. */
static void tiles_work_through_the_steps_that_their_rows_see(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_attention shape = {64, 1024, 1024, 0, 8, 8, 128, 2};
    CU_ASSERT_DOUBLE_EQUAL(gpu_kernel_attention(&chip, &shape).steps, 4.5, 1e-12);
    shape.window = 128;
    CU_ASSERT_DOUBLE_EQUAL(gpu_kernel_attention(&chip, &shape).steps, 15.0 / 8, 1e-12);
    shape.window = 129; /* the last key of the step before that */
    CU_ASSERT_DOUBLE_EQUAL(gpu_kernel_attention(&chip, &shape).steps, 15.0 / 8, 1e-12);
    shape.window = 130;
    CU_ASSERT_DOUBLE_EQUAL(gpu_kernel_attention(&chip, &shape).steps, 21.0 / 8, 1e-12);
}

static void more_work_takes_no_less_time(void)
{
    for (int32_t version = 80; version <= 100; version += 10) {
        struct gpu_chip chip = chip_of_fixture();
        chip.sm_version = version;
        int64_t last = 0;
        for (int64_t keys = 16; keys <= 65536; keys *= 2) {
            struct gpu_attention shape = prompts(2, keys);
            int64_t now = time_of(&chip, &shape);
            CU_ASSERT_TRUE(now >= last);
            last = now;
        }
        for (int64_t sequences = 1; sequences <= 512; sequences *= 2) {
            struct gpu_attention shape = prompts(sequences, 4096);
            shape.queries = 1;
            int64_t now = time_of(&chip, &shape);
            CU_ASSERT_TRUE(sequences == 1 || now > last);
            last = now;
        }
    }
}

/* Blocks of version 3 walk along the sequences, 31 at a time; tokens of one batch in one block. */
static void sequences_are_walked_along(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_attention few = {31, 1, 64, 0, 1, 1, 128, 2}, more = few;
    more.sequences = 32;
    int64_t walk =
        gpu_kernel_attention(&chip, &more).floor_ps - gpu_kernel_attention(&chip, &few).floor_ps;
    CU_ASSERT_TRUE(walk > 0 && walk < 5 * INT64_C(1000000));
}

/* A block a token; instructions of its warps bound the pace, bytes where tokens are wide. */
static void writing_the_cache_costs_blocks_and_then_bytes(void)
{
    struct gpu_chip chip = chip_of_fixture();
    struct gpu_kernel one = gpu_kernel_kv_write(&chip, 65536, 512, 2);
    struct gpu_kernel half = gpu_kernel_kv_write(&chip, 32768, 512, 2);
    struct gpu_kernel wide = gpu_kernel_kv_write(&chip, 65536, 16384, 2);
    struct gpu_kernel fp8 = gpu_kernel_kv_write(&chip, 65536, 512, 1);
    double a = (double)(gpu_kernel_ps(&chip, &one, chip.sms) - one.floor_ps);
    double b = (double)(gpu_kernel_ps(&chip, &half, chip.sms) - half.floor_ps);
    CU_ASSERT_DOUBLE_EQUAL(a / b, 2, 0.1);
    CU_ASSERT_TRUE(a > 2 * one.block_hbm_bytes * one.blocks / chip.hbm_bytes_per_s * 1e12);
    double hbm = wide.block_hbm_bytes * wide.blocks / chip.hbm_bytes_per_s * 1e12;
    double w = (double)gpu_kernel_ps(&chip, &wide, chip.sms);
    CU_ASSERT_TRUE(w > hbm && w < 1.5 * hbm);
    CU_ASSERT_TRUE(gpu_kernel_ps(&chip, &fp8, chip.sms) > gpu_kernel_ps(&chip, &one, chip.sms));
}

TEST_MAIN("attention", TEST(exponentials_and_fp32_lanes_bound_a_step),
          TEST(softmax_costs_what_its_units_take), TEST(steps_have_the_keys_of_the_table),
          TEST(tiles_work_through_the_steps_that_their_rows_see),
          TEST(more_work_takes_no_less_time), TEST(sequences_are_walked_along),
          TEST(writing_the_cache_costs_blocks_and_then_bytes))
