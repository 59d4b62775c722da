/* SPDX-License-Identifier: BSD-3-Clause */
/* Bookings of each wire as a sorted list of half-open intervals. */
#include "interconnect/timetable.h"

#include <string.h>

#include "base/memory.h"

struct booking {
    int64_t from, to;
};

struct bookings {
    struct booking *at;
    size_t count, capacity;
};

struct timetable {
    struct bookings *wire;
    int32_t wires;
    int64_t slot;
};

struct timetable *timetable_create(int32_t wires, int64_t slot_cycles)
{
    struct timetable *t = base_alloc(1, sizeof *t);
    t->wire = base_alloc((size_t)wires, sizeof *t->wire);
    t->wires = wires;
    t->slot = slot_cycles;
    return t;
}

void timetable_release(struct timetable *timetable)
{
    if (!timetable)
        return;
    for (int32_t w = 0; w < timetable->wires; w++)
        base_free(timetable->wire[w].at);
    base_free(timetable->wire);
    base_free(timetable);
}

int64_t timetable_earliest(const struct timetable *timetable, int32_t wire, int64_t from,
                           int32_t vectors)
{
    const struct bookings *b = &timetable->wire[wire];
    int64_t length = vectors * timetable->slot;
    for (size_t n = 0; n < b->count && b->at[n].from < from + length; n++)
        if (b->at[n].to > from)
            from = b->at[n].to;
    return from;
}

/* Bookings that touch become one. */
static void join_neighbours(struct bookings *b, size_t n)
{
    for (size_t k = n + 1; k >= n && k > 0; k--)
        if (k < b->count && b->at[k - 1].to == b->at[k].from) {
            b->at[k - 1].to = b->at[k].to;
            memmove(&b->at[k], &b->at[k + 1], (--b->count - k) * sizeof *b->at);
        }
}

bool timetable_book(struct timetable *timetable, int32_t wire, int64_t departure, int32_t vectors)
{
    if (timetable_earliest(timetable, wire, departure, vectors) != departure)
        return false;
    struct bookings *b = &timetable->wire[wire];
    b->at = base_grow(b->at, &b->capacity, b->count + 1, sizeof *b->at);
    size_t n = b->count++;
    for (; n > 0 && b->at[n - 1].from > departure; n--)
        b->at[n] = b->at[n - 1];
    b->at[n] = (struct booking){departure, departure + vectors * timetable->slot};
    join_neighbours(b, n);
    return true;
}

/* The first start >= start that suits one leg after the other; the same where all are free. */
static int64_t suit_legs(const struct timetable *t, const struct timetable_leg *leg, size_t legs,
                         int64_t start, int32_t vectors)
{
    for (size_t n = 0; n < legs; n++)
        start = timetable_earliest(t, leg[n].wire, start + leg[n].offset, vectors) - leg[n].offset;
    return start;
}

int64_t timetable_find_way(const struct timetable *timetable, const struct timetable_leg *leg,
                           size_t legs, int64_t from, int32_t vectors)
{
    int64_t start = from, next = suit_legs(timetable, leg, legs, from, vectors);
    for (; next != start; next = suit_legs(timetable, leg, legs, start, vectors))
        start = next;
    return start;
}

int64_t timetable_book_way(struct timetable *timetable, const struct timetable_leg *leg,
                           size_t legs, int64_t from, int32_t vectors)
{
    int64_t start = timetable_find_way(timetable, leg, legs, from, vectors);
    for (size_t n = 0; n < legs; n++)
        timetable_book(timetable, leg[n].wire, start + leg[n].offset, vectors);
    return start;
}

int64_t timetable_booked_cycles(const struct timetable *timetable, int32_t wire)
{
    int64_t cycles = 0;
    for (size_t n = 0; n < timetable->wire[wire].count; n++)
        cycles += timetable->wire[wire].at[n].to - timetable->wire[wire].at[n].from;
    return cycles;
}

bool timetable_is_valid(const struct timetable *timetable)
{
    for (int32_t w = 0; w < timetable->wires; w++)
        for (size_t n = 1; n < timetable->wire[w].count; n++)
            if (timetable->wire[w].at[n].from < timetable->wire[w].at[n - 1].to)
                return false;
    return true;
}
