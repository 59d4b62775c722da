/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds ways by breadth-first search, and gives each train the one on which it arrives first. */
#include "interconnect/route.h"

#include "base/memory.h"

/* A search that leaves out the links and chips of earlier ways. */
struct search {
    const struct lpu_topology *topology;
    const struct route_request *request;
    bool *link_used, *chip_used;
    struct lpu_port *came; /* the port by which a chip was reached; chip -1: not yet */
    int32_t *line;
};

static bool is_source(const struct route_request *r, int32_t chip)
{
    return chip >= r->from_first && chip < r->from_first + r->from_count;
}

static bool is_sink(const struct route_request *r, int32_t chip)
{
    return chip >= r->to_first && chip < r->to_first + r->to_count;
}

static struct search open_search(const struct lpu_topology *topology,
                                 const struct route_request *request)
{
    size_t chips = (size_t)topology->chips;
    struct search s = {.topology = topology, .request = request};
    s.link_used = base_alloc(chips * (size_t)topology->links, sizeof *s.link_used);
    s.chip_used = base_alloc(chips, sizeof *s.chip_used);
    s.came = base_alloc(chips, sizeof *s.came);
    s.line = base_alloc(chips, sizeof *s.line);
    return s;
}

static void close_search(struct search *s)
{
    base_free(s->link_used);
    base_free(s->chip_used);
    base_free(s->came);
    base_free(s->line);
}

/* Lines up the sources at which a way may begin; returns how many. */
static int32_t start_search(struct search *s)
{
    int32_t tail = 0;
    for (int32_t c = 0; c < s->topology->chips; c++) {
        bool start = is_source(s->request, c) && !s->chip_used[c];
        s->came[c] = (struct lpu_port){start ? c : -1, -1};
        if (start)
            s->line[tail++] = c;
    }
    return tail;
}

/* Whether a way may go on to the far end of a port. */
static bool may_take(const struct search *s, struct lpu_port port, int32_t to)
{
    return to >= 0 && s->came[to].chip < 0 && !s->chip_used[to] && !is_source(s->request, to) &&
           !s->link_used[port.chip * s->topology->links + port.link];
}

/* The nearest sink that can be reached, or -1. */
static int32_t reach_sink(struct search *s)
{
    int32_t tail = start_search(s);
    for (int32_t head = 0; head < tail; head++)
        for (int32_t link = 0; link < s->topology->links; link++) {
            struct lpu_port port = {s->line[head], link};
            int32_t to = lpu_topology_peer(s->topology, port.chip, link).chip;
            if (!may_take(s, port, to))
                continue;
            s->came[to] = port;
            if (is_sink(s->request, to))
                return to;
            s->line[tail++] = to;
        }
    return -1;
}

/* The way that ends at `sink`; false where it has too many hops. An end that is the only one of its
 * kind serves other ways, too. */
static bool take_way(struct search *s, int32_t sink, struct route_way *way)
{
    *way = (struct route_way){.first = sink, .last = sink};
    for (int32_t c = sink; s->came[c].link >= 0; c = s->came[c].chip)
        way->hops++;
    if (way->hops > ROUTE_MOST_HOPS)
        return false;
    s->chip_used[sink] = s->request->to_count > 1;
    for (int32_t h = way->hops; h > 0; h--) {
        struct lpu_port port = s->came[way->first];
        way->hop[h - 1] = port;
        way->first = port.chip;
        s->link_used[port.chip * s->topology->links + port.link] = true;
        s->chip_used[port.chip] = h > 1 || s->request->from_count > 1;
    }
    return true;
}

static bool joins_all(const struct lpu_topology *topology, const struct route_request *request,
                      int32_t chip)
{
    int32_t link[ROUTE_MOST_LEGS];
    for (int32_t k = 0; k < request->to_count; k++)
        if (!lpu_topology_direct_links(topology, chip, request->to_first + k, link))
            return false;
    return true;
}

/* Senders that are joined to several receivers need nobody to pass on. */
static void find_senders(const struct lpu_topology *topology, const struct route_request *request,
                         struct route *route)
{
    for (int32_t k = 0; k < request->from_count && route->ways < ROUTE_MOST_WAYS; k++)
        if (request->to_count > 1 && joins_all(topology, request, request->from_first + k))
            route->way[route->ways++] = (struct route_way){.first = request->from_first + k,
                                                           .last = request->from_first + k};
}

static void find_ways(const struct lpu_topology *topology, const struct route_request *request,
                      struct route *route)
{
    struct search s = open_search(topology, request);
    int32_t sink = reach_sink(&s);
    while (route->ways < ROUTE_MOST_WAYS && sink >= 0 &&
           take_way(&s, sink, &route->way[route->ways]) &&
           !(request->straight && route->way[route->ways].hops > route->way[0].hops)) {
        route->ways++;
        sink = reach_sink(&s);
    }
    close_search(&s);
}

struct route route_find(const struct route_net *net, const struct route_request *request)
{
    struct route route = {.ways = 0};
    find_senders(net->topology, request, &route);
    if (!route.ways)
        find_ways(net->topology, request, &route);
    return route;
}

/* Wires from the last chip of a way to the other receivers, all left at `offset`. */
static size_t fan_out(const struct route_net *net, const struct route_request *request,
                      int32_t chip, int64_t offset, struct timetable_leg *leg)
{
    size_t legs = 0;
    for (int32_t link = 0; link < net->topology->links; link++) {
        int32_t to = lpu_topology_peer(net->topology, chip, link).chip;
        if (is_sink(request, to) && to != chip)
            leg[legs++] = (struct timetable_leg){chip * net->topology->links + link, offset};
    }
    return legs;
}

size_t route_legs(const struct route_net *net, const struct route_request *request,
                  const struct route_way *way, struct timetable_leg leg[ROUTE_MOST_LEGS])
{
    for (int32_t h = 0; h < way->hops; h++)
        leg[h] = (struct timetable_leg){way->hop[h].chip * net->topology->links + way->hop[h].link,
                                        h * net->pass_cycles};
    return (size_t)way->hops +
           fan_out(net, request, way->last, way->hops * net->pass_cycles, leg + way->hops);
}

static int64_t arrival_of(const struct route_net *net, const struct route_request *request,
                          const struct route_way *way, int64_t departure, int32_t vectors)
{
    int32_t hops = way->hops + (request->to_count > 1);
    return departure + hops * net->pass_cycles + (vectors - 1) * net->slot_cycles;
}

struct route_choice route_choose(const struct route_net *net, const struct route_request *request,
                                 const struct route *route, int64_t from, int32_t vectors)
{
    struct route_choice best = {.arrival = INT64_MAX};
    for (int32_t w = 0; w < route->ways; w++) {
        const struct route_way *way = &route->way[w];
        struct timetable_leg leg[ROUTE_MOST_LEGS];
        size_t legs = route_legs(net, request, way, leg);
        int64_t departure = timetable_find_way(net->links, leg, legs, from, vectors);
        int64_t arrival = arrival_of(net, request, way, departure, vectors);
        if (arrival < best.arrival)
            best = (struct route_choice){w, departure, arrival};
    }
    return best;
}
