/* SPDX-License-Identifier: BSD-3-Clause */
/* The neighbour: another tenant whose traffic shares the links, open loop.
 *
 * Exchange e begins at a time drawn by key. In its phase s = 1 .. n - 1 the process beside GPU g
 * sends one message to the process beside GPU g + s (all-to-all) or g + 1 (another replica's rings,
 * mod n), with a start drawn by key within the phase; or each GPU receives one from storage, over
 * its NIC alone (on one node over its NVLink). A message reaches every link of its path at its
 * start plus the latencies before it: queueing upstream does not delay it downstream, so the
 * traffic of a link is a pure function of the seed, and partitions need not talk about it. */
#ifndef GPU_CLUSTER_NEIGHBOUR_H
#define GPU_CLUSTER_NEIGHBOUR_H

#include <stdint.h>

#include "base/gpu_machine.h"
#include "interconnect/contended.h"
#include "interconnect/gpu_topology.h"

struct neighbour_exchange {
    uint64_t seed;
    int32_t gpus;
    unsigned pattern;
    int64_t message_bytes;
    int64_t phase_ps; /* from one phase to the next */
    double pause_ps;  /* mean of the exponential pause after the last phase */
};

/* The load is the mean share of the scarcest port that the tenant offers: NICs, or NVLink on one
 * node. */
struct neighbour_exchange neighbour_exchange_of(const struct gpu_cluster_spec *spec, uint64_t seed);

/* Traffic of one link, drawn phase by phase. */
struct neighbour_source {
    const struct neighbour_exchange *exchange;
    const struct gpu_topology *topology;
    int32_t link;
    int64_t flows; /* messages of an exchange */
    struct gpu_users users;
    int64_t *pending_ps; /* arrivals that have been drawn and not given out, latest first */
    int32_t pendings, phase;
    size_t capacity;
    int64_t exchange_index, exchange_ps, last_ps; /* when the exchange at hand began */
};

/* Sources of all links of a fat tree, those without flows included. Exchange and topology must
 * outlive them. */
struct neighbour_source *neighbour_sources_create(const struct neighbour_exchange *exchange,
                                                  const struct gpu_topology *topology);
void neighbour_sources_free(struct neighbour_source *sources, const struct gpu_topology *topology);

/* What contended_link_open wants; without flows there is no neighbour. */
struct contended_neighbour neighbour_source_view(struct neighbour_source *source);

/* The same load as a steady stream. */
struct contended_neighbour neighbour_source_steady(const struct neighbour_source *source,
                                                   const struct wire *wire);

#endif
