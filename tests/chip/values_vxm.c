/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions of one ALU are what plain C computes, lane by lane. */
#include "test.h"

#include <math.h>

#include "base/half.h"
#include "draw.h"
#include "trial.h"

enum { ROWS = 3, INPUTS = 3, AT = 100 };

static float in[INPUTS][ROWS][TRIAL_LANES];

/* A function with its inputs, and the same in C: of n inputs v, with the immediate m. */
struct alu_case {
    enum program_vxm_function function;
    int32_t inputs;
    float immediate;
    float (*plain)(const float v[INPUTS], int32_t n, float m, bool wide);
};

#define PLAIN(name) static float name(const float v[INPUTS], int32_t n, float m, bool wide)

PLAIN(copy)
{
    (void)n, (void)m, (void)wide;
    return v[0];
}

PLAIN(add)
{
    (void)m, (void)wide;
    return n == 1 ? v[0] : n == 2 ? v[0] + v[1] : (v[0] + v[1]) + v[2];
}

PLAIN(subtract)
{
    (void)n, (void)m, (void)wide;
    return v[0] - v[1];
}

PLAIN(multiply)
{
    (void)wide;
    volatile float product = v[0] * v[1];
    if (n > 2)
        product = product * v[2];
    return product * m;
}

PLAIN(greatest)
{
    (void)m, (void)wide;
    return n == 1 ? v[0] : n == 2 ? fmaxf(v[0], v[1]) : fmaxf(fmaxf(v[0], v[1]), v[2]);
}

PLAIN(greatest_magnitude)
{
    const float a[INPUTS] = {fabsf(v[0]), n > 1 ? fabsf(v[1]) : 0, n > 2 ? fabsf(v[2]) : 0};
    return greatest(a, n, m, wide);
}

PLAIN(exponential)
{
    (void)n, (void)m, (void)wide;
    return (float)exp((double)v[0]);
}

PLAIN(root)
{
    (void)n, (void)m, (void)wide;
    return v[0] == 0.0f ? 0.0f : (float)(1 / sqrt((double)v[0]));
}

PLAIN(tangent)
{
    (void)n, (void)wide;
    volatile float scaled = v[0] * m;
    return (float)tanh((double)scaled);
}

PLAIN(scale)
{
    (void)n, (void)wide;
    return v[0] * m;
}

PLAIN(offset)
{
    (void)n, (void)wide;
    return v[0] + m;
}

PLAIN(quantise)
{
    float product = multiply(v, n, m, wide);
    return wide ? product : fminf(127, fmaxf(-127, rintf(product)));
}

static const struct alu_case functions[] = {
    {PROGRAM_VXM_COPY, 1, 0, copy},
    {PROGRAM_VXM_ADD, 1, 0, add},
    {PROGRAM_VXM_ADD, 2, 0, add},
    {PROGRAM_VXM_ADD, 3, 0, add},
    {PROGRAM_VXM_SUB, 2, 0, subtract},
    {PROGRAM_VXM_MUL, 2, 0.7f, multiply},
    {PROGRAM_VXM_MUL, 3, -3.1f, multiply},
    {PROGRAM_VXM_MAX, 2, 0, greatest},
    {PROGRAM_VXM_MAX, 3, 0, greatest},
    {PROGRAM_VXM_MAXABS, 1, 0, greatest_magnitude},
    {PROGRAM_VXM_MAXABS, 3, 0, greatest_magnitude},
    {PROGRAM_VXM_EXP, 1, 0, exponential},
    {PROGRAM_VXM_RSQRT, 1, 0, root},
    {PROGRAM_VXM_TANH, 1, 0.7f, tangent},
    {PROGRAM_VXM_SCALE, 1, 1.1f, scale},
    {PROGRAM_VXM_OFFSET, 1, -0.3f, offset},
    {PROGRAM_VXM_QUANTISE, 2, 99.0f, quantise},
};

/* Numbers that no addition leaves exact; not below 0 for the root, and 0 in lane 0. */
static void fill(struct trial *t, int32_t tensor, int32_t k, bool positive, uint64_t *state)
{
    for (int32_t row = 0; row < ROWS; row++) {
        for (int32_t l = 0; l < TRIAL_LANES; l++) {
            float value = ldexpf(draw_real(state, 2) / 3, draw_between(state, -3, 2));
            in[k][row][l] = l == 0 ? 0 : positive ? fabsf(value) : value;
        }
        trial_put(t, tensor, 0, row, in[k][row]);
    }
}

static void check(const struct alu_case *c, enum chip_numerics numerics)
{
    struct trial t;
    struct program_operand o[INPUTS + 1];
    uint64_t state = 12;
    trial_open(&t, numerics);
    int32_t y = trial_written(&t, "y", PROGRAM_DTYPE_FP32, 4, 50, ROWS);
    for (int32_t k = 0; k < c->inputs; k++) {
        int32_t a = trial_loaded(&t, "in", PROGRAM_DTYPE_FP32, 4, 4 * k, ROWS);
        t.program[0].tensor[a].layer = (int16_t)k;
        fill(&t, a, k, c->function == PROGRAM_VXM_RSQRT, &state);
        rig_read(&t.program[0], a, 4, trial_along, trial_times(ROWS),
                 trial_lane(PROGRAM_EAST, 4 * k, AT, TRIAL_VXM));
        o[k] = trial_stream(&t, PROGRAM_EAST, 4 * k, a, trial_along);
    }
    o[c->inputs] = trial_stream(&t, PROGRAM_EAST, 12, y, trial_along);
    rig_add(&t.program[0],
            (struct program_instruction){.cycle = AT - 1,
                                         .queue = TRIAL_VXM + 5,
                                         .opcode = PROGRAM_VXM,
                                         .function = (uint8_t)c->function,
                                         .immediate = c->immediate},
            trial_times(ROWS), o, c->inputs, 1);
    rig_write(&t.program[0], y, 4, trial_along, trial_times(ROWS),
              trial_lane(PROGRAM_EAST, 12, AT + 3, TRIAL_VXM));
    trial_step(&t, 0);
    for (int32_t row = 0; row < ROWS; row++) {
        float want[TRIAL_LANES];
        for (int32_t l = 0; l < TRIAL_LANES; l++) {
            const float v[INPUTS] = {in[0][row][l], in[1][row][l], in[2][row][l]};
            want[l] = c->plain(v, c->inputs, c->immediate, numerics == CHIP_FP32);
        }
        CU_ASSERT_EQUAL(trial_differing(&t, y, 0, row, want), 0);
    }
    trial_close(&t);
}

static void every_function_is_what_plain_c_computes(void)
{
    for (size_t n = 0; n < sizeof functions / sizeof functions[0]; n++) {
        check(&functions[n], CHIP_INT8);
        check(&functions[n], CHIP_FP32);
    }
}

TEST_MAIN("values of functions", TEST(every_function_is_what_plain_c_computes))
