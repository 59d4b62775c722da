/* SPDX-License-Identifier: BSD-3-Clause */
/* Places in time that are free, taken, or closed by a pattern that repeats: a ring of bits from now
 * to the farthest reservation. */
#ifndef SERVE_SLOTS_H
#define SERVE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

struct serve_slots; /* opaque */

/* Places 0, 1, ... for ever; place n is closed where closed[n % period] is. Not all are. */
struct serve_slots *serve_slots_create(const bool *closed, int64_t period);
void serve_slots_release(struct serve_slots *slots);

/* The first free place from `from` on, which was not forgotten, or `limit` where there is none
 * before it. */
int64_t serve_slots_next(struct serve_slots *slots, int64_t from, int64_t limit);

/* Takes a free place that serve_slots_next has given. */
void serve_slots_take(struct serve_slots *slots, int64_t place);

/* Nobody asks for places before `before` any more. */
void serve_slots_forget(struct serve_slots *slots, int64_t before);

#endif
