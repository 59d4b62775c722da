/* SPDX-License-Identifier: BSD-3-Clause */
/* fp16 products keep the contract, give the right numbers, and use the MXM almost all the time. */
#include "partition/op_matmul.h"

#include "partition/lone.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320, DEPTH = 160, LOAD = 20 };

static void start(struct play *play, const struct matmul *m, struct matmul_side side[2],
                  bool values)
{
    CU_ASSERT_PTR_NULL_FATAL(matmul_refusal(rack_chip(), m));
    play_open(play, rack_chip(), 1, 8, 1);
    struct block b = lone_open(rack_chip());
    ops_matmul(&b, m, side);
    play->program[0] = lone_program(&b, 0, b.end);
    block_release(&b);
    play_start(play, values);
}

/* Small whole numbers: sums of products are exact in fp16. */
static float activation(int32_t row, int32_t k)
{
    return (float)((row * 5 + k * 3) % 7 - 3);
}

static float weight(int32_t k, int32_t n)
{
    return (float)((k * 7 + n) % 3 - 1);
}

static void put(struct play *play, int32_t tensor, int32_t sub, int32_t index, const float *lane)
{
    const struct chip_number where = {tensor, sub, index};
    chip_preload(play->chip[0], &play->program[0], &where, lane);
}

static void load_rows(struct play *play, const struct matmul *m, const struct matmul_side *s)
{
    for (int32_t v = 0; 2 * v < m->k_tiles; v++)
        for (int32_t r = 0; r < s->rows; r++) {
            float lane[LANES];
            for (int32_t l = 0; l < LANES; l++)
                lane[l] = activation(s->first_row + r, v * LANES + l);
            put(play, s->x[v], 0, r, lane);
        }
}

static void load_weights(struct play *play, const struct matmul *m, const struct matmul_side *s)
{
    for (int32_t tile = 0; tile < s->tiles * m->k_tiles; tile++)
        for (int32_t k = 0; k < DEPTH; k++) {
            float lane[LANES];
            int32_t all = tile % m->k_tiles * DEPTH + k,
                    first = (s->first_tile + tile / m->k_tiles) * LANES;
            for (int32_t l = 0; l < LANES; l++)
                lane[l] = weight(all, first + l);
            put(play, s->weight, 2 * (k % 8), tile * LOAD + k / 8, lane);
        }
}

static int32_t wrong_in_row(const struct play *play, const struct matmul *m,
                            const struct matmul_side *s, int32_t tile, int32_t row)
{
    float lane[LANES];
    int32_t count = 0;
    const struct chip_number where = {s->y[tile], 0, row};
    chip_peek(play->chip[0], &play->program[0], &where, lane);
    for (int32_t l = 0; l < LANES; l++) {
        float want = 0;
        for (int32_t k = 0; k < m->k_tiles * DEPTH; k++)
            want +=
                activation(s->first_row + row, k) * weight(k, (s->first_tile + tile) * LANES + l);
        count += lane[l] != want;
    }
    return count;
}

static void check(struct matmul m)
{
    struct play play;
    struct matmul_side side[2];
    start(&play, &m, side, true);
    for (int32_t e = 0; e < 2; e++) {
        load_rows(&play, &m, &side[e]);
        load_weights(&play, &m, &side[e]);
    }
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, play.program[0].length_cycles);
    for (int32_t e = 0; e < 2; e++)
        for (int32_t tile = 0; tile < side[e].tiles; tile++)
            for (int32_t row = 0; row < side[e].rows; row++)
                CU_ASSERT_EQUAL(wrong_in_row(&play, &m, &side[e], tile, row), 0);
    play_close(&play);
}

static void products_are_right(void)
{
    check((struct matmul){.rows = 30, .k_tiles = 3, .n_tiles = 2});
    check((struct matmul){.rows = 9, .k_tiles = 2, .n_tiles = 3});
    check((struct matmul){.rows = 1, .k_tiles = 1, .n_tiles = 1});
    check((struct matmul){.rows = 2, .k_tiles = 30, .n_tiles = 15});
}

/* A pass an install after the other: what is lost is the way in and out. */
static void many_rows_keep_the_mxm_busy(void)
{
    struct matmul m = {.rows = 1000, .k_tiles = 10, .n_tiles = 4};
    struct play play;
    struct matmul_side side[2];
    start(&play, &m, side, false);
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_TRUE(r.length_cycles < 20 * 1002 + 300);
    CU_ASSERT_TRUE(r.length_cycles > 20 * 1000);
    play_close(&play);
}

static void what_does_not_fit_is_refused(void)
{
    const struct matmul refused[] = {{9000, 2, 2}, {8, 300, 2}, {400, 200, 8}, {4000, 2, 30}};
    for (int n = 0; n < 4; n++)
        CU_ASSERT_PTR_NOT_NULL(matmul_refusal(rack_chip(), &refused[n]));
}

TEST_MAIN("fp16 products", TEST(products_are_right), TEST(many_rows_keep_the_mxm_busy),
          TEST(what_does_not_fit_is_refused))
