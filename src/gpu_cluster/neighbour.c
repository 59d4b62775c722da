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

static int64_t start_in_phase(const struct neighbour_exchange *exchange,
                              const struct neighbour_flow *flow, int64_t index)
{
    uint64_t entity = 1 + (uint64_t)flow->from * (uint64_t)exchange->gpus + (uint64_t)flow->phase;
    double draw =
        base_random_uniform(exchange->seed, BASE_RANDOM_NEIGHBOUR, entity, (uint64_t)index);
    return llround(draw * (double)exchange->phase_ps);
}

static void insert_sorted(int64_t *array, int32_t count, int64_t value)
{
    int32_t i = count;
    for (; i > 0 && array[i - 1] > value; i--) {
        array[i] = array[i - 1];
    }
    array[i] = value;
}

static void draw_exchange(struct neighbour_source *source)
{
    const struct neighbour_exchange *exchange = source->exchange;
    source->exchange_ps += pause(exchange, source->exchange_index);
    for (int32_t i = 0; i < source->flows; i++) {
        const struct neighbour_flow *flow = &source->flow[i];
        int64_t start = start_in_phase(exchange, flow, source->exchange_index);
        int64_t phase = (flow->phase - 1) * exchange->phase_ps;
        insert_sorted(source->arrival_ps, i, source->exchange_ps + phase + start + flow->offset_ps);
    }
    source->exchange_ps += (exchange->gpus - 1) * exchange->phase_ps;
    source->exchange_index++;
    source->next = 0;
}

/* A late message of one exchange may be overtaken by an early one of the next; it then counts as
 * arriving with it. */
static int64_t next_arrival(void *context, int64_t *bytes)
{
    struct neighbour_source *source = context;
    if (source->next == source->flows) {
        draw_exchange(source);
    }
    int64_t arrival = source->arrival_ps[source->next++];
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

static void add_flow(struct neighbour_source *source, struct neighbour_flow flow)
{
    size_t capacity = (size_t)source->capacity;
    source->flow =
        base_grow(source->flow, &capacity, (size_t)source->flows + 1, sizeof *source->flow);
    source->capacity = (int32_t)capacity;
    source->flow[source->flows++] = flow;
}

/* To whom the process beside `from` sends in a phase; storage: from whose place it comes. */
static int32_t peer_of(const struct gpu_topology *topology, unsigned pattern, int32_t from,
                       int32_t phase)
{
    switch (pattern) {
    case GPU_NEIGHBOUR_REPLICA:
        return (from + 1) % topology->gpus;
    case GPU_NEIGHBOUR_STORAGE:
        return (from + topology->gpus_per_node) % topology->gpus;
    default:
        return (from + phase) % topology->gpus;
    }
}

static void add_pair(struct neighbour_source *sources, const struct gpu_topology *topology,
                     unsigned pattern, int32_t from, int32_t phase)
{
    int32_t to = peer_of(topology, pattern, from, phase);
    struct gpu_path path = gpu_topology_path(topology, from, to);
    struct neighbour_flow flow = {.phase = phase, .from = from};
    for (int32_t i = pattern == GPU_NEIGHBOUR_STORAGE ? path.links - 1 : 0; i < path.links; i++) {
        add_flow(&sources[path.link[i]], flow);
        flow.offset_ps += topology->wires.wire[path.link[i]].latency;
    }
}

struct neighbour_source *neighbour_sources_create(const struct neighbour_exchange *exchange,
                                                  const struct gpu_topology *topology)
{
    size_t links = (size_t)topology->wires.count;
    struct neighbour_source *sources = base_alloc(links, sizeof *sources);
    for (int32_t phase = 1; phase < topology->gpus; phase++) {
        for (int32_t from = 0; from < topology->gpus; from++) {
            add_pair(sources, topology, exchange->pattern, from, phase);
        }
    }
    for (size_t i = 0; i < links; i++) {
        sources[i].exchange = exchange;
        sources[i].arrival_ps = base_alloc((size_t)sources[i].flows, sizeof *sources[i].arrival_ps);
    }
    return sources;
}

void neighbour_sources_free(struct neighbour_source *sources, const struct gpu_topology *topology)
{
    for (int32_t i = 0; sources != NULL && i < topology->wires.count; i++) {
        base_free(sources[i].flow);
        base_free(sources[i].arrival_ps);
    }
    base_free(sources);
}
