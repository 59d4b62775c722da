/* SPDX-License-Identifier: BSD-3-Clause */
/* One collective call as all of its GPUs see it: algorithm, protocol, channels, chunks, costs. */
#ifndef GPU_CLUSTER_CALL_H
#define GPU_CLUSTER_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/gpu_machine.h"
#include "gpu_cluster/gpu_tables.h"

/* Members are the GPUs from `first` on. The bytes of a call: all-reduce, broadcast and transfer
 * the vector; all-gather what everybody has at the end; reduce-scatter and all-to-all what
 * everybody has at the start. */
struct gpu_call {
    enum gpu_op op;
    enum gpu_algorithm algorithm;
    enum gpu_protocol protocol;
    int32_t first, ranks;
    int32_t nodes, per_node; /* ranks = nodes x per_node; members across nodes that do not fit: one
                                "node" */
    int32_t nics;            /* of a node, as the library counts them */
    int64_t bytes;
    int32_t channels;      /* blocks, one SM each */
    int64_t channel_bytes; /* of the vector; the last channel may have less */
    int64_t chunk_bytes;   /* of a step, at most */
    int32_t slices;        /* that a chunk is cut into, unless they became shorter than */
    int64_t least_slice_bytes;
    struct gpu_block_cost cost;
    int64_t line_post_ps, slice_post_ps, eager_bytes; /* as the cluster's description has them */
    int64_t fence_ps;
    int32_t line_bytes, line_data_bytes; /* a line on the wire, and what it carries */
};

/* What is asked for; zero fields: as the library would. */
struct gpu_call_wish {
    unsigned algorithm, protocol; /* enum gpu_algorithm, enum gpu_protocol */
    int32_t channels;
    int64_t chunk_bytes;
    unsigned all_reduce; /* enum gpu_all_reduce */
};

/* The wish of a cluster's description. */
struct gpu_call_wish gpu_call_wish_of(const struct gpu_cluster_spec *spec);

/* What `wish` leaves open is chosen as the library does; an algorithm that `op` cannot be done by
 * counts as left open. ranks >= 2. */
struct gpu_call gpu_call_make(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                              const struct gpu_call_wish *wish, enum gpu_op op, int32_t first,
                              int32_t ranks, int64_t bytes);

/* Whether such a call can be; *why: what it cannot, or NULL; free with base_free. */
bool gpu_call_is_possible(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                          const struct gpu_call_wish *wish, enum gpu_op op, int32_t ranks,
                          int64_t bytes, char **why);

/* A ring of one channel whose steps cost nothing beside links, a member's share cut into slices of
 * at most `slice_bytes`; for plans made by hand. */
struct gpu_call gpu_call_plain_ring(enum gpu_op op, int32_t ranks, int64_t bytes,
                                    int64_t slice_bytes);

/* Bytes of channel `channel`. */
int64_t gpu_call_channel_bytes(const struct gpu_call *call, int32_t channel);

/* Time of a block's step that moves `bytes`, without links. */
int64_t gpu_call_block_ps(const struct gpu_call *call, int64_t bytes);

/* From the end of a step until a message of `bytes` is posted to a NIC. */
int64_t gpu_call_post_ps(const struct gpu_call *call, int64_t bytes);

/* What `bytes` take on the wires of a path: flags of lines, and inside a node the share of NVLink's
 * rate that such traffic does not attain. */
int64_t gpu_call_wire_bytes(const struct gpu_call *call, int64_t bytes, bool crosses_nodes);

const char *gpu_algorithm_name(enum gpu_algorithm algorithm);
const char *gpu_protocol_name(enum gpu_protocol protocol);

#endif
