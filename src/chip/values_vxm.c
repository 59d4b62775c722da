/* SPDX-License-Identifier: BSD-3-Clause */
/* The vector unit: one ALU's function over all lanes, in fp32, or over keys.
 *
 * Transcendental functions are computed in double precision and rounded once, so that another
 * implementation finds the same bits. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "chip/values_room.h"

/* fn(accumulated, next) lane by lane; what is no number stays so. */
static void fold(enum program_vxm_function function, float *acc, const float *in, int32_t lanes)
{
    for (int32_t l = 0; l < lanes; l++) {
        float b = function == PROGRAM_VXM_MAXABS ? fabsf(in[l]) : in[l];
        bool keeps = acc[l] > b || isnan(acc[l]);
        acc[l] = function == PROGRAM_VXM_ADD ? acc[l] + in[l] : keeps ? acc[l] : b;
    }
}

static void start_fold(enum program_vxm_function function, struct values_lanes *acc,
                       const struct values_lanes *in, int32_t lanes)
{
    acc->is_key = in->is_key;
    if (in->is_key)
        memcpy(acc->key, in->key, (size_t)lanes * sizeof *acc->key);
    for (int32_t l = 0; l < lanes && !in->is_key; l++)
        acc->real[l] = function == PROGRAM_VXM_MAXABS ? fabsf(in->real[l]) : in->real[l];
}

/* Keys know one function, the greater of two. */
static void go_on(enum program_vxm_function function, struct values_lanes *acc,
                  const struct values_lanes *in, int32_t lanes)
{
    if (!acc->is_key && !in->is_key)
        fold(function, acc->real, in->real, lanes);
    for (int32_t l = 0; l < lanes && acc->is_key && in->is_key; l++)
        acc->key[l] = acc->key[l] > in->key[l] ? acc->key[l] : in->key[l];
}

static float root_of(float a)
{
    return a == 0.0f ? 0.0f : (float)(1.0 / sqrt((double)a));
}

static float of_one(const struct program_instruction *i, float a)
{
    switch (i->function) {
    case PROGRAM_VXM_EXP:
        return (float)exp((double)a);
    case PROGRAM_VXM_RSQRT:
        return root_of(a);
    case PROGRAM_VXM_TANH:
        return (float)tanh((double)(a * i->immediate));
    case PROGRAM_VXM_SCALE:
        return a * i->immediate;
    case PROGRAM_VXM_OFFSET:
        return a + i->immediate;
    default:
        return a;
    }
}

static void of_all(const struct program_instruction *i, const float *a, float *out, int32_t lanes)
{
    for (int32_t l = 0; l < lanes; l++)
        out[l] = of_one(i, a[l]);
}

/* Rounds to whole numbers of a byte where lanes are bytes. */
static void quantise(const struct numbers *n, float *out)
{
    for (int32_t l = 0; l < n->lanes && !n->wide; l++)
        out[l] = base_round_to_byte((double)out[l]);
}

static void multiply(const struct program_instruction *i, const struct values_lanes in[],
                     float *out, int32_t lanes)
{
    for (int32_t l = 0; l < lanes; l++)
        out[l] = in[0].real[l] * in[1].real[l];
    for (int32_t l = 0; l < lanes && i->inputs > 2; l++)
        out[l] *= in[2].real[l];
    for (int32_t l = 0; l < lanes; l++)
        out[l] *= i->immediate;
}

static void make_keys(const struct values *v, const struct program_instruction *i, int32_t id_bits,
                      uint64_t *key)
{
    for (int32_t l = 0; l < v->numbers.lanes; l++) {
        float id = v->input[1].real[l] + i->immediate;
        bool known = id >= 0.0f && id < (float)i->argument;
        key[l] = known ? numbers_key(&v->numbers, v->input[0].real[l], (uint32_t)id, id_bits) : 0;
    }
}

