/* SPDX-License-Identifier: BSD-3-Clause */
/* GPU clusters as wires: numbering of links and endpoints, and the path of a pair. */
#include "interconnect/gpu_topology.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"

/* Links of a fat tree by number: blocks of one link a GPU, then one a (leaf, spine) pair. */
enum block { NVLINK_OUT, NVLINK_IN, NIC_OUT, NIC_IN, PORT_BLOCKS };

/* Endpoints by number: GPUs, node switches, NICs, leaves, spines. */
static int32_t first_switch(const struct gpu_topology *t)
{
    return t->gpus;
}

static int32_t first_nic(const struct gpu_topology *t)
{
    return first_switch(t) + t->nodes;
}

static int32_t first_leaf(const struct gpu_topology *t)
{
    return first_nic(t) + t->gpus;
}

static int32_t first_spine(const struct gpu_topology *t)
{
    return first_leaf(t) + t->leaves;
}

static int32_t port_link(const struct gpu_topology *t, enum block block, int32_t gpu)
{
    return (int32_t)block * t->gpus + gpu;
}

static int32_t up_link(const struct gpu_topology *t, int32_t leaf, int32_t spine)
{
    return PORT_BLOCKS * t->gpus + leaf * t->spines + spine;
}

static int32_t down_link(const struct gpu_topology *t, int32_t leaf, int32_t spine)
{
    return up_link(t, t->leaves, 0) + leaf * t->spines + spine;
}

/* Spreads pairs over spines as static routing does: a hash of the pair, blind to load. */
static int32_t spine_of(const struct gpu_topology *t, int32_t from, int32_t to)
{
    uint32_t hash = (uint32_t)from * UINT32_C(2654435761) ^ (uint32_t)to * UINT32_C(2246822519);
    hash ^= hash >> 15;
    hash *= UINT32_C(3266489917);
    hash ^= hash >> 13;
    return (int32_t)(hash % (uint32_t)t->spines);
}

/* By node, or by place in the node: a rail for each place, its leaves one after the other. */
static int32_t leaf_of(const struct gpu_topology *t, int32_t gpu)
{
    if (!t->rail_optimised) {
        return gpu / t->gpus_per_leaf;
    }
    int32_t node = gpu / t->gpus_per_node, rail = gpu % t->gpus_per_node;
    return rail * t->leaves_per_rail + node / t->gpus_per_leaf;
}

static struct gpu_path fat_tree_route(const struct gpu_topology *t, int32_t from, int32_t to)
{
    if (from / t->gpus_per_node == to / t->gpus_per_node) {
        return (struct gpu_path){{port_link(t, NVLINK_OUT, from), port_link(t, NVLINK_IN, to)}, 2};
    }
    int32_t out = port_link(t, NIC_OUT, from), in = port_link(t, NIC_IN, to);
    int32_t leaf = leaf_of(t, from), last = leaf_of(t, to);
    if (leaf == last) {
        return (struct gpu_path){{out, in}, 2};
    }
    int32_t spine = spine_of(t, from, to);
    return (struct gpu_path){{out, up_link(t, leaf, spine), down_link(t, last, spine), in}, 4};
}

static void lay(struct gpu_topology *t, int32_t link, struct wire wire, int32_t home)
{
    t->wires.wire[link] = wire;
    t->home[link] = home;
}

/* A share of a rate; 0 stands for all of it. */
static int64_t share_of(int64_t rate, double share)
{
    return share > 0 ? llround((double)rate * share) : rate;
}

static int64_t port_rate(const struct gpu_cluster_spec *spec, int32_t gpu, int64_t rate,
                         double efficiency)
{
    int64_t healthy = share_of(rate, efficiency);
    return spec->degraded_share > 0 && gpu == spec->degraded_gpu
               ? share_of(healthy, spec->degraded_share)
               : healthy;
}

static void lay_ports(struct gpu_topology *t, const struct gpu_cluster_spec *spec, int32_t gpu)
{
    int32_t node = first_switch(t) + gpu / t->gpus_per_node;
    int32_t nic = first_nic(t) + gpu, leaf = first_leaf(t) + leaf_of(t, gpu);
    int64_t nvlink = port_rate(spec, gpu, spec->nvlink_bytes_per_s, 1.0);
    int64_t rate = port_rate(spec, gpu, spec->nic_bytes_per_s, spec->nic_efficiency);
    int64_t near = spec->nic_latency_ps, hop = spec->switch_latency_ps;
    lay(t, port_link(t, NVLINK_OUT, gpu),
        (struct wire){gpu, node, spec->nvlink_latency_ps, nvlink, 0}, gpu);
    lay(t, port_link(t, NVLINK_IN, gpu), (struct wire){node, gpu, 0, nvlink, 0}, gpu);
    lay(t, port_link(t, NIC_OUT, gpu),
        (struct wire){nic, leaf, near + hop, rate, spec->nic_message_ps}, gpu);
    lay(t, port_link(t, NIC_IN, gpu), (struct wire){leaf, nic, near, rate, 0}, gpu);
}

static int32_t first_gpu_of(const struct gpu_topology *t, int32_t leaf)
{
    if (!t->rail_optimised) {
        return leaf * t->gpus_per_leaf;
    }
    int32_t node = leaf % t->leaves_per_rail * t->gpus_per_leaf;
    return node * t->gpus_per_node + leaf / t->leaves_per_rail;
}

