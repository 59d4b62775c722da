/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch unit: lanes rearranged, plane by plane, whatever they mean. */
#include <string.h>

#include "chip/values_room.h"

/* The lane that lane l of a permuted vector comes from; -1: zero. */
static int32_t source_of(const struct lpu_chip *m, const struct program_instruction *i,
                         int32_t inner, int32_t l)
{
    int32_t per = m->lanes_per_superlane, superlanes = m->lanes / per;
    int64_t from = l, moved = (int64_t)inner * i->argument_stride;
    switch (i->function) {
    case PROGRAM_SXM_WINDOW:
        if (l < i->low + moved || l >= i->low + moved + i->width)
            return -1;
        from = (l - i->argument - moved) % m->lanes;
        return (int32_t)(from < 0 ? from + m->lanes : from);
    case PROGRAM_SXM_SWAP_HALVES:
        if (l - l % i->width + i->width > m->lanes)
            return -1; /* the last group is not whole */
        return l % i->width < i->width / 2 ? l + i->width / 2 : l - i->width / 2;
    case PROGRAM_SXM_SPREAD:
        return (l / per + l % per) % superlanes * per + l % per;
    case PROGRAM_SXM_ROTATE:
        from = (l / per + i->argument + moved) % superlanes;
        return (int32_t)(from < 0 ? from + superlanes : from) * per + l % per;
    default:
        return l;
    }
}

/* out[l] = in[from[l]], or 0. */
static void move_lanes(const struct numbers *n, const void *in, const int32_t *from, void *out)
{
    const uint32_t *word = in;
    const uint8_t *byte = in;
    for (int32_t l = 0; l < n->lanes && n->wide; l++)
        ((uint32_t *)out)[l] = from[l] < 0 ? 0 : word[from[l]];
    for (int32_t l = 0; l < n->lanes && !n->wide; l++)
        ((uint8_t *)out)[l] = from[l] < 0 ? 0 : byte[from[l]];
}

/* Stream k of all operands of an instruction from `first` on; NULL: there are fewer. */
static const struct program_operand *nth_stream(const struct program *p, uint32_t first,
                                                int32_t operands, int32_t *k)
{
    for (int32_t n = 0; n < operands; n++) {
        const struct program_operand *o = &p->operand[first + (uint32_t)n];
        if (*k < o->streams)
            return o;
        *k -= o->streams;
    }
    return NULL;
}

static int32_t streams_of(const struct program *p, uint32_t first, int32_t operands)
{
    int32_t streams = 0;
    for (int32_t n = 0; n < operands; n++)
        streams += p->operand[first + (uint32_t)n].streams;
    return streams;
}

static const void *input_vector(const struct chip *chip, const struct act *act, int32_t k,
                                int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    const struct program_operand *o = nth_stream(act->run.of->program, i->operand, i->inputs, &k);
    return o ? values_sample(chip, &act->run, o, k, cycle) : chip->values->contents.zero;
}

static void *output_vector(struct chip *chip, const struct act *act, int32_t k, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    const struct program_operand *o =
        nth_stream(act->run.of->program, i->operand + i->inputs, i->outputs, &k);
    return values_drive(chip, &act->run, o, k, cycle + values_delay(chip, &act->run));
}

void values_permute(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    int32_t inner = run_inner(&act->run, act->k), *from = chip->values->from;
    for (int32_t l = 0; l < chip->machine->lanes; l++)
        from[l] = source_of(chip->machine, i, inner, l);
    for (int32_t k = 0; k < streams_of(act->run.of->program, i->operand + i->inputs, i->outputs);
         k++) {
        const void *in = input_vector(chip, act, k, cycle);
        void *out = output_vector(chip, act, k, cycle);
        move_lanes(&chip->values->numbers, in, from, out);
    }
}

/* Lane r of each superlane of `out` is lane j there of in[r], or of in[0] where there is one. */
static void gather_column(const struct chip *chip, const void *const in[], int32_t rows, int32_t j,
                          void *out)
{
    const struct numbers *n = &chip->values->numbers;
    for (int32_t first = 0; first < n->lanes; first += VALUES_SUPERLANE)
        for (int32_t r = 0; r < VALUES_SUPERLANE; r++) {
            const void *row = in[rows == 1 ? 0 : r];
            if (n->wide)
                ((uint32_t *)out)[first + r] = ((const uint32_t *)row)[first + j];
            else
                ((uint8_t *)out)[first + r] = ((const uint8_t *)row)[first + j];
        }
}

/* Plane p of vector j goes out on stream j * planes + p. */
void values_transpose(struct chip *chip, const struct act *act, int64_t cycle)
{
    const struct program_instruction *i = act->run.instruction;
    int32_t in = streams_of(act->run.of->program, i->operand, i->inputs);
    int32_t out = streams_of(act->run.of->program, i->operand + i->inputs, i->outputs);
    int32_t rows = in < out ? 1 : VALUES_SUPERLANE, planes = in / rows > 0 ? in / rows : 1;
    for (int32_t k = 0; k < out; k++) {
        const void *vector[VALUES_SUPERLANE];
        for (int32_t r = 0; r < rows; r++)
            vector[r] = input_vector(chip, act, r * planes + k % planes, cycle);
        gather_column(chip, vector, rows, k / planes, output_vector(chip, act, k, cycle));
    }
}
