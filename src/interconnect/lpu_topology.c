/* SPDX-License-Identifier: BSD-3-Clause */
/* Lays and measures the cables of an LPU rack. */
#include "interconnect/lpu_topology.h"

#include "base/memory.h"

static const struct lpu_port unplugged = {-1, -1};

static int32_t cables_of(const struct lpu_rack *rack, const struct lpu_chip *chip)
{
    if (rack->nodes < 2)
        return 0;
    if (rack->cables_per_node_pair > 0)
        return rack->cables_per_node_pair;
    return rack->chips_per_node * chip->c2c_global_links / (rack->nodes - 1);
}

static bool has_sizes(const struct lpu_rack *rack, const struct lpu_chip *chip,
                      struct base_report *report)
{
    size_t before = report->count;
    if (rack->nodes < 1 || rack->nodes > LPU_TOPOLOGY_MAX_NODES)
        base_report_add(report, NULL, 0, "a rack has 1 to %d nodes, not %d", LPU_TOPOLOGY_MAX_NODES,
                        rack->nodes);
    if (chip->c2c_local_links < 0 || chip->c2c_local_links > 1024 || chip->c2c_global_links < 0 ||
        chip->c2c_global_links > 1024)
        base_report_add(report, NULL, 0, "a chip has 0 to 1024 links of a kind, not %d and %d",
                        chip->c2c_local_links, chip->c2c_global_links);
    else if (rack->chips_per_node < 1 || rack->chips_per_node > chip->c2c_local_links + 1)
        base_report_add(report, NULL, 0, "%d local links mesh nodes of 1 to %d chips, not %d",
                        chip->c2c_local_links, chip->c2c_local_links + 1, rack->chips_per_node);
    return report->count == before;
}

static bool has_ports(const struct lpu_rack *rack, const struct lpu_chip *chip,
                      struct base_report *report)
{
    int64_t ports = (int64_t)rack->chips_per_node * chip->c2c_global_links;
    int64_t cables = cables_of(rack, chip), ends = cables * (rack->nodes - 1);
    if (rack->nodes < 2 || (cables > 0 && ends <= ports))
        return true;
    base_report_add(report, NULL, 0,
                    "%d nodes with %d cables between any two need %lld global links a node; its "
                    "chips have %lld",
                    rack->nodes, (int)(cables > 0 ? cables : 1),
                    (long long)(cables > 0 ? ends : rack->nodes - 1), (long long)ports);
    return false;
}

static struct lpu_port local_peer(const struct lpu_topology *t, int32_t chip, int32_t link)
{
    int32_t place = chip % t->chips_per_node, other = link < place ? link : link + 1;
    if (other >= t->chips_per_node)
        return unplugged;
    return (struct lpu_port){chip - place + other, place < other ? place : place - 1};
}

static struct lpu_port port_of_cable(const struct lpu_topology *t, int32_t node, int32_t other,
                                     int32_t k)
{
    int32_t rank = other < node ? other : other - 1;
    int32_t port = rank * t->cables_per_node_pair + k;
    return (struct lpu_port){node * t->chips_per_node + port % t->chips_per_node,
                             t->local_links + port / t->chips_per_node};
}

static struct lpu_port global_peer(const struct lpu_topology *t, int32_t chip, int32_t link)
{
    int32_t node = chip / t->chips_per_node;
    int32_t port = (link - t->local_links) * t->chips_per_node + chip % t->chips_per_node;
    if (port >= t->cables_per_node_pair * (t->nodes - 1))
        return unplugged;
    int32_t rank = port / t->cables_per_node_pair, other = rank < node ? rank : rank + 1;
    return port_of_cable(t, other, node, port % t->cables_per_node_pair);
}

