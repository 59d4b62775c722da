/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes of a scheduled transfer: which way every item takes, and when it departs.
 *
 * A transfer starts on any of a range of chips that hold the items, and ends on all of another
 * range. Ways are the direct links and detours over other chips, shortest first, without a chip in
 * common: one comes in at each end. Item by item, the one with most vectors first, takes the way on
 * which its last vector arrives first, computed from the link timetable, and books it. So a detour
 * is taken exactly where waiting for a shorter way would take longer: from about hop time x link
 * rate bytes on. An item is not cut: give one for each vector where every vector may choose. */
#ifndef INTERCONNECT_ROUTE_H
#define INTERCONNECT_ROUTE_H

#include "interconnect/lpu_topology.h"
#include "interconnect/timetable.h"

enum { ROUTE_MOST_WAYS = 8, ROUTE_MOST_HOPS = 16, ROUTE_MOST_ENDS = 8 };

/* The ports that a way leaves by; first and last are the chips at its ends. */
struct route_way {
    struct lpu_port hop[ROUTE_MOST_HOPS];
    int32_t hops, first, last;
};

struct route_item {
    int32_t vectors;
    int32_t way;       /* set by route_plan */
    int64_t departure; /* of its first vector from the first chip, set by route_plan */
};

/* The wire of a link is chip * topology->links + link. `pass_cycles`: from departure on one link to
 * departure on the next. */
struct route_net {
    const struct lpu_topology *topology;
    struct timetable *links;
    int64_t slot_cycles, pass_cycles;
};

/* `from` and `to` do not overlap. Where there are several receivers each is joined to every other
 * by a link: the one at which an item arrives passes it on to all others as it comes. */
struct route_request {
    int32_t from_first, from_count;
    int32_t to_first, to_count; /* at most ROUTE_MOST_ENDS */
    int64_t earliest;           /* departure */
    bool straight;              /* over ways of the fewest hops alone */
};

struct route {
    struct route_way way[ROUTE_MOST_WAYS];
    int32_t ways;
    int64_t last_cycle; /* when the last vector can be passed on, or kept, at its last chip */
};

/* Ways of a request, shortest first; items find theirs below `ways` of the route. False where no
 * way joins the ends. */
bool route_plan(const struct route_net *net, const struct route_request *request,
                struct route_item *item, int32_t items, struct route *route);

/* Wires from receiver `chip` to the other receivers, all left at `offset`; returns how many. */
size_t route_fan_out(const struct route_net *net, const struct route_request *request, int32_t chip,
                     int64_t offset, struct timetable_leg *leg);

#endif
