/* SPDX-License-Identifier: BSD-3-Clause */
/* ALUs that hand on to each other, fold over repeats, choose by keys, and round what leaves. */
#include "test.h"

#include <math.h>

#include "base/half.h"
#include "draw.h"
#include "trial.h"

enum { INNER = 3, OUTER = 2, ROWS = INNER * OUTER, AT = 100, STEP = 3, GAP = 10, ID_LIMIT = 100 };

static float a[ROWS][TRIAL_LANES], b[ROWS][TRIAL_LANES];

/* A tensor of fp32 numbers that no addition leaves exact, on streams from `stream` on. */
static struct program_operand bring(struct trial *t, const char *name, int32_t stream,
                                    float lanes[ROWS][TRIAL_LANES], struct rig_repeat r,
                                    struct rig_walk walk, uint64_t *state)
{
    int32_t tensor = trial_loaded(t, name, PROGRAM_DTYPE_FP32, 4, stream, ROWS);
    for (int32_t n = 0; n < ROWS; n++) {
        for (int32_t l = 0; l < TRIAL_LANES; l++)
            lanes[n][l] = ldexpf(draw_real(state, 2) / 3, draw_between(state, -3, 2));
        trial_put(t, tensor, 0, n, lanes[n]);
    }
    rig_read(&t->program[0], tensor, 4, walk, r, trial_lane(PROGRAM_EAST, stream, AT, TRIAL_VXM));
    return trial_stream(t, PROGRAM_EAST, stream, tensor, walk);
}

/* ALU `unit` is the unit-th of a chain: it samples STEP cycles after the one before. */
static void chain(struct trial *t, int32_t unit, struct program_instruction how,
                  struct rig_repeat r, const struct program_operand *o, int32_t inputs,
                  int32_t outputs)
{
    how.cycle = AT - 1 + STEP * unit;
    how.queue = (uint8_t)(TRIAL_VXM + unit);
    how.opcode = PROGRAM_VXM;
    rig_add(&t->program[0], how, r, o, inputs, outputs);
}

/* A vector on stream 12 that passes the VXM in cycle `at`, back from the eastern edge into the
 * tensor that is returned. */
static int32_t pass_by(struct trial *t, int64_t at, float lanes[TRIAL_LANES], uint64_t *state)
{
    const int32_t sxm = PROGRAM_QUEUE_SXM + PROGRAM_SXM_QUEUES;
    const int32_t way =
        program_queue_position(&rig_machine, sxm) - program_queue_position(&rig_machine, TRIAL_VXM);
    int32_t from = trial_loaded(t, "passing", PROGRAM_DTYPE_INT8, 1, 40, 1);
    int32_t to = trial_written(t, "passed", PROGRAM_DTYPE_INT8, 1, 80, 1);
    const struct program_operand o[2] = {trial_stream(t, PROGRAM_EAST, 12, from, trial_same),
                                         trial_stream(t, PROGRAM_WEST, 12, to, trial_same)};
    trial_fill(t, from, 0, 1, lanes, state);
    rig_read(&t->program[0], from, 1, trial_same, trial_once,
             trial_lane(PROGRAM_EAST, 12, at + way, sxm));
    rig_add(&t->program[0],
            (struct program_instruction){
                .cycle = at + way - 1, .queue = (uint8_t)sxm, .opcode = PROGRAM_SXM_PERMUTE},
            trial_once, o, 1, 1);
    rig_write(&t->program[0], to, 1, trial_same, trial_once,
              trial_lane(PROGRAM_WEST, 12, at + way + 3, sxm));
    return to;
}

static float fold_in_order(enum program_vxm_function function, int32_t outer, int32_t lane)
{
    bool magnitude = function == PROGRAM_VXM_MAXABS;
    float sum = 0;
    for (int32_t n = 0; n < 2 * INNER; n++) {
        float next = (n % 2 ? b : a)[outer * INNER + n / 2][lane];
        next = magnitude ? fabsf(next) : next;
        if (n == 0)
            sum = next;
        else
            sum = function == PROGRAM_VXM_ADD ? sum + next : fmaxf(sum, next);
    }
    return sum;
}

