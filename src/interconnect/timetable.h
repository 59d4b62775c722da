/* SPDX-License-Identifier: BSD-3-Clause */
/* The scheduled discipline: which train of vectors departs on which wire in which cycle, decided
 * beforehand.
 *
 * A wire carries one vector a slot. A train of n vectors, a slot apart, that departs in cycle t
 * holds its wire for [t, t + n * slot). Nothing queues and nothing arbitrates: who books first
 * travels first. The contended discipline over the same wires is contended.h. */
#ifndef INTERCONNECT_TIMETABLE_H
#define INTERCONNECT_TIMETABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timetable; /* opaque */

/* Of `wires` wires, all free from cycle 0 on; slot_cycles >= 1. Release with timetable_release. */
struct timetable *timetable_create(int32_t wires, int64_t slot_cycles);
void timetable_release(struct timetable *timetable);

/* Earliest departure >= from at which `vectors` >= 1 find the wire free. */
int64_t timetable_earliest(const struct timetable *timetable, int32_t wire, int64_t from,
                           int32_t vectors);

/* Takes the wire; false, and nothing changes, where it is not free all that time. */
bool timetable_book(struct timetable *timetable, int32_t wire, int64_t departure, int32_t vectors);

/* One wire of a way: a train that starts its journey in cycle t departs on it in t + offset. */
struct timetable_leg {
    int32_t wire;
    int64_t offset;
};

/* Earliest start >= from at which all legs are free at their offsets. */
int64_t timetable_find_way(const struct timetable *timetable, const struct timetable_leg *leg,
                           size_t legs, int64_t from, int32_t vectors);

/* The same, and books them. */
int64_t timetable_book_way(struct timetable *timetable, const struct timetable_leg *leg,
                           size_t legs, int64_t from, int32_t vectors);

/* Cycles that are booked on a wire. */
int64_t timetable_booked_cycles(const struct timetable *timetable, int32_t wire);

/* Bookings of every wire are sorted and do not overlap. */
bool timetable_is_valid(const struct timetable *timetable);

#endif
