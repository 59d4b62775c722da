/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages that wander over a mesh of nodes for ever, as in the message mesh of SST-core's tests.
 */
#ifndef BENCH_MESH_H
#define BENCH_MESH_H

#include <stdint.h>

#include "engine/engine.h"

/* Nodes in a torus of width x height, a link of `latency` to each of four neighbours. Each node
 * begins with a message on every link and passes what comes in to a neighbour drawn at random. */
struct mesh_spec {
    int32_t width, height;
    int64_t latency_ps, end_ps; /* no event at end_ps or later */
    uint64_t seed;
};

struct mesh;

/* Nodes, row by row, in blocks over the partitions. Free with mesh_free. */
struct mesh *mesh_create(const struct mesh_spec *spec, int32_t partition, int32_t partitions);
void mesh_free(struct mesh *mesh);

struct engine *mesh_engine(struct mesh *mesh);

/* Of all events at the nodes here, each node's in order; the digests of partitions add up. */
uint64_t mesh_digest(const struct mesh *mesh);

#endif