static void check_fold(enum program_vxm_function function, enum chip_numerics numerics)
{
    const struct rig_repeat r = {{INNER, OUTER}, {1, GAP}}, results = {{1, OUTER}, {0, GAP}};
    const struct rig_walk all = {0, {1, INNER}}, outer = {0, {0, 1}};
    struct trial t;
    float passing[TRIAL_LANES];
    uint64_t state = 13;
    trial_open(&t, numerics);
    int32_t y = trial_written(&t, "y", PROGRAM_DTYPE_FP32, 4, 50, OUTER);
    struct program_operand o[3] = {bring(&t, "a", 0, a, r, all, &state),
                                   bring(&t, "b", 4, b, r, all, &state),
                                   trial_stream(&t, PROGRAM_EAST, 12, y, outer)};
    chain(&t, 0,
          (struct program_instruction){.function = (uint8_t)function, .flags = PROGRAM_REDUCE}, r,
          o, 2, 1);
    rig_write(&t.program[0], y, 4, outer, results,
              trial_lane(PROGRAM_EAST, 12, AT + INNER - 1 + STEP, TRIAL_VXM));
    int32_t passed = pass_by(&t, AT + STEP, passing, &state); /* where repeat 0 has no result */
    trial_step(&t, 0);
    CU_ASSERT_EQUAL(trial_differing(&t, passed, 0, 0, passing), 0);
    for (int32_t n = 0; n < OUTER; n++) {
        float want[TRIAL_LANES];
        for (int32_t l = 0; l < TRIAL_LANES; l++)
            want[l] = fold_in_order(function, n, l);
        CU_ASSERT_EQUAL(trial_differing(&t, y, 0, n, want), 0);
    }
    trial_close(&t);
}

static void reductions_fold_inputs_and_inner_repeats_in_order(void)
{
    static const enum program_vxm_function folds[] = {PROGRAM_VXM_ADD, PROGRAM_VXM_MAX,
                                                      PROGRAM_VXM_MAXABS};
    for (size_t n = 0; n < sizeof folds / sizeof folds[0]; n++) {
        check_fold(folds[n], CHIP_INT8);
        check_fold(folds[n], CHIP_FP32);
    }
}

/* `a` and `b`, a vector of each for every repeat. */
static void bring_both(struct trial *t, struct program_operand o[2], uint64_t state)
{
    const struct rig_repeat r = trial_times(ROWS);
    o[0] = bring(t, "a", 0, a, r, trial_along, &state);
    o[1] = bring(t, "b", 4, b, r, trial_along, &state);
}

/* exp(a - b), then added up. */
static void check_chain(enum chip_numerics numerics)
{
    const struct rig_repeat r = trial_times(ROWS);
    struct trial t;
    float want[TRIAL_LANES] = {0};
    trial_open(&t, numerics);
    int32_t y = trial_written(&t, "y", PROGRAM_DTYPE_FP32, 4, 50, 1);
    struct program_operand o[2];
    bring_both(&t, o, 14);
    struct program_operand first = rig_alu(0);
    struct program_operand last[2] = {rig_alu(1),
                                      trial_stream(&t, PROGRAM_EAST, 12, y, trial_same)};
    chain(&t, 0, (struct program_instruction){.function = PROGRAM_VXM_SUB}, r, o, 2, 0);
    chain(&t, 1, (struct program_instruction){.function = PROGRAM_VXM_EXP}, r, &first, 1, 0);
    chain(&t, 2, (struct program_instruction){.function = PROGRAM_VXM_ADD, .flags = PROGRAM_REDUCE},
          r, last, 1, 1);
    rig_write(&t.program[0], y, 4, trial_same, trial_once,
              trial_lane(PROGRAM_EAST, 12, AT + ROWS - 1 + 3 * STEP, TRIAL_VXM));
    trial_step(&t, 0);
    for (int32_t n = 0; n < ROWS; n++)
        for (int32_t l = 0; l < TRIAL_LANES; l++) {
            volatile float difference = a[n][l] - b[n][l];
            want[l] += (float)exp((double)difference);
        }
    CU_ASSERT_EQUAL(trial_differing(&t, y, 0, 0, want), 0);
    trial_close(&t);
}

static void alus_hand_on_what_they_compute_in_full(void)
{
    check_chain(CHIP_INT8);
    check_chain(CHIP_FP32);
}

