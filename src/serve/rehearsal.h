/* SPDX-License-Identifier: BSD-3-Clause */
/* Plays a run's starts in the order of time and finds out whether they keep what was promised. It
 * knows the machine's description, the requests and the outcomes, and nothing of how the starts
 * were planned. */
#ifndef SERVE_REHEARSAL_H
#define SERVE_REHEARSAL_H

#include "serve/carousel.h"

/* What was broken, each counted once a start or a request. */
struct serve_rehearsal {
    int64_t starts, pairs; /* that were looked at: pairs of steps under way together */
    int64_t too_near;      /* pairs at a distance that is forbidden */
    int64_t out_of_order;  /* steps before what they need: the prompt at the chips, a sequence's own
                              step before them, and, with several lanes, the steps of their seat */
    int64_t too_small;     /* decode steps in buckets that do not hold their sequence */
    int64_t taken;         /* sequences in a lane that another still had, or that there is not */
    int64_t unkept;        /* requests that did not finish as promised, or not as told */
};

struct serve_rehearsing; /* opaque: a rehearsal under way */

/* Machine, requests and outcomes outlive it; a request's outcome is there before its starts are
 * noted. Starts that are over are played and forgotten as the run goes on. */
struct serve_rehearsing *serve_rehearsal_open(const struct serve_machine *machine,
                                              const struct serve_request *request, size_t count,
                                              const struct serve_outcome *outcome,
                                              int32_t replicas);

/* Takes starts of one replica, as serve_note says; `context` is the rehearsal. */
serve_note serve_rehearsal_note;

/* Plays what is left, and releases the rehearsal. */
struct serve_rehearsal serve_rehearsal_close(struct serve_rehearsing *rehearsing);

/* Whether nothing was broken. */
bool serve_rehearsal_is_clean(const struct serve_rehearsal *found);

#endif
