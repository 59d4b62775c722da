/* SPDX-License-Identifier: BSD-3-Clause */
/* The matrix unit: buffers, arrays and accumulators with their numbers.
 *
 * A pass adds its products from 0 in the order of the contraction, in fp32 (int8: exactly), and its
 * sums are then added to the accumulators. */
#include <string.h>

#include "base/memory.h"
#include "chip/values_room.h"

/* weight[k * columns_of_machine + n] for contraction row k and column n; what is beyond `rows` and
 * `columns` is zero. */
struct values_array {
    float *weight;
    int32_t rows, columns;
    int64_t effective; /* computes issued from this cycle on use it */
};

static struct values_array *array_create(const struct lpu_chip *m)
{
    struct values_array *a = base_alloc(1, sizeof *a);
    a->weight = base_alloc((size_t)m->mxm_rows * (size_t)m->mxm_columns, sizeof *a->weight);
    a->effective = INT64_MAX;
    return a;
}

static void array_release(struct values_array *array)
{
    if (array)
        base_free(array->weight);
    base_free(array);
}

void values_planes_create(const struct lpu_chip *machine, struct values *values)
{
    for (int32_t p = 0; p < machine->mxm_planes; p++) {
        struct values_plane *plane = &values->plane[p];
        plane->buffer = array_create(machine);
        plane->array[0] = array_create(machine);
        plane->array[1] = array_create(machine);
        plane->accumulator =
            base_alloc((size_t)machine->mxm_accumulator_rows, sizeof *plane->accumulator);
    }
    values->pass = base_alloc((size_t)machine->mxm_columns, sizeof *values->pass);
    values->accumulator_rows = machine->mxm_accumulator_rows;
}

void values_planes_release(struct values *values)
{
    for (int32_t p = 0; p < MXM_PLANES; p++) {
        struct values_plane *plane = &values->plane[p];
        array_release(plane->buffer);
        array_release(plane->array[0]);
        array_release(plane->array[1]);
        for (int32_t r = 0; plane->accumulator && r < values->accumulator_rows; r++)
            base_free(plane->accumulator[r]);
        base_free(plane->accumulator);
    }
    base_free(values->pass);
}

static struct values_plane *plane_of(struct chip *chip, const struct program_instruction *i)
{
    return &chip->values->plane[program_mxm_plane(i->queue)];
}