/* The id of the greatest value in lane 0, through KEY, a maximum over rows, and a copy. */
static int32_t choose(const float value[ROWS], const float id[ROWS], enum chip_numerics numerics)
{
    const struct rig_repeat r = trial_times(ROWS);
    struct trial t;
    trial_open(&t, numerics);
    int32_t y = trial_written(&t, "token", PROGRAM_DTYPE_KEY, 4, 50, 1);
    struct program_operand o[2];
    bring_both(&t, o, 15);
    struct program_operand key = rig_alu(0);
    struct program_operand most[2] = {rig_alu(1),
                                      trial_stream(&t, PROGRAM_EAST, 12, y, trial_same)};
    key.dtype = most[0].dtype = PROGRAM_DTYPE_KEY;
    for (int32_t n = 0; n < ROWS; n++) {
        a[n][0] = value[n];
        b[n][0] = id[n];
        trial_put(&t, o[0].tensor, 0, n, a[n]);
        trial_put(&t, o[1].tensor, 0, n, b[n]);
    }
    chain(&t, 0,
          (struct program_instruction){
              .function = PROGRAM_VXM_KEY, .immediate = 8, .argument = ID_LIMIT},
          r, o, 2, 0);
    chain(&t, 1, (struct program_instruction){.function = PROGRAM_VXM_MAX, .flags = PROGRAM_REDUCE},
          r, &key, 1, 0);
    struct rig_repeat once = {{1, 1}, {0, 0}};
    rig_add(&t.program[0],
            (struct program_instruction){.cycle = AT - 1 + ROWS - 1 + 2 * STEP,
                                         .queue = TRIAL_VXM + 2,
                                         .opcode = PROGRAM_VXM,
                                         .function = PROGRAM_VXM_COPY},
            once, most, 1, 1);
    rig_write(&t.program[0], y, 4, trial_same, trial_once,
              trial_lane(PROGRAM_EAST, 12, AT + ROWS - 1 + 3 * STEP, TRIAL_VXM));
    t.program[0].token = y;
    trial_step(&t, 0);
    int32_t token = chip_token(t.rig.chip[0], &t.program[0], 0);
    trial_close(&t);
    return token;
}

static void keys_choose_the_greatest_value_then_the_lowest_known_id(void)
{
    static const float value[ROWS] = {-3, 2, 7, 7, 1, 60};
    static const float id[ROWS] = {0, 1, 9, 4, 2, ID_LIMIT - 8};
    static const float below[ROWS] = {-3, -2, -7, -2, -9, -3};
    for (enum chip_numerics n = CHIP_INT8; n <= CHIP_FP32; n++) {
        CU_ASSERT_EQUAL(choose(value, id, n), 4 + 8);
        CU_ASSERT_EQUAL(choose(below, id, n), 1 + 8);
    }
}

/* One ALU, two results: fp16 and int8. */
static void check_leaving(enum chip_numerics numerics)
{
    const struct rig_repeat r = trial_times(ROWS);
    bool wide = numerics == CHIP_FP32;
    struct trial t;
    uint64_t state = 16;
    trial_open(&t, numerics);
    int32_t h = trial_written(&t, "half", PROGRAM_DTYPE_FP16, 2, 50, ROWS);
    int32_t y = trial_written(&t, "byte", PROGRAM_DTYPE_INT8, 1, 60, ROWS);
    struct program_operand o[3] = {bring(&t, "a", 0, a, r, trial_along, &state),
                                   trial_stream(&t, PROGRAM_EAST, 12, h, trial_along),
                                   trial_stream(&t, PROGRAM_EAST, 14, y, trial_along)};
    chain(&t, 0, (struct program_instruction){.function = PROGRAM_VXM_SCALE, .immediate = 90}, r, o,
          1, 2);
    rig_write(&t.program[0], h, 2, trial_along, r,
              trial_lane(PROGRAM_EAST, 12, AT + STEP, TRIAL_VXM));
    rig_write(&t.program[0], y, 1, trial_along, r,
              trial_lane(PROGRAM_EAST, 14, AT + STEP, TRIAL_VXM));
    trial_step(&t, 0);
    for (int32_t n = 0; n < ROWS; n++) {
        float half[TRIAL_LANES], byte[TRIAL_LANES];
        for (int32_t l = 0; l < TRIAL_LANES; l++) {
            float value = a[n][l] * 90;
            half[l] = wide ? value : base_half_to_float(base_half_from_float(value));
            byte[l] = wide ? value : fminf(127, fmaxf(-127, rintf(value)));
        }
        CU_ASSERT_EQUAL(trial_differing(&t, h, 0, n, half), 0);
        CU_ASSERT_EQUAL(trial_differing(&t, y, 0, n, byte), 0);
    }
    trial_close(&t);
}

static void results_are_rounded_where_they_leave_and_not_before(void)
{
    check_leaving(CHIP_INT8);
    check_leaving(CHIP_FP32);
}

TEST_MAIN("values of chains", TEST(reductions_fold_inputs_and_inner_repeats_in_order),
          TEST(alus_hand_on_what_they_compute_in_full),
          TEST(keys_choose_the_greatest_value_then_the_lowest_known_id),
          TEST(results_are_rounded_where_they_leave_and_not_before))