static void folded(struct values *v, const struct program_instruction *i, int32_t inner,
                   struct values_lanes *acc)
{
    int32_t k = 0, lanes = v->numbers.lanes;
    if (inner == 0)
        start_fold((enum program_vxm_function)i->function, acc, &v->input[k++], lanes);
    for (; k < i->inputs; k++)
        go_on((enum program_vxm_function)i->function, acc, &v->input[k], lanes);
}

/* input[] to `result`. */
static void calculate(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    struct values *v = chip->values;
    int32_t lanes = v->numbers.lanes;
    float *out = v->result.real;
    v->result.is_key = i->function == PROGRAM_VXM_KEY;
    switch (i->function) {
    case PROGRAM_VXM_COPY: /* of numbers or keys, as the folds */
    case PROGRAM_VXM_ADD:
    case PROGRAM_VXM_MAX:
    case PROGRAM_VXM_MAXABS:
        folded(v, i, 0, &v->result);
        return;
    case PROGRAM_VXM_SUB:
        for (int32_t l = 0; l < lanes; l++)
            out[l] = v->input[0].real[l] - v->input[1].real[l];
        return;
    case PROGRAM_VXM_MUL:
    case PROGRAM_VXM_QUANTISE:
        multiply(i, v->input, out, lanes);
        if (i->function == PROGRAM_VXM_QUANTISE)
            quantise(&v->numbers, out);
        return;
    case PROGRAM_VXM_KEY:
        make_keys(v, i, run->of->program->key_id_bits, v->result.key);
        return;
    default:
        of_all(i, v->input[0].real, out, lanes);
    }
}

/* The result of another ALU, or zeros; keys are 64 bits wide, numbers take the lower half. */
static void take_result(struct chip *chip, const struct program_operand *o, int64_t cycle,
                        struct values_lanes *lanes)
{
    struct values *v = chip->values;
    const void *result = rings_sample(&v->alus, o->stream, cycle, 0, PROGRAM_EAST);
    size_t count = (size_t)v->numbers.lanes;
    lanes->is_key = o->dtype == PROGRAM_DTYPE_KEY;
    void *to = lanes->is_key ? (void *)lanes->key : (void *)lanes->real;
    size_t bytes = count * (lanes->is_key ? sizeof *lanes->key : sizeof *lanes->real);
    if (result)
        memcpy(to, result, bytes);
    else
        memset(to, 0, bytes);
}

static void hand_on(struct chip *chip, const struct act *act, int64_t cycle,
                    const struct values_lanes *lanes)
{
    const struct program_instruction *i = act->run.instruction;
    struct values *v = chip->values;
    size_t count = (size_t)v->numbers.lanes;
    const struct ring_drive drive = {.now = cycle - values_delay(chip, &act->run),
                                     .until = cycle,
                                     .phase = cycle,
                                     .lane = i->queue - PROGRAM_QUEUE_VXM};
    void *node = rings_drive(&v->alus, &drive);
    if (lanes->is_key)
        memcpy(node, lanes->key, count * sizeof *lanes->key);
    else
        memcpy(node, lanes->real, count * sizeof *lanes->real);
    for (int32_t k = 0; k < i->outputs; k++)
        values_give(chip, &act->run, executor_output(&act->run, k), cycle, lanes);
}

void values_vxm(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    struct values *v = chip->values;
    int32_t inner = run_inner(&act->run, act->k);
    bool reduces = i->flags & PROGRAM_REDUCE;
    struct values_lanes *acc = &v->fold[i->queue - PROGRAM_QUEUE_VXM];
    for (int32_t k = 0; k < i->inputs; k++) {
        const struct program_operand *o = executor_input(&act->run, k);
        if (o->kind == PROGRAM_ALU)
            take_result(chip, o, cycle, &v->input[k]);
        else
            values_take(chip, &act->run, o, cycle, &v->input[k]);
    }
    if (reduces)
        folded(v, i, inner, acc);
    else
        calculate(chip, &act->run);
    if (!reduces || inner == i->count[0] - 1)
        hand_on(chip, act, cycle + values_delay(chip, &act->run), reduces ? acc : &v->result);
}
