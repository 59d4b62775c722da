/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes of a scheduled transfer: which way every train of vectors takes, and when it departs.
 *
 * A transfer starts on any of a range of chips that hold what is sent, and ends on all of another
 * range. Ways are the direct links and detours over other chips, shortest first, without a chip in
 * common: one comes in at each end. Train by train, each takes the way on which its last vector
 * arrives first, computed from the link timetable. So a detour is taken exactly where waiting for a
 * shorter way would take longer: from about hop time x link rate bytes on. */
#ifndef INTERCONNECT_ROUTE_H
#define INTERCONNECT_ROUTE_H

#include "interconnect/lpu_topology.h"
#include "interconnect/timetable.h"

enum {
    ROUTE_MOST_WAYS = 8,
    ROUTE_MOST_HOPS = 16,
    ROUTE_MOST_ENDS = 8,
    ROUTE_MOST_LEGS = ROUTE_MOST_HOPS + ROUTE_MOST_ENDS
};

/* The ports that a way leaves by; first and last are the chips at its ends, the same one where a
 * sender is joined to all receivers. */
struct route_way {
    struct lpu_port hop[ROUTE_MOST_HOPS];
    int32_t hops, first, last;
};

/* The wire of a link is chip * topology->links + link. `pass_cycles`: from departure on one link to
 * departure on the next. */
struct route_net {
    const struct lpu_topology *topology;
    struct timetable *links;
    int64_t slot_cycles, pass_cycles;
};

/* `from` and `to` do not overlap. Where there are several receivers each is joined to every other
 * by a link: the one at which a train arrives passes it on to all others as it comes. */
struct route_request {
    int32_t from_first, from_count;
    int32_t to_first, to_count; /* at most ROUTE_MOST_ENDS */
    bool straight;              /* over ways of the fewest hops alone */
};

struct route {
    struct route_way way[ROUTE_MOST_WAYS];
    int32_t ways;
};

/* Ways of a request, shortest first; without ways where none joins the ends. */
struct route route_find(const struct route_net *net, const struct route_request *request);

/* All wires that a train on this way takes, the receivers' own included, and when after its
 * departure; returns how many. */
size_t route_legs(const struct route_net *net, const struct route_request *request,
                  const struct route_way *way, struct timetable_leg leg[ROUTE_MOST_LEGS]);

/* A train of vectors that takes a way: when its first vector departs from the first chip, and when
 * its last can be used everywhere. */
struct route_choice {
    int32_t way;
    int64_t departure, arrival;
};

/* The best way for `vectors` that cannot depart before `from`; books nothing. The route has ways.
 */
struct route_choice route_choose(const struct route_net *net, const struct route_request *request,
                                 const struct route *route, int64_t from, int32_t vectors);

#endif
