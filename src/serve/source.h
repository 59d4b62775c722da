/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests of a run: a slice of a trace at a rate that is wished for, or draws. */
#ifndef SERVE_SOURCE_H
#define SERVE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/serve_spec.h"
#include "base/status.h"
#include "serve/requests.h"

/* Sorted by arrival. Those of a trace count time from the first of the slice. */
struct serve_requests {
    struct serve_request *request; /* owned */
    size_t count;
    size_t moved; /* requests of the whole trace that stood behind a later one */
};

/* Reads or draws what `source` asks for. Faults name the keys of the configuration, or the trace's
 * lines. Returns whether there was none; release in either case. */
bool serve_source_take(const struct serve_source *source, uint64_t seed,
                       struct serve_requests *requests, struct base_report *report);

void serve_requests_release(struct serve_requests *requests);

/* Requests a second between the first and the last; 0 where that is no time. */
double serve_requests_rate(const struct serve_requests *requests);

/* The same requests at `rate` > 0 instead of their own, which is not 0, into paced[count]. */
void serve_requests_pace(const struct serve_requests *requests, double rate,
                         struct serve_request *paced);

#endif