static void lay_trunks(struct gpu_topology *t, const struct gpu_cluster_spec *spec, int32_t leaf)
{
    int32_t home = first_gpu_of(t, leaf), here = first_leaf(t) + leaf;
    for (int32_t s = 0; s < t->spines; s++) {
        int32_t spine = first_spine(t) + s;
        int64_t rate = share_of(spec->nic_bytes_per_s, spec->nic_efficiency);
        struct wire up = {here, spine, spec->switch_latency_ps, rate, 0};
        struct wire down = {spine, here, spec->switch_latency_ps, rate, 0};
        lay(t, up_link(t, leaf, s), up, home);
        lay(t, down_link(t, leaf, s), down, home);
    }
}

static void allocate(struct gpu_topology *t, int32_t links)
{
    t->wires.count = links;
    t->wires.wire = base_alloc((size_t)links, sizeof *t->wires.wire);
    t->home = base_alloc((size_t)links, sizeof *t->home);
}

static int32_t at_least_one(int32_t value)
{
    return value > 1 ? value : 1;
}

/* Leaves of NICs in a row, or for each rail those that its NICs, one a node, fill. */
static void set_leaves(struct gpu_topology *t, const struct gpu_cluster_spec *spec)
{
    int32_t in_row = spec->rail_optimised ? t->nodes : t->gpus, ports = spec->leaf_ports;
    t->rail_optimised = spec->rail_optimised;
    t->gpus_per_leaf = ports > 0 && ports < in_row ? ports : in_row;
    t->leaves_per_rail = (in_row + t->gpus_per_leaf - 1) / t->gpus_per_leaf;
    t->leaves = t->leaves_per_rail * (spec->rail_optimised ? t->gpus_per_node : 1);
    double factor = spec->oversubscription > 0 ? spec->oversubscription : 1.0;
    t->spines = t->leaves > 1 ? at_least_one((int32_t)lround(t->gpus_per_leaf / factor)) : 0;
}

struct gpu_topology gpu_topology_fat_tree(const struct gpu_cluster_spec *spec)
{
    int32_t gpus = spec->nodes * spec->gpus_per_node;
    struct gpu_topology t = {.gpus = gpus,
                             .gpus_per_node = spec->gpus_per_node,
                             .nodes = spec->nodes,
                             .route = fat_tree_route};
    set_leaves(&t, spec);
    allocate(&t, PORT_BLOCKS * gpus + 2 * t.leaves * t.spines);
    for (int32_t gpu = 0; gpu < gpus; gpu++) {
        lay_ports(&t, spec, gpu);
    }
    for (int32_t leaf = 0; leaf < t.leaves; leaf++) {
        lay_trunks(&t, spec, leaf);
    }
    return t;
}

static struct gpu_path ring_route(const struct gpu_topology *t, int32_t from, int32_t to)
{
    bool adjacent = (from + 1) % t->gpus == to;
    return (struct gpu_path){{from}, adjacent ? 1 : 0};
}

struct gpu_topology gpu_topology_ring(int32_t gpus, int64_t bytes_per_s, int64_t latency_ps)
{
    struct gpu_topology t = {.gpus = gpus,
                             .gpus_per_node = 1,
                             .nodes = gpus,
                             .gpus_per_leaf = gpus,
                             .route = ring_route};
    allocate(&t, gpus);
    for (int32_t gpu = 0; gpu < gpus; gpu++) {
        lay(&t, gpu, (struct wire){gpu, (gpu + 1) % gpus, latency_ps, bytes_per_s, 0}, gpu);
    }
    return t;
}

void gpu_topology_release(struct gpu_topology *topology)
{
    base_free(topology->wires.wire);
    base_free(topology->home);
    *topology = (struct gpu_topology){0};
}

struct gpu_path gpu_topology_path(const struct gpu_topology *topology, int32_t from, int32_t to)
{
    return topology->route(topology, from, to);
}

/* Those whose NICs are on a leaf; the last leaf of a rail may be part full. */
static struct gpu_users users_of_leaf(const struct gpu_topology *t, int32_t leaf)
{
    int32_t first = first_gpu_of(t, leaf), stride = t->rail_optimised ? t->gpus_per_node : 1;
    int32_t count = (t->gpus - first + stride - 1) / stride;
    return (struct gpu_users){first, stride, count < t->gpus_per_leaf ? count : t->gpus_per_leaf,
                              true};
}

struct gpu_users gpu_topology_users(const struct gpu_topology *topology, int32_t link)
{
    const struct gpu_topology *t = topology;
    int32_t ports = PORT_BLOCKS * t->gpus;
    if (link < ports) {
        bool send = link / t->gpus == NVLINK_OUT || link / t->gpus == NIC_OUT;
        return (struct gpu_users){link % t->gpus, 1, 1, send};
    }
    int32_t trunk = (link - ports) / t->spines;
    struct gpu_users users = users_of_leaf(t, trunk % t->leaves);
    users.send = trunk < t->leaves;
    return users;
}

void gpu_topology_endpoint_name(const struct gpu_topology *topology, int32_t endpoint, char *text,
                                size_t bytes)
{
    const struct {
        const char *name;
        int32_t first;
    } kind[] = {{"spine", first_spine(topology)},
                {"leaf", first_leaf(topology)},
                {"nic", first_nic(topology)},
                {"nvswitch", first_switch(topology)},
                {"gpu", 0}};
    size_t k = 0;
    while (endpoint < kind[k].first) {
        k++;
    }
    snprintf(text, bytes, "%s %d", kind[k].name, (int)(endpoint - kind[k].first));
}
