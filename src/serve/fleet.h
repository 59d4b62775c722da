/* SPDX-License-Identifier: BSD-3-Clause */
/* Racks under a rollout: which schedule each runs, who is served where, whom a broken contract
 * hits. */
#ifndef SERVE_FLEET_H
#define SERVE_FLEET_H

#include "serve/rollout.h"

enum serve_post_state {
    SERVE_POST_SERVES,
    SERVE_POST_DRAINS, /* those who are in are served to their end, nobody else is let in */
    SERVE_POST_LOADS
};

/* A rack in its place. */
struct serve_post {
    struct serve_rack *rack; /* NULL while it loads */
    enum serve_post_state state;
    enum serve_version version, next; /* next: what it is emptied or loaded for */
    int64_t ready_ps;                 /* DRAINS: it is empty; LOADS: it serves */
    int32_t stint;
};

/* A request in service of which more is to be known. */
struct serve_flight {
    size_t number;
    int32_t stint;
};

enum serve_routing {
    SERVE_TO_ALL,
    SERVE_TO_SHARES, /* `share` of the requests to the canary */
    SERVE_TO_STABLE  /* while any rack runs it */
};

struct serve_fleet {
    const struct serve_rollout *given;
    const struct serve_request *request;
    size_t count;
    struct serve_outcome *outcome;
    struct serve_played *played;
    struct serve_post *post;
    int32_t posts;
    enum serve_routing routing;
    double share;
    size_t *held; /* requests that no rack may have */
    size_t held_count, held_capacity;
    struct serve_flight *flight;
    size_t flights, flight_capacity;
    struct serve_sample sample[SERVE_VERSIONS]; /* of requests that came since watched_ps */
    int64_t watched_ps;                         /* INT64_MAX: nobody watches */
    bool settled;                               /* the stable schedule's sample stays as it is */
    int64_t broken_ps;  /* when the contract will be broken first; INT64_MAX: not */
    int64_t violations; /* by the step that does it */
    int64_t last_ps;    /* the last arrival or token so far */
};

/* All racks serve the stable schedule. */
void serve_fleet_open(struct serve_fleet *fleet);
void serve_fleet_close(struct serve_fleet *fleet);

/* When one of the racks decides next, and which; INT64_MAX: nobody waits. */
int64_t serve_fleet_next_ps(struct serve_fleet *fleet, int32_t *post);
void serve_fleet_decide(struct serve_fleet *fleet, int32_t post);

/* Sends a request to a rack, or holds it. */
void serve_fleet_place(struct serve_fleet *fleet, size_t number, int64_t now_ps);

/* A rack that serves takes nobody any more; who waits there goes elsewhere. */
void serve_fleet_drain(struct serve_fleet *fleet, struct serve_post *post, enum serve_version next,
                       int64_t now_ps);

/* A rack that is empty begins to load, one that has loaded begins to serve. */
void serve_fleet_load(struct serve_fleet *fleet, struct serve_post *post, int64_t now_ps);
void serve_fleet_serve(struct serve_fleet *fleet, struct serve_post *post, int64_t now_ps);

/* All that racks with the canary have in service is in vain: they load the stable schedule at once,
 * and their requests begin again. */
void serve_fleet_abandon(struct serve_fleet *fleet, int64_t now_ps);

/* Racks that serve a version. */
int32_t serve_fleet_serving(const struct serve_fleet *fleet, enum serve_version version);

/* Requests that have finished since they were watched go into the samples. */
void serve_fleet_gather(struct serve_fleet *fleet, int64_t now_ps);

#endif
