/* SPDX-License-Identifier: BSD-3-Clause */
/* The neighbour's messages, link by link, drawn when they are asked for. */
#include "gpu_cluster/neighbour.h"

#include <math.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/random.h"

/* Phases fill at most this share of the mean time between exchanges; the rest is the exponential
 * pause. */
static const double phases_share = 0.5;

struct neighbour_exchange neighbour_exchange_of(const struct gpu_cluster_spec *spec, uint64_t seed)
{
    int32_t gpus = spec->nodes * spec->gpus_per_node;
    bool one_node = spec->nodes == 1;
    struct wire port = {.bytes_per_s = one_node ? spec->nvlink_bytes_per_s : spec->nic_bytes_per_s};
    bool most_cross = spec->neighbour_pattern == GPU_NEIGHBOUR_ALL_TO_ALL && !one_node;
    int32_t through_port = most_cross ? gpus - spec->gpus_per_node : gpus - 1;
    double message_ps = (double)wire_transfer_ps(&port, spec->neighbour_message_bytes);
    double period_ps = through_port * message_ps / spec->neighbour_load;
    double widest = phases_share * period_ps / (gpus - 1);
    double phase_ps = message_ps < widest ? message_ps : widest;
    return (struct neighbour_exchange){
        .seed = seed,
        .gpus = gpus,
        .pattern = spec->neighbour_pattern,
        .message_bytes = spec->neighbour_message_bytes,
        .phase_ps = llround(phase_ps),
        .pause_ps = period_ps - phase_ps * (gpus - 1),
    };
}

/* Entity 0 draws the pauses, the others the starts of one (sender, phase) each. */
static int64_t pause(const struct neighbour_exchange *exchange, int64_t index)
{
    double draw =
        base_random_exponential(exchange->seed, BASE_RANDOM_NEIGHBOUR, 0, (uint64_t)index);
    return llround(draw * exchange->pause_ps);
}

static int64_t start_in_phase(const struct neighbour_source *source, int32_t from)
{
    const struct neighbour_exchange *exchange = source->exchange;
    uint64_t entity = 1 + (uint64_t)from * (uint64_t)exchange->gpus + (uint64_t)source->phase;
    double draw = base_random_uniform(exchange->seed, BASE_RANDOM_NEIGHBOUR, entity,
                                      (uint64_t)source->exchange_index);
    return llround(draw * (double)exchange->phase_ps);
}

/* From a process to whom it sends in a phase, so many places on; storage: from whose place it
 * comes. */
static int32_t distance_of(const struct gpu_topology *topology, unsigned pattern, int32_t phase)
{
    switch (pattern) {
    case GPU_NEIGHBOUR_REPLICA:
        return 1;
    case GPU_NEIGHBOUR_STORAGE:
        return topology->gpus_per_node % topology->gpus;
    default:
        return phase;
    }
}

/* Whether the message that `from` sends in a phase takes a link, and the latency before it. */
static bool takes_link(const struct neighbour_source *source, int32_t from, int32_t distance,
                       int64_t *offset_ps)
{
    const struct gpu_topology *topology = source->topology;
    int32_t to = (from + distance) % topology->gpus;
    struct gpu_path path = gpu_topology_path(topology, from, to);
    bool is_storage = source->exchange->pattern == GPU_NEIGHBOUR_STORAGE;
    *offset_ps = 0;
    for (int32_t i = is_storage ? path.links - 1 : 0; i < path.links; i++) {
        if (path.link[i] == source->link) {
            return true;
        }
        *offset_ps += topology->wires.wire[path.link[i]].latency;
    }
    return false;
}

static void keep(struct neighbour_source *source, int64_t arrival_ps)
{
    source->pending_ps = base_grow(source->pending_ps, &source->capacity,
                                   (size_t)source->pendings + 1, sizeof *source->pending_ps);
    int32_t i = source->pendings++;
    for (; i > 0 && source->pending_ps[i - 1] < arrival_ps; i--) {
        source->pending_ps[i] = source->pending_ps[i - 1];
    }
    source->pending_ps[i] = arrival_ps;
}

/* No message of the phase at hand, or of a later one, arrives before. */
static int64_t phase_begins(const struct neighbour_source *source)
{
    return source->exchange_ps + (source->phase - 1) * source->exchange->phase_ps;
}

