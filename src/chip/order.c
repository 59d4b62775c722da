/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts instructions into runs and sorts them once per program. */
#include "chip/order.h"

#include "base/memory.h"

struct keyed {
    int64_t cycle;
    struct order_entry entry;
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

static uint32_t pieces_of(const struct program_instruction *i)
{
    return pieces_of_line(i) * (level_of(i) == 0 ? (uint32_t)i->count[1] : 1);
}

struct run order_run(const struct program *program, struct order_entry entry)
{
    const struct program_instruction *i = &program->instruction[entry.instruction];
    int32_t level = level_of(i);
    uint32_t line = pieces_of_line(i);
    bool whole = line == 1; /* the usual case; divisions take longer than all the rest */
    int32_t outer = (int32_t)(whole ? entry.piece : entry.piece / line);
    int32_t first = (int32_t)(whole ? 0 : entry.piece % line) * ORDER_RUN_REPEATS;
    int32_t left = i->count[level] - first;
    return (struct run){.instruction = i,
                        .number = entry.instruction,
                        .cycle = i->cycle + (int64_t)first * i->interval[level] +
                                 (int64_t)outer * i->interval[1],
                        .step = i->count[level] > 1 ? i->interval[level] : 1,
                        .count = left < ORDER_RUN_REPEATS ? left : ORDER_RUN_REPEATS,
                        .level = level,
                        .outer = outer,
                        .first = first,
                        .opens = entry.piece == 0};
}

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static size_t digit_of(const struct keyed *run, int64_t least, int shift)
{
    return (size_t)((uint64_t)(run->cycle - least) >> shift) % DIGITS;
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

/* By cycle; runs of one cycle stay in the order of instructions and pieces. Returns the sorted
 * array and frees the other. */
static struct keyed *sort_runs(struct keyed *keyed, size_t count)
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

static struct keyed *list_runs(const struct program *program, size_t count)
{
    struct keyed *keyed = base_alloc(count, sizeof *keyed);
    size_t n = 0;
    for (size_t k = 0; k < program->instructions; k++)
        for (uint32_t piece = 0; piece < pieces_of(&program->instruction[k]); piece++) {
            struct order_entry entry = {(uint32_t)k, piece};
            keyed[n++] = (struct keyed){order_run(program, entry).cycle, entry};
        }
    return keyed;
}

struct order order_create(const struct program *program)
{
    struct order order = {0};
    for (size_t k = 0; k < program->instructions; k++)
        order.count += pieces_of(&program->instruction[k]);
    struct keyed *keyed = sort_runs(list_runs(program, order.count), order.count);
    order.entry = base_alloc(order.count, sizeof *order.entry);
    for (size_t n = 0; n < order.count; n++)
        order.entry[n] = keyed[n].entry;
    base_free(keyed);
    return order;
}

void order_release(struct order *order)
{
    base_free(order->entry);
    *order = (struct order){0};
}
