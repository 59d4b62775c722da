/* SPDX-License-Identifier: BSD-3-Clause */
/* One static machine behind a router: who waits for it, who has which seat, what is reserved. */
#ifndef SERVE_RACK_H
#define SERVE_RACK_H

#include "base/serve_spec.h"
#include "serve/itinerary.h"

struct serve_rack; /* opaque */

/* What a rack is built from; all of it outlives the rack. */
struct serve_rack_setup {
    const struct serve_machine *machine;
    const struct serve_frame *frame;
    const struct serve_spec *spec;
    const struct serve_request *request; /* [count], sorted by arrival */
    size_t count;
    double share; /* of tenants' budgets that is spent here */
};

struct serve_rack *serve_rack_open(const struct serve_rack_setup *setup);
void serve_rack_close(struct serve_rack *rack);

/* A request that the largest bucket holds is there from `at_ps` on; nothing is decided before. */
void serve_rack_push(struct serve_rack *rack, size_t number, int64_t at_ps);

/* When the rack decides next; INT64_MAX: nobody waits. */
int64_t serve_rack_next_ps(struct serve_rack *rack);

/* A step of one sequence. Steps of several lanes of a seat that begin together are one step. */
struct serve_start {
    int64_t cycle;
    int32_t request;
    int16_t replica, seat, lane;
    uint8_t kind;
};

/* A request that is let in, or refused. */
struct serve_decision {
    size_t number;
    struct serve_outcome outcome;            /* of replica -1 */
    const struct serve_itinerary *itinerary; /* NULL: refused; valid until the next decision */
    int32_t lane;                            /* seat * lanes + lane of the seat */
};

/* Takes the decision of serve_rack_next_ps. */
struct serve_decision serve_rack_decide(struct serve_rack *rack);

/* The steps of a request that was let in, as starts of `replica` in start[itinerary->steps]. */
void serve_decision_starts(const struct serve_decision *decision, int32_t replica, int32_t lanes,
                           struct serve_start *start);

/* Takes one of those that wait out, undecided; false: nobody waits. */
bool serve_rack_withdraw(struct serve_rack *rack, size_t *number);

/* Tokens of requests that wait or are in. */
int64_t serve_rack_outstanding(const struct serve_rack *rack, int64_t now_ps);

/* Which of `racks` > 0 a request goes to. */
size_t serve_rack_choose(struct serve_rack *const *rack, size_t racks, enum serve_router router,
                         size_t number, int64_t now_ps);

/* When all steps of those who are in have ended; 0: nobody ever was in. */
int64_t serve_rack_empty_ps(const struct serve_rack *rack);

/* The outcome of a request that has none, or a refused one. */
struct serve_outcome serve_rack_refusal(enum serve_fate fate);

#endif
