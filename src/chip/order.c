/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorts instructions once per program and cuts them into runs. */
#include "chip/order.h"

#include "base/memory.h"

struct keyed {
    int64_t cycle;
    uint32_t instruction;
};

/* Repeats of a single inner count run along the outer level. */
static int32_t level_of(const struct program_instruction *i)
{
    return i->count[0] == 1 ? 1 : 0;
}

static uint32_t pieces_of_line(const struct program_instruction *i)
{
    uint32_t repeats = (uint32_t)i->count[level_of(i)];
    return (repeats + ORDER_RUN_REPEATS - 1) / ORDER_RUN_REPEATS;
}

uint32_t order_pieces(const struct program_instruction *i)
{
    return pieces_of_line(i) * (level_of(i) == 0 ? (uint32_t)i->count[1] : 1);
}

struct run order_run(const struct program *program, uint32_t instruction)
{
    const struct program_instruction *i = &program->instruction[instruction];
    int32_t level = level_of(i), repeats = i->count[level];
    return (struct run){.instruction = i,
                        .number = instruction,
                        .cycle = i->cycle,
                        .step = repeats > 1 ? i->interval[level] : 1,
                        .count = repeats < ORDER_RUN_REPEATS ? repeats : ORDER_RUN_REPEATS,
                        .level = level};
}

/* Cycles from the first issue of an instruction to that of a run. */
static int64_t delay_of(const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    return (int64_t)run->first * i->interval[run->level] + (int64_t)run->outer * i->interval[1];
}

struct run order_piece(const struct run *run, uint32_t piece)
{
    const struct program_instruction *i = run->instruction;
    uint32_t line = pieces_of_line(i);
    bool whole = line == 1; /* the usual case; divisions take longer than all the rest */
    struct run other = *run;
    other.piece = piece;
    other.outer = (int32_t)(whole ? piece : piece / line);
    other.first = (int32_t)(whole ? 0 : piece % line) * ORDER_RUN_REPEATS;
    int32_t left = i->count[run->level] - other.first;
    other.count = left < ORDER_RUN_REPEATS ? left : ORDER_RUN_REPEATS;
    other.cycle += delay_of(&other) - delay_of(run);
    return other;
}

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static size_t digit_of(const struct keyed *key, int64_t least, int shift)
{
    return (size_t)((uint64_t)(key->cycle - least) >> shift) % DIGITS;
}

/* Stable, by one digit of the cycles after `least`. */
static void sort_by_digit(const struct keyed *from, struct keyed *to, size_t count, int64_t least,
                          int shift)
{
    size_t next[DIGITS + 1] = {0};
    for (size_t n = 0; n < count; n++)
        next[digit_of(&from[n], least, shift) + 1]++;
    for (size_t d = 0; d < DIGITS; d++)
        next[d + 1] += next[d];
    for (size_t n = 0; n < count; n++)
        to[next[digit_of(&from[n], least, shift)]++] = from[n];
}

/* By cycle; instructions of one cycle stay in their order. Returns the sorted array and frees the
 * other. */
static struct keyed *sort_by_cycle(struct keyed *keyed, size_t count)
{
    struct keyed *other = base_alloc(count, sizeof *other);
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    for (size_t n = 0; n < count; n++) {
        least = keyed[n].cycle < least ? keyed[n].cycle : least;
        greatest = keyed[n].cycle > greatest ? keyed[n].cycle : greatest;
    }
    for (int shift = 0; count && (uint64_t)(greatest - least) >> shift; shift += DIGIT_BITS) {
        sort_by_digit(keyed, other, count, least, shift);
        struct keyed *sorted = other;
        other = keyed;
        keyed = sorted;
    }
    base_free(other);
    return keyed;
}

struct order order_create(const struct program *program)
{
    struct order order = {.count = program->instructions};
    struct keyed *keyed = base_alloc(order.count, sizeof *keyed);
    for (size_t n = 0; n < order.count; n++)
        keyed[n] = (struct keyed){program->instruction[n].cycle, (uint32_t)n};
    keyed = sort_by_cycle(keyed, order.count);
    order.instruction = base_alloc(order.count, sizeof *order.instruction);
    for (size_t n = 0; n < order.count; n++)
        order.instruction[n] = keyed[n].instruction;
    base_free(keyed);
    return order;
}

void order_release(struct order *order)
{
    base_free(order->instruction);
    *order = (struct order){0};
}
