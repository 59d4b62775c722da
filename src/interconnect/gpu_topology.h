/* SPDX-License-Identifier: BSD-3-Clause */
/* GPU clusters as wires: NVSwitch nodes on a fat tree, or a plain ring. */
#ifndef INTERCONNECT_GPU_TOPOLOGY_H
#define INTERCONNECT_GPU_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gpu_machine.h"
#include "interconnect/wires.h"

enum { GPU_PATH_LINKS = 4 };

/* Links of a path in order. */
struct gpu_path {
    int32_t link[GPU_PATH_LINKS];
    int32_t links;
};

struct gpu_topology {
    struct wires wires;
    int32_t *home; /* [links] the GPU beside which a link is simulated */
    int32_t gpus, gpus_per_node, nodes;
    int32_t gpus_per_leaf, leaves, spines; /* a leaf of a rail: one GPU a node */
    bool rail_optimised;
    int32_t leaves_per_rail;
    struct gpu_path (*route)(const struct gpu_topology *topology, int32_t from, int32_t to);
};

/* GPUs of a node meet in one switch; each has a NIC on a leaf; leaves meet in spines, of which
 * there are as many as a leaf has links up: leaf_ports / oversubscription. Latency of a link
 * includes the switch at its end. */
struct gpu_topology gpu_topology_fat_tree(const struct gpu_cluster_spec *spec);

/* `gpus` GPUs in a ring, wire i from GPU i to GPU i + 1; only neighbours can talk. */
struct gpu_topology gpu_topology_ring(int32_t gpus, int64_t bytes_per_s, int64_t latency_ps);

void gpu_topology_release(struct gpu_topology *topology);

/* A path between two different GPUs: always the same for the same pair. links 0: there is none. */
struct gpu_path gpu_topology_path(const struct gpu_topology *topology, int32_t from, int32_t to);

/* GPUs first, first + stride, ... that alone send over a link, or to which alone it leads. */
struct gpu_users {
    int32_t first, stride, count;
    bool send;
};

/* Of a link of a fat tree. */
struct gpu_users gpu_topology_users(const struct gpu_topology *topology, int32_t link);

/* "gpu 3", "nvswitch 0", "nic 3", "leaf 0", "spine 1": what a wire's endpoint is. */
void gpu_topology_endpoint_name(const struct gpu_topology *topology, int32_t endpoint, char *text,
                                size_t bytes);

#endif