static void draw_phase(struct neighbour_source *source)
{
    const struct gpu_topology *topology = source->topology;
    int32_t distance = distance_of(topology, source->exchange->pattern, source->phase);
    for (int32_t i = 0; i < source->users.count; i++) {
        int32_t user = source->users.first + i * source->users.stride;
        int32_t from =
            source->users.send ? user : (user - distance + topology->gpus) % topology->gpus;
        int64_t offset;
        if (takes_link(source, from, distance, &offset)) {
            keep(source, phase_begins(source) + start_in_phase(source, from) + offset);
        }
    }
    source->phase++;
}

/* Whether phases to come may hold the next message of the exchange, or all are given out. */
static bool is_next_undrawn(const struct neighbour_source *source)
{
    bool is_last = source->phase == source->exchange->gpus;
    return source->pendings == 0 ||
           (!is_last && source->pending_ps[source->pendings - 1] >= phase_begins(source));
}

static void begin_exchange(struct neighbour_source *source)
{
    source->phase = 1;
    source->exchange_ps += pause(source->exchange, source->exchange_index);
}

static void end_exchange(struct neighbour_source *source)
{
    const struct neighbour_exchange *exchange = source->exchange;
    source->exchange_ps += (exchange->gpus - 1) * exchange->phase_ps;
    source->exchange_index++;
    begin_exchange(source);
}

/* A late message of one exchange may be overtaken by an early one of the next; it then counts as
 * arriving with it. */
static int64_t next_arrival(void *context, int64_t *bytes)
{
    struct neighbour_source *source = context;
    while (is_next_undrawn(source)) {
        if (source->phase == source->exchange->gpus) {
            end_exchange(source);
        }
        draw_phase(source);
    }
    int64_t arrival = source->pending_ps[--source->pendings];
    source->last_ps = arrival > source->last_ps ? arrival : source->last_ps;
    *bytes = source->exchange->message_bytes;
    return source->last_ps;
}

struct contended_neighbour neighbour_source_view(struct neighbour_source *source)
{
    bool silent = source->flows == 0;
    return (struct contended_neighbour){.context = silent ? NULL : source,
                                        .next = silent ? NULL : next_arrival};
}

/* A link that is not the scarcest carries less than the load that was asked for. */
struct contended_neighbour neighbour_source_steady(const struct neighbour_source *source,
                                                   const struct wire *wire)
{
    const struct neighbour_exchange *exchange = source->exchange;
    double period_ps = exchange->pause_ps + (double)(exchange->phase_ps * (exchange->gpus - 1));
    double busy_ps =
        (double)source->flows * (double)wire_transfer_ps(wire, exchange->message_bytes);
    return (struct contended_neighbour){.steady_load = busy_ps / period_ps};
}

/* The messages that an exchange sends from one process in a phase, link by link. */
static void count_flows(struct neighbour_source *sources, const struct gpu_topology *topology,
                        unsigned pattern, int32_t from, int32_t distance)
{
    struct gpu_path path = gpu_topology_path(topology, from, (from + distance) % topology->gpus);
    for (int32_t i = pattern == GPU_NEIGHBOUR_STORAGE ? path.links - 1 : 0; i < path.links; i++) {
        sources[path.link[i]].flows++;
    }
}

struct neighbour_source *neighbour_sources_create(const struct neighbour_exchange *exchange,
                                                  const struct gpu_topology *topology)
{
    struct neighbour_source *sources = base_alloc((size_t)topology->wires.count, sizeof *sources);
    for (int32_t i = 0; i < topology->wires.count; i++) {
        sources[i] = (struct neighbour_source){.exchange = exchange,
                                               .topology = topology,
                                               .link = i,
                                               .users = gpu_topology_users(topology, i)};
        begin_exchange(&sources[i]);
    }
    for (int32_t phase = 1; phase < topology->gpus; phase++) {
        int32_t distance = distance_of(topology, exchange->pattern, phase);
        for (int32_t from = 0; from < topology->gpus; from++) {
            count_flows(sources, topology, exchange->pattern, from, distance);
        }
    }
    return sources;
}

void neighbour_sources_free(struct neighbour_source *sources, const struct gpu_topology *topology)
{
    for (int32_t i = 0; sources != NULL && i < topology->wires.count; i++) {
        base_free(sources[i].pending_ps);
    }
    base_free(sources);
}
