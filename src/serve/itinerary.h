/* SPDX-License-Identifier: BSD-3-Clause */
/* All steps of one request, planned at admission: each as early as what is reserved before allows.
 */
#ifndef SERVE_ITINERARY_H
#define SERVE_ITINERARY_H

#include "serve/frame.h"
#include "serve/requests.h"
#include "serve/slots.h"

/* Slots in which the decode steps of a seat begin, ascending: those that its lanes may join. */
struct serve_seat {
    int64_t *slot;
    size_t count, capacity;
};

/* What is reserved on one machine. */
struct serve_timetable {
    const struct serve_machine *machine;
    const struct serve_frame *frame;
    struct serve_slots *decode, *passes; /* passes NULL: no windows */
    struct serve_seat *seat;             /* [machine->seats]; used where there are several lanes */
};

struct serve_timetable serve_timetable_open(const struct serve_machine *machine,
                                            const struct serve_frame *frame);
void serve_timetable_close(struct serve_timetable *timetable);

/* Nothing begins before `cycle` any more. */
void serve_timetable_forget(struct serve_timetable *timetable, int64_t cycle);

struct serve_step {
    int64_t cycle;
    int64_t place; /* its slot, or the number of its pass */
    uint8_t kind;
    bool joins; /* a step of its seat that another lane has reserved */
};

struct serve_itinerary {
    struct serve_step *step; /* in order; serve_itinerary_release */
    size_t steps, capacity;
    size_t prompt_steps;
    int64_t free_cycle; /* from which the next sequence may have its cache */
};

/* Plans a request that the largest bucket holds, its steps from `cycle` on, in a lane of `seat`.
 * Reserves nothing. Whatever is reserved later, the plan stays possible as soon as it is reserved.
 */
void serve_itinerary_plan(struct serve_timetable *timetable, const struct serve_request *request,
                          int32_t seat, int64_t cycle, struct serve_itinerary *itinerary);

/* Reserves it, with nothing reserved in between. */
void serve_itinerary_reserve(struct serve_timetable *timetable, int32_t seat,
                             const struct serve_itinerary *itinerary);
void serve_itinerary_release(struct serve_itinerary *itinerary);

#endif
