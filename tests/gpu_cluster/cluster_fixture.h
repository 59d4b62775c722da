/* SPDX-License-Identifier: BSD-3-Clause */
/* A small model on H100s, rings of plain wires, and a driver of several partitions in one
 * process. */
#ifndef CLUSTER_FIXTURE_H
#define CLUSTER_FIXTURE_H

#include "gpu_cluster/gpu_cluster.h"
#include "gpu_cluster/world.h"

/* TinyLlama's shapes on 2 nodes of 4 H100s, tensor parallel 8, neighbour on, with jitter; 4 decode
 * steps. */
struct gpu_job fixture_job(void);

/* One all-reduce of `bytes` on a ring of plain wires: no base, no step cost, no jitter, one chunk a
 * segment. */
struct gpu_world *fixture_ring(int32_t gpus, int64_t bytes, int64_t chunk_bytes, int32_t partition,
                               int32_t partitions);

/* Drives `count` worlds in windows until nothing is pending; returns the number of windows. */
int64_t fixture_run(struct gpu_world **world, int32_t count);

/* Checksum over all rows and counters of a run, blind to the order of rows and to partitions. */
uint64_t fixture_digest(struct gpu_world **world, int32_t count);

/* The part of one world, which must be closed; parts add up. */
uint64_t fixture_digest_of(struct gpu_world *world);

/* End of the last step. */
int64_t fixture_end_ps(struct gpu_world **world, int32_t count);

#endif
