/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts instructions into runs and sorts them once per program. */
#include "chip/order.h"

#include <stdlib.h>

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

static int compare(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    if (x->entry.instruction != y->entry.instruction)
        return x->entry.instruction < y->entry.instruction ? -1 : 1;
    return x->entry.piece < y->entry.piece ? -1 : x->entry.piece > y->entry.piece;
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
    struct keyed *keyed = list_runs(program, order.count);
    qsort(keyed, order.count, sizeof *keyed, compare);
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
