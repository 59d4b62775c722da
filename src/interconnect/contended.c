/* SPDX-License-Identifier: BSD-3-Clause */
/* A shared link: who is served when, decided at the moment a chunk arrives. */
#include "interconnect/contended.h"

#include <math.h>
#include <stddef.h>

static void draw(struct contended_link *link)
{
    link->arrival_ps = link->neighbour.next(link->neighbour.context, &link->arrival_bytes);
}

void contended_link_open(struct contended_link *link, struct wire wire, int64_t quantum_bytes,
                         struct contended_neighbour neighbour)
{
    *link = (struct contended_link){.wire = wire, .neighbour = neighbour, .arrival_ps = INT64_MAX};
    link->quantum_ps = wire_transfer_ps(&link->wire, quantum_bytes);
    if (neighbour.next != NULL) {
        draw(link);
    }
}

static int64_t service_ps(const struct contended_link *link, int64_t bytes)
{
    return link->wire.message_ps + wire_transfer_ps(&link->wire, bytes);
}

static void take_arrival(struct contended_link *link)
{
    int64_t service = service_ps(link, link->arrival_bytes);
    if (link->arrival_ps > link->free_ps + link->backlog_ps) {
        link->free_ps = link->arrival_ps;
        link->backlog_ps = 0;
    }
    link->backlog_ps += service;
    link->count.neighbour_messages++;
    link->count.neighbour_bytes += link->arrival_bytes;
    link->count.neighbour_busy_ps += service;
    draw(link);
}

void contended_link_advance(struct contended_link *link, int64_t until_ps)
{
    while (link->arrival_ps <= until_ps) {
        take_arrival(link);
    }
}

static void serve_neighbour(struct contended_link *link, int64_t ps)
{
    int64_t served = ps < link->backlog_ps ? ps : link->backlog_ps;
    link->free_ps += served;
    link->backlog_ps -= served;
}

/* Own chunks are still ahead: when they are through, the neighbour has a turn if it has work by
 * then. */
static int64_t start_behind_own(struct contended_link *link)
{
    contended_link_advance(link, link->free_ps);
    serve_neighbour(link, link->quantum_ps);
    return link->free_ps;
}

/* No own chunk is ahead: the neighbour finishes the quantum in service. */
static int64_t start_behind_quantum(struct contended_link *link, int64_t now_ps)
{
    int64_t since = now_ps - link->free_ps;
    int64_t turns = (since + link->quantum_ps - 1) / link->quantum_ps;
    serve_neighbour(link, turns * link->quantum_ps);
    return link->free_ps > now_ps ? link->free_ps : now_ps;
}

/* The same, but for where in a quantum the chunk comes: half of one, if it is in service. */
static int64_t start_behind_half_quantum(struct contended_link *link, int64_t now_ps)
{
    serve_neighbour(link, now_ps - link->free_ps);
    if (link->free_ps < now_ps) {
        return now_ps;
    }
    serve_neighbour(link, link->quantum_ps / 2);
    return link->free_ps;
}

/* Without messages, behind a steady stream: its turn behind an own chunk is what has gathered
 * during that and during the turn itself, up to a quantum; else the mean of what is in service. */
static int64_t start_behind_stream(const struct contended_link *link, int64_t now_ps)
{
    double load = link->neighbour.steady_load, quantum_ps = (double)link->quantum_ps;
    if (now_ps >= link->free_ps) {
        return now_ps + llround(load * quantum_ps / 2);
    }
    double gathered_ps = (double)link->busy_ps * load / (1.0 - load);
    return link->free_ps + llround(gathered_ps < quantum_ps ? gathered_ps : quantum_ps);
}

static int64_t start_of(struct contended_link *link, int64_t now_ps)
{
    if (link->neighbour.steady_load > 0) {
        return start_behind_stream(link, now_ps);
    }
    if (now_ps < link->free_ps) {
        return start_behind_own(link);
    }
    return link->neighbour.mean_turns ? start_behind_half_quantum(link, now_ps)
                                      : start_behind_quantum(link, now_ps);
}

static void count_chunk(struct contended_counts *count, int64_t bytes, int64_t busy_ps,
                        int64_t queued_ps)
{
    count->chunks++;
    count->bytes += bytes;
    count->busy_ps += busy_ps;
    count->queued_ps += queued_ps;
    count->longest_queue_ps =
        queued_ps > count->longest_queue_ps ? queued_ps : count->longest_queue_ps;
}

struct contended_service contended_link_offer(struct contended_link *link, int64_t now_ps,
                                              int64_t bytes)
{
    contended_link_advance(link, now_ps);
    int64_t busy = service_ps(link, bytes);
    int64_t start = start_of(link, now_ps);
    link->free_ps = start + busy;
    link->busy_ps = busy;
    count_chunk(&link->count, bytes, busy, start - now_ps);
    return (struct contended_service){start, start + busy};
}
