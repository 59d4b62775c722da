/* SPDX-License-Identifier: BSD-3-Clause */
/* Products through the matrix unit are what plain loops compute. */
#include "test.h"

#include <string.h>

#include "trial.h"

enum { ROWS = 3, MOST_TILES = 2, MOST_VECTORS = 320, START = 100, DEPTH_FP16 = 160 };

/* A product over tiles of `cycles` load cycles; `larger`: cycles of loads that come and go before
 * it, one for each place where a tile can be. */
struct product {
    enum program_dtype dtype;
    uint8_t flags;
    int32_t tiles, cycles, larger, low;
};

static float weight[MOST_TILES][MOST_VECTORS][TRIAL_LANES], x[MOST_TILES * ROWS][TRIAL_LANES];

static bool is_fp16(const struct product *p)
{
    return p->dtype == PROGRAM_DTYPE_FP16;
}

static int32_t vectors_of(const struct product *p)
{
    return p->cycles * (is_fp16(p) ? 8 : 16);
}

/* Cycles from one tile to the next: a load begins as soon as the buffer is free, and an install
 * comes after the rows of the tile before. */
static int32_t period_of(int32_t cycles)
{
    return (cycles > ROWS ? cycles : ROWS) + rig_machine.mxm_install_cycles;
}

static void load(struct trial *t, const struct product *p, int32_t w, int32_t cycles, int32_t tiles,
                 int64_t at)
{
    const struct rig_repeat r = {{cycles, tiles}, {1, period_of(cycles)}},
                            each = {{1, tiles}, {0, period_of(cycles)}};
    const struct rig_walk all = {0, {1, cycles}}, first = {0, {0, cycles}};
    struct program_operand in = rig_stream(trial_lane(PROGRAM_WEST, 0, 0, 0), 16, w, 0, all);
    rig_read(&t->program[0], w, 16, all, r, trial_lane(PROGRAM_WEST, 0, at, TRIAL_MXM));
    rig_add(&t->program[0],
            (struct program_instruction){
                .cycle = at - 1, .queue = TRIAL_MXM, .opcode = PROGRAM_MXM_LOAD, .flags = p->flags},
            r, &in, 1, 0);
    in = rig_expect(w, 0, first);
    rig_add(&t->program[0],
            (struct program_instruction){.cycle = at + cycles,
                                         .queue = TRIAL_MXM + 1,
                                         .opcode = PROGRAM_MXM_INSTALL,
                                         .flags = p->flags},
            each, &in, 1, 0);
}

/* Rows of x against all tiles, into y. */
static void compute(struct trial *t, const struct product *p, int32_t w, int32_t in, int32_t y,
                    int64_t at)
{
    const struct rig_repeat r = {{ROWS, p->tiles}, {1, period_of(p->cycles)}};
    const struct rig_walk rows = {0, {1, ROWS}}, first = {0, {0, p->cycles}};
    int32_t planes = program_dtype_planes((int32_t)p->dtype);
    struct program_operand o[3] = {trial_stream(t, PROGRAM_WEST, 30, in, rows),
                                   rig_expect(w, 0, first),
                                   trial_stream(t, PROGRAM_EAST, 0, y, trial_along)};
    rig_read(&t->program[0], in, planes, rows, r, trial_lane(PROGRAM_WEST, 30, at + 1, TRIAL_MXM));
    rig_add(&t->program[0],
            (struct program_instruction){
                .cycle = at,
                .queue = TRIAL_MXM + 2,
                .opcode = PROGRAM_MXM_COMPUTE,
                .flags = (uint8_t)((p->flags & PROGRAM_FP16) | PROGRAM_FIRST | PROGRAM_LAST),
                .address = 7,
                .stride = {1, 0},
                .low = p->low},
            r, o, 2, 1);
    int64_t out =
        at + (int64_t)(p->tiles - 1) * period_of(p->cycles) + rig_machine.mxm_compute_cycles;
    rig_write(&t->program[0], y, 4, trial_along, trial_times(ROWS),
              trial_lane(PROGRAM_EAST, 0, out, TRIAL_MXM));
}

/* y = sum over tiles of passes; a pass adds up in the order of the contraction. */
static void expect(const struct product *p, int32_t row, float y[TRIAL_LANES])
{
    bool rows = p->flags & PROGRAM_ROWS;
    int32_t depth = rows ? vectors_of(p) : is_fp16(p) ? DEPTH_FP16 : TRIAL_LANES;
    memset(y, 0, TRIAL_LANES * sizeof *y);
    for (int32_t tile = 0; tile < p->tiles; tile++)
        for (int32_t n = 0; n < (rows ? TRIAL_LANES : vectors_of(p)); n++) {
            float pass = 0;
            for (int32_t k = 0; k < depth && p->low + k < TRIAL_LANES; k++)
                pass += x[tile * ROWS + row][p->low + k] *
                        (rows ? weight[tile][k][n] : weight[tile][n][k]);
            y[n] += pass;
        }
}

