/* SPDX-License-Identifier: BSD-3-Clause */
/* The published cases of one chip: a step of an LSTM computes what its formulas say, and all planes
 * take their weights. */
#include "lstm.h"

#include <math.h>

#include "install.h"
#include "partition/lone.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320 };

struct cell {
    struct play play;
    struct lstm l;
};

static void start(struct cell *c, int32_t hidden, bool values)
{
    play_open(&c->play, rack_chip(), 1, 8, 1);
    struct block b = lone_open(rack_chip());
    lstm_emit(&b, hidden, &c->l);
    c->play.program[0] = lone_program(&b, 0, b.end);
    block_release(&b);
    play_start(&c->play, values);
}

/* Multiples of 1/64, exact in fp16: x (k < hidden) and h, weights, biases, state. */
static float input(int32_t k)
{
    return (float)((k * 29) % 65 - 32) / 64.0f;
}

static float weight(int32_t gate, int32_t n, int32_t k)
{
    return (float)((gate * 41 + n * 7 + k * 13 + k / 11) % 9 - 4) / 64.0f;
}

static float bias(int32_t gate, int32_t n)
{
    return (float)((gate * 5 + n) % 33 - 16) / 64.0f;
}

static float state(int32_t n)
{
    return (float)((n * 17) % 97 - 48) / 64.0f;
}

static void put(struct cell *c, int32_t tensor, int32_t sub, int32_t row, const float *lane)
{
    const struct chip_number where = {tensor, sub, row};
    chip_preload(c->play.chip[0], &c->play.program[0], &where, lane);
}

static void load_weights(struct cell *c, int32_t gate, int32_t tile)
{
    for (int32_t k = 0; k < 2 * c->l.hidden; k++) {
        float lane[LANES];
        for (int32_t n = 0; n < LANES; n++)
            lane[n] = tile * LANES + n < c->l.hidden ? weight(gate, tile * LANES + n, k) : 0.0f;
        struct lstm_place at = lstm_weight_row(rack_chip(), &c->l, gate, tile, k);
        CU_ASSERT_TRUE_FATAL(at.row >= 0);
        put(c, c->l.weight[gate % 2], at.sub, at.row, lane);
    }
}

/* Vector v of numbers that `of` gives for elements of one gate (or of none). */
static void load_vector(struct cell *c, int32_t tensor, int32_t row, int32_t v,
                        float (*of)(int32_t))
{
    float lane[LANES];
    for (int32_t n = 0; n < LANES; n++)
        lane[n] = v * LANES + n < c->l.hidden ? of(v * LANES + n) : 0.0f;
    put(c, tensor, 0, row, lane);
}

static int32_t loading_gate, first_input;

static float bias_of_gate(int32_t n)
{
    return bias(loading_gate, n);
}

static float input_from(int32_t n)
{
    return input(first_input + n);
}

static void load(struct cell *c)
{
    for (int32_t v = 0; v < c->l.vectors; v++) {
        load_vector(c, c->l.state, v, v, state);
        for (int32_t e = 0; e < 2; e++)
            for (int32_t h = 0; h < 2; h++) {
                first_input = h * c->l.hidden;
                load_vector(c, c->l.input[e], h * c->l.vectors + v, v, input_from);
            }
        for (int32_t gate = 0; gate < LSTM_GATES; gate++) {
            loading_gate = gate;
            load_vector(c, c->l.bias[gate % 2], gate / 2 * c->l.vectors + v, v, bias_of_gate);
            load_weights(c, gate, v);
        }
    }
}

static double sum(int32_t gate, int32_t n, int32_t hidden)
{
    double s = bias(gate, n);
    for (int32_t k = 0; k < 2 * hidden; k++)
        s += (double)weight(gate, n, k) * input(k);
    return s;
}

static double sigmoid(double a)
{
    return 1.0 / (1.0 + exp(-a));
}

static double difference(const struct cell *c, int32_t tensor, int32_t n, double want)
{
    float lane[LANES];
    const struct chip_number where = {tensor, 0, n / LANES};
    chip_peek(c->play.chip[0], &c->play.program[0], &where, lane);
    return fabs((double)lane[n % LANES] - want);
}

static void check(int32_t hidden)
{
    struct cell c;
    double worst = 0;
    start(&c, hidden, true);
    load(&c);
    struct play_result r = play_step(&c.play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, c.play.program[0].length_cycles);
    for (int32_t n = 0; n < hidden; n++) {
        double next = sigmoid(sum(LSTM_F, n, hidden)) * state(n) +
                      sigmoid(sum(LSTM_I, n, hidden)) * tanh(sum(LSTM_G, n, hidden));
        double h = sigmoid(sum(LSTM_O, n, hidden)) * tanh(next);
        worst = fmax(worst, difference(&c, c.l.next_state, n, next));
        worst = fmax(worst, difference(&c, c.l.next_hidden[0], n, h));
        worst = fmax(worst, difference(&c, c.l.next_hidden[1], n, h));
    }
    CU_ASSERT_TRUE(worst < 2e-3);
    play_close(&c.play);
}

static void a_step_computes_the_cell(void)
{
    check(512);
    check(320);
    check(200);
}

/* 2.1 million weights on 64 streams: that long at the least. */
static void a_step_takes_its_installs_and_little_more(void)
{
    struct cell c;
    start(&c, 512, false);
    int64_t loads = 8 * 512 * 512 * 2 / (64 * 320);
    struct play_result r = play_step(&c.play);
    CU_ASSERT_TRUE(r.length_cycles > loads);
    CU_ASSERT_TRUE(r.length_cycles < 5 * loads / 2);
    play_close(&c.play);
}

static void all_planes_take_their_weights(void)
{
    struct play play;
    play_open(&play, rack_chip(), 1, 8, 1);
    play.program[0] = install_best(rack_chip());
    play_start(&play, false);
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, play.program[0].length_cycles);
    CU_ASSERT_TRUE(r.vectors == 4 * 320);
    play_close(&play);
}

TEST_MAIN("published cases of one chip", TEST(a_step_computes_the_cell),
          TEST(a_step_takes_its_installs_and_little_more), TEST(all_planes_take_their_weights))
