/* SPDX-License-Identifier: BSD-3-Clause */
/* Measures the distances of an LPU rack, and finds out whether it is wired as it should be. */
#include <string.h>

#include "base/memory.h"
#include "interconnect/lpu_topology.h"

void lpu_topology_distances(const struct lpu_topology *topology, int32_t chip, int32_t *hops)
{
    int32_t *queue = base_alloc((size_t)topology->chips, sizeof *queue);
    int32_t head = 0, tail = 0;
    for (int32_t i = 0; i < topology->chips; i++)
        hops[i] = -1;
    hops[chip] = 0;
    queue[tail++] = chip;
    while (head < tail) {
        int32_t at = queue[head++];
        for (int32_t link = 0; link < topology->links; link++) {
            int32_t next = topology->peer[at * topology->links + link].chip;
            if (next >= 0 && hops[next] < 0) {
                hops[next] = hops[at] + 1;
                queue[tail++] = next;
            }
        }
    }
    base_free(queue);
}

/* Returns the sum of all distances; *greatest is their maximum. */
static int64_t measure(const struct lpu_topology *topology, int32_t *greatest)
{
    int32_t *hops = base_alloc((size_t)topology->chips, sizeof *hops);
    int64_t sum = 0;
    *greatest = 0;
    for (int32_t from = 0; from < topology->chips; from++) {
        lpu_topology_distances(topology, from, hops);
        for (int32_t to = 0; to < topology->chips; to++) {
            sum += hops[to];
            *greatest = hops[to] > *greatest ? hops[to] : *greatest;
        }
    }
    base_free(hops);
    return sum;
}

int32_t lpu_topology_diameter(const struct lpu_topology *topology)
{
    int32_t greatest = 0;
    measure(topology, &greatest);
    return greatest;
}

double lpu_topology_mean_distance(const struct lpu_topology *topology)
{
    int32_t greatest = 0;
    int64_t pairs = (int64_t)topology->chips * (topology->chips - 1);
    return pairs ? (double)measure(topology, &greatest) / (double)pairs : 0.0;
}

/* Both ends name each other, and local links stay in their node. */
static bool end_is_valid(const struct lpu_topology *t, int32_t chip, int32_t link)
{
    struct lpu_port far = lpu_topology_peer(t, chip, link);
    if (far.chip < 0)
        return true;
    struct lpu_port back = lpu_topology_peer(t, far.chip, far.link);
    bool same_node = far.chip / t->chips_per_node == chip / t->chips_per_node;
    return far.chip != chip && back.chip == chip && back.link == link &&
           same_node == (link < t->local_links);
}

/* Cables of `node` to each node of its own rack and to each rack; its own entries: inside itself,
 * and inside its rack. */
static void count_cables(const struct lpu_topology *t, int32_t node, int32_t *to_node,
                         int32_t *to_rack)
{
    memset(to_node, 0, (size_t)t->nodes_per_rack * sizeof *to_node);
    for (int32_t i = 0; i < t->chips_per_node * t->links; i++) {
        int32_t far = t->peer[node * t->chips_per_node * t->links + i].chip;
        if (far < 0)
            continue;
        int32_t other = far / t->chips_per_node, rack = other / t->nodes_per_rack;
        to_rack[rack]++;
        if (rack == node / t->nodes_per_rack)
            to_node[other % t->nodes_per_rack]++;
    }
}

static bool nodes_are_joined(const struct lpu_topology *t, int32_t node, const int32_t *to_node)
{
    int32_t m = t->chips_per_node;
    for (int32_t other = 0; other < t->nodes_per_rack; other++)
        if (to_node[other] !=
            (other == node % t->nodes_per_rack ? m * (m - 1) : t->cables_per_node_pair))
            return false;
    return true;
}

/* Every node of `rack` to every other as often as it should be, and the rack to every other. */
static bool rack_is_joined(const struct lpu_topology *t, int32_t rack)
{
    int32_t *to_node = base_alloc((size_t)t->nodes_per_rack, sizeof *to_node);
    int32_t *to_rack = base_alloc((size_t)t->racks, sizeof *to_rack);
    bool joined = true;
    for (int32_t n = 0; n < t->nodes_per_rack; n++) {
        count_cables(t, rack * t->nodes_per_rack + n, to_node, to_rack);
        joined = nodes_are_joined(t, rack * t->nodes_per_rack + n, to_node) && joined;
    }
    for (int32_t other = 0; other < t->racks; other++)
        joined = joined && (other == rack || to_rack[other] == t->cables_per_rack_pair);
    base_free(to_node);
    base_free(to_rack);
    return joined;
}

bool lpu_topology_is_valid(const struct lpu_topology *topology)
{
    if (topology->chips < 1 || topology->nodes != topology->racks * topology->nodes_per_rack ||
        topology->chips != topology->nodes * topology->chips_per_node)
        return false;
    for (int32_t chip = 0; chip < topology->chips; chip++)
        for (int32_t link = 0; link < topology->links; link++)
            if (!end_is_valid(topology, chip, link))
                return false;
    for (int32_t rack = 0; rack < topology->racks; rack++)
        if (!rack_is_joined(topology, rack))
            return false;
    return true;
}