static void load_numbers(struct trial *t, const struct product *p, int32_t w, uint64_t *state)
{
    int32_t planes = program_dtype_planes((int32_t)p->dtype), per = 16 / planes;
    static float lanes[2 * MOST_VECTORS][TRIAL_LANES];
    for (int32_t j = 0; j < per; j++) {
        trial_fill(t, w, j * planes, p->tiles * p->cycles, lanes[0], state);
        for (int32_t n = 0; n < p->tiles * p->cycles; n++)
            memcpy(weight[n / p->cycles][n % p->cycles * per + j], lanes[n], sizeof lanes[n]);
    }
}

static void check_with(const struct product *p, enum chip_numerics numerics)
{
    struct trial t;
    uint64_t state = 11;
    static float ignored[3 * MOST_VECTORS][TRIAL_LANES];
    int32_t planes = program_dtype_planes((int32_t)p->dtype);
    int64_t at = START + (p->larger ? 3 * period_of(p->larger) : 0);
    trial_open(&t, numerics);
    int32_t big = trial_loaded(&t, "big", p->dtype, 16, 0, 3 * p->larger);
    int32_t w = trial_loaded(&t, "w", p->dtype, 16, 50, p->tiles * p->cycles);
    int32_t in = trial_loaded(&t, "x", p->dtype, planes, 20, p->tiles * ROWS);
    int32_t y =
        trial_written(&t, "y", is_fp16(p) ? PROGRAM_DTYPE_FP32 : PROGRAM_DTYPE_INT32, 4, 24, ROWS);
    load_numbers(&t, p, w, &state);
    trial_fill(&t, in, 0, p->tiles * ROWS, x[0], &state);
    for (int32_t j = 0; j < 16; j += planes)
        trial_fill(&t, big, j, 3 * p->larger, ignored[0], &state);
    if (p->larger)
        load(&t, p, big, p->larger, 3, START);
    load(&t, p, w, p->cycles, p->tiles, at);
    compute(&t, p, w, in, y, at + p->cycles + rig_machine.mxm_install_cycles);
    trial_step(&t, 0);
    for (int32_t row = 0; row < ROWS; row++) {
        float want[TRIAL_LANES];
        expect(p, row, want);
        CU_ASSERT_EQUAL(trial_differing(&t, y, 0, row, want), 0);
    }
    trial_close(&t);
}

static void check(const struct product *p)
{
    check_with(p, CHIP_INT8);
    check_with(p, CHIP_FP32);
}

static void int8_products_add_up_over_contraction_tiles(void)
{
    check(&(struct product){.dtype = PROGRAM_DTYPE_INT8, .tiles = 2, .cycles = 20});
}

static void fp16_products_by_columns_take_the_half_that_they_name(void)
{
    for (int32_t low = 0; low <= 200; low += 40)
        check(&(struct product){.dtype = PROGRAM_DTYPE_FP16,
                                .flags = PROGRAM_FP16,
                                .tiles = 2,
                                .cycles = 40,
                                .low = low});
}

static void fp16_products_by_rows_take_as_many_lanes_as_rows_came(void)
{
    for (int32_t low = 0; low <= DEPTH_FP16; low += DEPTH_FP16)
        check(&(struct product){.dtype = PROGRAM_DTYPE_FP16,
                                .flags = PROGRAM_FP16 | PROGRAM_ROWS,
                                .tiles = 2,
                                .cycles = 3,
                                .low = low});
}

static void what_a_load_does_not_bring_is_zero_after_larger_ones(void)
{
    struct product p = {.dtype = PROGRAM_DTYPE_INT8, .tiles = 1, .cycles = 1, .larger = 4};
    check(&p);
    p.dtype = PROGRAM_DTYPE_FP16;
    p.flags = PROGRAM_FP16;
    check(&p);
    p.flags = PROGRAM_FP16 | PROGRAM_ROWS;
    check(&p);
}

TEST_MAIN("values of products", TEST(int8_products_add_up_over_contraction_tiles),
          TEST(fp16_products_by_columns_take_the_half_that_they_name),
          TEST(fp16_products_by_rows_take_as_many_lanes_as_rows_came),
          TEST(what_a_load_does_not_bring_is_zero_after_larger_ones))
