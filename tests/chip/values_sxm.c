/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch unit moves lanes as its functions say, whatever they hold. */
#include "test.h"

#include <string.h>

#include "trial.h"

enum { ROWS = 4, AT = 100, SXM = PROGRAM_QUEUE_SXM, SUPERLANE = 16, SUPERLANES = 20 };

static float in[ROWS][TRIAL_LANES];

/* `from`: the lane that lane l of repeat n comes from, or -1. */
struct permutation {
    struct program_instruction how;
    int32_t (*from)(const struct program_instruction *how, int32_t n, int32_t l);
};

static int32_t identity(const struct program_instruction *how, int32_t n, int32_t l)
{
    (void)how, (void)n;
    return l;
}

static int32_t window(const struct program_instruction *how, int32_t n, int32_t l)
{
    int32_t moved = n * how->argument_stride, low = how->low + moved;
    int32_t source = l - how->argument - moved;
    while (source < 0)
        source += TRIAL_LANES;
    return l >= low && l < low + how->width ? source % TRIAL_LANES : -1;
}

/* Groups that the lanes do not fill are lost. */
static int32_t swap(const struct program_instruction *how, int32_t n, int32_t l)
{
    int32_t group = l / how->width, place = l % how->width, half = how->width / 2;
    (void)n;
    if ((group + 1) * how->width > TRIAL_LANES)
        return -1;
    return group * how->width + (place + half) % how->width;
}

static int32_t spread(const struct program_instruction *how, int32_t n, int32_t l)
{
    int32_t lane = l % SUPERLANE;
    (void)how, (void)n;
    return (l / SUPERLANE + lane) % SUPERLANES * SUPERLANE + lane;
}

static int32_t rotate(const struct program_instruction *how, int32_t n, int32_t l)
{
    int32_t turns = how->argument + n * how->argument_stride;
    int32_t superlane = (l / SUPERLANE + turns + 10 * SUPERLANES) % SUPERLANES;
    return superlane * SUPERLANE + l % SUPERLANE;
}

static const struct permutation permutations[] = {
    {{.function = PROGRAM_SXM_IDENTITY}, identity},
    {{.function = PROGRAM_SXM_WINDOW, .argument = 20, .low = 30, .width = 100}, window},
    {{.function = PROGRAM_SXM_WINDOW, .argument = 50, .width = TRIAL_LANES}, window},
    {{.function = PROGRAM_SXM_WINDOW, .argument = -700, .width = TRIAL_LANES}, window},
    {{.function = PROGRAM_SXM_WINDOW,
      .argument = -8,
      .argument_stride = 48,
      .low = 150,
      .width = 60},
     window}, /* the last windows stick out */
    {{.function = PROGRAM_SXM_WINDOW,
      .argument = 310,
      .argument_stride = -64,
      .low = 64,
      .width = 200},
     window},
    {{.function = PROGRAM_SXM_SWAP_HALVES, .width = 2}, swap},
    {{.function = PROGRAM_SXM_SWAP_HALVES, .width = 64}, swap},
    {{.function = PROGRAM_SXM_SWAP_HALVES, .width = 96}, swap}, /* 320 = 3 * 96 + 32 */
    {{.function = PROGRAM_SXM_SPREAD}, spread},
    {{.function = PROGRAM_SXM_ROTATE, .argument = 4}, rotate},
    {{.function = PROGRAM_SXM_ROTATE, .argument = -23}, rotate},
    {{.function = PROGRAM_SXM_ROTATE, .argument = 3, .argument_stride = 7}, rotate},
};