/* Contraction rows of an array: a pair of planes is one of fp16. */
static int32_t depth_of(const struct lpu_chip *m, const struct program_instruction *i)
{
    return i->flags & PROGRAM_FP16 ? m->mxm_fp16_rows : m->mxm_rows;
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* One vector becomes column n. */
static void put_column(const struct lpu_chip *m, struct values_array *to, int32_t depth, int32_t n,
                       const float *lane)
{
    if (n >= m->mxm_columns)
        return;
    for (int32_t k = 0; k < least(depth, m->lanes); k++)
        to->weight[(size_t)k * (size_t)m->mxm_columns + (size_t)n] = lane[k];
    to->rows = least(depth, m->lanes);
    to->columns = n + 1 > to->columns ? n + 1 : to->columns;
}

/* One vector becomes row k. */
static void put_row(const struct lpu_chip *m, struct values_array *to, int32_t depth, int32_t k,
                    const float *lane)
{
    if (k >= depth)
        return;
    to->columns = least(m->lanes, m->mxm_columns);
    memcpy(to->weight + (size_t)k * (size_t)m->mxm_columns, lane,
           (size_t)to->columns * sizeof *lane);
    to->rows = k + 1 > to->rows ? k + 1 : to->rows;
}

void values_load(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    const struct program_operand *o = executor_input(&act->run, 0);
    struct values *v = chip->values;
    struct values_array *to = plane_of(chip, i)->buffer;
    int32_t planes = program_dtype_planes(o->dtype), vectors = o->streams / planes;
    int32_t inner = run_inner(&act->run, act->k), depth = depth_of(chip->machine, i);
    if (inner == 0)
        to->rows = to->columns = 0;
    for (int32_t j = 0; j < vectors; j++) {
        struct program_operand one = *o;
        one.stream = (uint8_t)(o->stream + j * planes);
        values_take(chip, &act->run, &one, cycle, &v->input[0]);
        if (i->flags & PROGRAM_ROWS)
            put_row(chip->machine, to, depth, inner * vectors + j, v->input[0].real);
        else
            put_column(chip->machine, to, depth, inner * vectors + j, v->input[0].real);
    }
}

void values_install(struct chip *chip, const struct act *act, int64_t cycle)
{
    struct values_plane *p = plane_of(chip, act->run.instruction);
    struct values_array *older = p->array[1];
    p->array[1] = p->array[0];
    p->array[0] = p->buffer;
    p->buffer = older;
    p->array[0]->effective = cycle;
    older->rows = older->columns = 0;
}

/* Products of a row of activations, lanes [low, low + rows), with an array. */
static void add_products(const struct lpu_chip *m, const struct values_array *w, const float *lane,
                         int32_t low, float *pass)
{
    for (int32_t n = 0; n < m->mxm_columns; n++)
        pass[n] = 0.0f;
    for (int32_t k = 0; k < w->rows && low + k < m->lanes; k++) {
        const float *row = w->weight + (size_t)k * (size_t)m->mxm_columns;
        float a = lane[low + k];
        for (int32_t n = 0; a != 0.0f && n < w->columns; n++)
            pass[n] += a * row[n];
    }
}

/* Adds a pass to an accumulator row, or begins one with it: as integers where lanes are bytes. */
static void accumulate(union accumulator *row, const float *pass, int32_t columns, bool begins,
                       bool whole)
{
    for (int32_t n = 0; n < columns && whole; n++)
        row[n].whole =
            (int32_t)((begins ? 0 : (uint32_t)row[n].whole) + (uint32_t)(int32_t)pass[n]);
    for (int32_t n = 0; n < columns && !whole; n++)
        row[n].real = begins ? pass[n] : row[n].real + pass[n];
}

static void emit_row(struct chip *chip, const struct act *act, int64_t cycle,
                     const union accumulator *row, bool whole)
{
    struct values *v = chip->values;
    float *real = v->result.real;
    int32_t columns = least(chip->machine->mxm_columns, v->numbers.lanes);
    memset(real, 0, (size_t)v->numbers.lanes * sizeof *real);
    for (int32_t n = 0; n < columns; n++)
        real[n] = whole ? (float)row[n].whole : row[n].real;
    values_give(chip, &act->run, executor_output(&act->run, 0),
                cycle + values_delay(chip, &act->run), &v->result);
}

/* The array that a compute issued in `issue` uses. */
static const struct values_array *array_at(const struct values_plane *p, int64_t issue)
{
    return p->array[0]->effective <= issue ? p->array[0] : p->array[1];
}

void values_compute(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct lpu_chip *m = chip->machine;
    const struct program_instruction *i = act->run.instruction;
    struct values *v = chip->values;
    struct values_plane *p = plane_of(chip, i);
    int32_t outer = run_outer(&act->run, act->k);
    int64_t row = run_value(&act->run, i->address, i->stride, act->k);
    bool every = i->flags & PROGRAM_EVERY, whole = !(i->flags & PROGRAM_FP16) && !v->numbers.wide;
    if (row < 0 || row >= m->mxm_accumulator_rows)
        return;
    if (!p->accumulator[row])
        p->accumulator[row] = base_alloc((size_t)m->mxm_columns, sizeof *p->accumulator[row]);
    values_take(chip, &act->run, executor_input(&act->run, 0), cycle, &v->input[0]);
    add_products(m, array_at(p, cycle - chip->timing[i->opcode].skew), v->input[0].real,
                 i->flags & PROGRAM_FP16 ? i->low : 0, v->pass);
    accumulate(p->accumulator[row], v->pass, m->mxm_columns,
               every || (i->flags & PROGRAM_FIRST && outer == 0), whole);
    if (every || (i->flags & PROGRAM_LAST && outer == i->count[1] - 1))
        emit_row(chip, act, cycle, p->accumulator[row], whole);
}
