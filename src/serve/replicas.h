/* SPDX-License-Identifier: BSD-3-Clause */
/* Replicas of an engine behind a router, in one order of time, so that the router sees what each
 * has to do at that moment. */
#ifndef SERVE_REPLICAS_H
#define SERVE_REPLICAS_H

#include "serve/engine.h"

struct serve_replicas {
    int32_t count;
    enum serve_router router;
    struct serve_rules rules; /* of each */
    struct serve_clock clock; /* of all: it is told whose iteration it is */
};

/* Requests in the order of their arrival. Whoever answers to finished ones may send more: `ended`,
 * which may be NULL, is told of each iteration that ended, and may append to request[capacity], not
 * before the end nor before the last one; or say that it is enough. Requests that can never be
 * served are refused as too long. */
struct serve_load {
    struct serve_request *request; /* [capacity] */
    struct serve_outcome *outcome; /* [capacity], filled */
    size_t count, capacity;
    void (*ended)(void *context, struct serve_load *load, int64_t now_ps, const size_t *finished,
                  size_t finished_count);
    void *context;
    bool stop; /* set by `ended`: who is not through is left waiting */
};

/* Runs until nobody is left. Adds what all replicas did to `tally`. Returns when the last iteration
 * ended. */
int64_t serve_replicas_run(const struct serve_replicas *replicas, struct serve_load *load,
                           struct serve_tally *tally);

#endif