/* An instruction of the western SXM, from streams going west to streams going east. */
static void add(struct trial *t, struct program_instruction how, enum program_opcode opcode,
                int32_t x, int32_t from, int32_t y, int32_t to)
{
    int64_t delay =
        opcode == PROGRAM_SXM_TRANSPOSE ? rig_machine.sxm_transpose_cycles : rig_machine.sxm_cycles;
    const struct rig_repeat r = trial_times(ROWS);
    const struct program_operand o[2] = {
        rig_stream(trial_lane(PROGRAM_WEST, 0, 0, 0), from, x, 0, trial_along),
        rig_stream(trial_lane(PROGRAM_EAST, 0, 0, 0), to, y, 0, trial_along)};
    how.cycle = AT - 1;
    how.queue = SXM;
    how.opcode = (uint8_t)opcode;
    rig_read(&t->program[0], x, from, trial_along, r, trial_lane(PROGRAM_WEST, 0, AT, SXM));
    rig_add(&t->program[0], how, r, o, 1, 1);
    rig_write(&t->program[0], y, to, trial_along, r,
              trial_lane(PROGRAM_EAST, 0, AT - 1 + delay, SXM));
}

static void check_permutation(const struct permutation *p, enum chip_numerics numerics)
{
    struct trial t;
    uint64_t state = 17;
    trial_open(&t, numerics);
    int32_t x = trial_loaded(&t, "x", PROGRAM_DTYPE_FP16, 2, 10, ROWS);
    int32_t y = trial_written(&t, "y", PROGRAM_DTYPE_FP16, 2, 20, ROWS);
    trial_fill(&t, x, 0, ROWS, in[0], &state);
    add(&t, p->how, PROGRAM_SXM_PERMUTE, x, 2, y, 2);
    trial_step(&t, 0);
    for (int32_t n = 0; n < ROWS; n++) {
        float want[TRIAL_LANES];
        for (int32_t l = 0; l < TRIAL_LANES; l++) {
            int32_t from = p->from(&p->how, n, l);
            want[l] = from < 0 ? 0 : in[n][from];
        }
        CU_ASSERT_EQUAL(trial_differing(&t, y, 0, n, want), 0);
    }
    trial_close(&t);
}

static void every_permutation_moves_lanes_as_it_says(void)
{
    for (size_t n = 0; n < sizeof permutations / sizeof permutations[0]; n++) {
        check_permutation(&permutations[n], CHIP_INT8);
        check_permutation(&permutations[n], CHIP_FP32);
    }
}

/* `vectors` in: one or sixteen. In each superlane, lane r of result j is lane j of vector r, or of
 * the only one. */
static void check_transpose(enum program_dtype dtype, int32_t vectors, enum chip_numerics numerics)
{
    static float rows[SUPERLANE][ROWS][TRIAL_LANES];
    struct trial t;
    uint64_t state = 18;
    int32_t planes = program_dtype_planes((int32_t)dtype);
    trial_open(&t, numerics);
    int32_t x = trial_loaded(&t, "x", dtype, vectors * planes, 0, ROWS);
    int32_t y = trial_written(&t, "y", dtype, SUPERLANE * planes, 50, ROWS);
    for (int32_t r = 0; r < vectors; r++)
        trial_fill(&t, x, r * planes, ROWS, rows[r][0], &state);
    add(&t, (struct program_instruction){0}, PROGRAM_SXM_TRANSPOSE, x, vectors * planes, y,
        SUPERLANE * planes);
    trial_step(&t, 0);
    for (int32_t n = 0; n < ROWS; n++)
        for (int32_t j = 0; j < SUPERLANE; j++) {
            float want[TRIAL_LANES];
            for (int32_t l = 0; l < TRIAL_LANES; l++)
                want[l] = rows[l % SUPERLANE % vectors][n][l - l % SUPERLANE + j];
            CU_ASSERT_EQUAL(trial_differing(&t, y, j * planes, n, want), 0);
        }
    trial_close(&t);
}

static void one_vector_or_sixteen_are_transposed_plane_by_plane(void)
{
    for (enum chip_numerics n = CHIP_INT8; n <= CHIP_FP32; n++)
        for (int32_t vectors = 1; vectors <= SUPERLANE; vectors += SUPERLANE - 1) {
            check_transpose(PROGRAM_DTYPE_INT8, vectors, n);
            check_transpose(PROGRAM_DTYPE_FP16, vectors, n);
        }
}

TEST_MAIN("values of the switch", TEST(every_permutation_moves_lanes_as_it_says),
          TEST(one_vector_or_sixteen_are_transposed_plane_by_plane))
