/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests at the door of the static machine: who is let in gets all his steps at once, so that his
 * finish is known then, to the picosecond, and nothing that comes later can change it. */
#ifndef SERVE_CAROUSEL_H
#define SERVE_CAROUSEL_H

#include "base/progress.h"
#include "base/serve_spec.h"
#include "serve/frame.h"
#include "serve/rack.h"
#include "serve/requests.h"

/* When a client's request was let in, and when he has the first and the last token. */
struct serve_times {
    int64_t admitted_ps, first_token_ps, finished_ps;
};

/* Told of each request that is let in: its starts, in order. Whatever is planned later on this
 * replica begins at `cycle` or later. */
typedef void serve_note(void *context, const struct serve_start *start, size_t count,
                        int64_t cycle);

/* What became of slots and places from cycle 0 to the last step's end, on all replicas. */
struct serve_usage {
    int64_t slots, decode_slots, closed_slots; /* closed: kept for passes */
    int64_t passes, passes_taken;
    int64_t decode_steps; /* of one sequence each: of several lanes that share a slot */
};

/* What the door is built from; all of it outlives the run. */
struct serve_door {
    const struct serve_machine *machine; /* of one replica */
    const struct serve_frame *frame;
    const struct serve_spec *spec;
    struct base_progress *progress; /* NULL: none */
    serve_note *note;               /* NULL: nobody wants to know */
    void *context;
};

/* Serves requests, sorted by arrival, and fills outcome[count]. A seat that falls free is given to
 * the request that the policy says, at that moment; requests of one moment arrive together. The
 * prompt crosses PCIe when the seat is given. A request is refused, if that is wanted, where its
 * own itinerary misses its limits. */
struct serve_usage serve_carousel_run(const struct serve_door *door,
                                      const struct serve_request *request, size_t count,
                                      struct serve_outcome *outcome);

#endif
