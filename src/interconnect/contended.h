/* SPDX-License-Identifier: BSD-3-Clause */
/* One directed link that two tenants share, arbitrated at run time quantum by quantum. */
#ifndef INTERCONNECT_CONTENDED_H
#define INTERCONNECT_CONTENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "interconnect/wires.h"

/* The neighbour's messages for one link. `next` gives the next arrival, in order of time, and never
 * ends. It knows arrivals ahead of time because nothing that happens here changes them. NULL next:
 * no messages. Two means in place of what happens, for runs that hold a source of variability
 * still: */
struct contended_neighbour {
    void *context;
    int64_t (*next)(void *context, int64_t *bytes);
    double steady_load; /* without messages: the share of the link that it takes evenly; below 1 */
    bool mean_turns;    /* an own chunk waits for half a quantum, wherever in one it comes */
};

/* Counters; queued: waiting of the own tenant's chunks, service apart. */
struct contended_counts {
    int64_t chunks, bytes, busy_ps, queued_ps, longest_queue_ps;
    int64_t neighbour_messages, neighbour_bytes, neighbour_busy_ps;
};

/* The own tenant's chunks are served in order of arrival and are not interrupted. The neighbour's
 * work is served in between, by turns: after an own chunk at most one quantum of the neighbour's
 * when it has work; an own chunk that comes in the middle of the neighbour's waits for the end of
 * the quantum in service. */
struct contended_link {
    struct wire wire;
    int64_t quantum_ps;
    int64_t free_ps; /* all that is committed ends here; the neighbour's backlog is served from here
                        on */
    int64_t busy_ps; /* service time of the last own chunk */
    int64_t backlog_ps; /* service time of the neighbour's messages that have come and are not
                           committed */
    struct contended_neighbour neighbour;
    int64_t arrival_ps, arrival_bytes; /* the neighbour's next message */
    struct contended_counts count;
};

/* When a chunk's first byte enters the wire, and when its last one has. */
struct contended_service {
    int64_t start_ps, end_ps;
};

/* quantum_bytes > 0. The neighbour's context must outlive the link. */
void contended_link_open(struct contended_link *link, struct wire wire, int64_t quantum_bytes,
                         struct contended_neighbour neighbour);

/* A chunk comes at `now_ps`, which never decreases from call to call; its service is decided at
 * once. */
struct contended_service contended_link_offer(struct contended_link *link, int64_t now_ps,
                                              int64_t bytes);

/* Takes in the neighbour's messages up to and including `until_ps`. */
void contended_link_advance(struct contended_link *link, int64_t until_ps);

#endif