bool lpu_topology_build(struct lpu_topology *topology, const struct lpu_rack *rack,
                        const struct lpu_chip *chip, struct base_report *report)
{
    *topology = (struct lpu_topology){0};
    if (!has_sizes(rack, chip, report) || !has_ports(rack, chip, report))
        return false;
    topology->nodes = rack->nodes;
    topology->chips_per_node = rack->chips_per_node;
    topology->chips = rack->nodes * rack->chips_per_node;
    topology->local_links = chip->c2c_local_links;
    topology->links = chip->c2c_local_links + chip->c2c_global_links;
    topology->cables_per_node_pair = cables_of(rack, chip);
    int32_t ends = topology->chips * topology->links;
    topology->peer = base_alloc((size_t)ends, sizeof *topology->peer);
    for (int32_t i = 0; i < ends; i++) {
        int32_t from = i / topology->links, link = i % topology->links;
        topology->peer[i] = link < topology->local_links ? local_peer(topology, from, link)
                                                         : global_peer(topology, from, link);
    }
    return true;
}

void lpu_topology_release(struct lpu_topology *topology)
{
    base_free(topology->peer);
    *topology = (struct lpu_topology){0};
}

struct lpu_port lpu_topology_peer(const struct lpu_topology *topology, int32_t chip, int32_t link)
{
    if (chip < 0 || chip >= topology->chips || link < 0 || link >= topology->links)
        return unplugged;
    return topology->peer[chip * topology->links + link];
}

int32_t lpu_topology_direct_links(const struct lpu_topology *topology, int32_t from, int32_t to,
                                  int32_t *links)
{
    int32_t count = 0;
    for (int32_t link = 0; link < topology->links; link++)
        if (to >= 0 && lpu_topology_peer(topology, from, link).chip == to)
            links[count++] = link;
    return count;
}

int32_t lpu_topology_cables(const struct lpu_topology *topology, int32_t node_a, int32_t node_b,
                            struct lpu_cable *cable)
{
    if (node_a == node_b)
        return 0;
    for (int32_t k = 0; k < topology->cables_per_node_pair; k++)
        cable[k] = (struct lpu_cable){port_of_cable(topology, node_a, node_b, k),
                                      port_of_cable(topology, node_b, node_a, k)};
    return topology->cables_per_node_pair;
}

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

static int32_t count_cables(const struct lpu_topology *t, int32_t chip, int32_t node)
{
    int32_t count = 0;
    for (int32_t link = 0; link < t->links; link++) {
        int32_t far = lpu_topology_peer(t, chip, link).chip;
        count += far >= 0 && far / t->chips_per_node == node;
    }
    return count;
}

static bool nodes_are_joined(const struct lpu_topology *t, int32_t a, int32_t b)
{
    int32_t count = 0, m = t->chips_per_node;
    for (int32_t place = 0; place < m; place++)
        count += count_cables(t, a * m + place, b);
    return count == (a == b ? m * (m - 1) : t->cables_per_node_pair);
}

bool lpu_topology_is_valid(const struct lpu_topology *topology)
{
    if (topology->chips < 1 || topology->chips != topology->nodes * topology->chips_per_node)
        return false;
    for (int32_t chip = 0; chip < topology->chips; chip++)
        for (int32_t link = 0; link < topology->links; link++)
            if (!end_is_valid(topology, chip, link))
                return false;
    for (int32_t a = 0; a < topology->nodes; a++)
        for (int32_t b = 0; b < topology->nodes; b++)
            if (!nodes_are_joined(topology, a, b))
                return false;
    return true;
}

struct wires lpu_topology_wires(const struct lpu_topology *topology, const struct lpu_chip *chip)
{
    int32_t ends = topology->chips * topology->links;
    struct wires wires = {base_alloc((size_t)ends, sizeof *wires.wire), 0};
    for (int32_t i = 0; i < ends; i++)
        if (topology->peer[i].chip >= 0)
            wires.wire[wires.count++] =
                (struct wire){i / topology->links, topology->peer[i].chip, chip->c2c_hop_cycles,
                              chip->c2c_bits_per_s / 8};
    return wires;
}
