/* SPDX-License-Identifier: BSD-3-Clause */
/* Lays and measures the cables of an LPU rack. */
#include "interconnect/lpu_topology.h"

#include "base/memory.h"

static const struct lpu_port unplugged = {-1, -1};

static int32_t node_ports(const struct lpu_rack *rack, const struct lpu_chip *chip)
{
    return rack->chips_per_node * chip->c2c_global_links;
}

static int32_t cables_of(const struct lpu_rack *rack, const struct lpu_chip *chip)
{
    if (rack->nodes < 2)
        return 0;
    if (rack->cables_per_node_pair > 0)
        return rack->cables_per_node_pair;
    return node_ports(rack, chip) / (rack->nodes - 1);
}

/* Global ports of a node that no cable inside its rack takes. */
static int32_t outside_ports(const struct lpu_rack *rack, const struct lpu_chip *chip)
{
    return node_ports(rack, chip) - cables_of(rack, chip) * (rack->nodes - 1);
}

static int32_t racks_of(const struct lpu_rack *rack)
{
    return rack->racks > 1 ? rack->racks : 1;
}

static bool has_sizes(const struct lpu_rack *rack, const struct lpu_chip *chip,
                      struct base_report *report)
{
    size_t before = report->count;
    if (rack->nodes < 1 || rack->nodes > LPU_TOPOLOGY_MAX_NODES)
        base_report_add(report, NULL, 0, "a rack has 1 to %d nodes, not %d", LPU_TOPOLOGY_MAX_NODES,
                        rack->nodes);
    if (rack->racks < 0 || rack->racks > LPU_TOPOLOGY_MAX_RACKS)
        base_report_add(report, NULL, 0, "there are 1 to %d racks, not %d", LPU_TOPOLOGY_MAX_RACKS,
                        rack->racks);
    if (chip->c2c_local_links < 0 || chip->c2c_local_links > 1024 || chip->c2c_global_links < 0 ||
        chip->c2c_global_links > 1024)
        base_report_add(report, NULL, 0, "a chip has 0 to 1024 links of a kind, not %d and %d",
                        chip->c2c_local_links, chip->c2c_global_links);
    else if (rack->chips_per_node < 1 || rack->chips_per_node > chip->c2c_local_links + 1)
        base_report_add(report, NULL, 0, "%d local links mesh nodes of 1 to %d chips, not %d",
                        chip->c2c_local_links, chip->c2c_local_links + 1, rack->chips_per_node);
    return report->count == before;
}

static bool has_ports_inside(const struct lpu_rack *rack, const struct lpu_chip *chip,
                             struct base_report *report)
{
    int64_t cables = cables_of(rack, chip), ends = cables * (rack->nodes - 1);
    if (rack->nodes < 2 || (cables > 0 && ends <= node_ports(rack, chip)))
        return true;
    base_report_add(report, NULL, 0,
                    "%d nodes with %d cables between any two need %lld global links a node; its "
                    "chips have %d",
                    rack->nodes, (int)(cables > 0 ? cables : 1),
                    (long long)(cables > 0 ? ends : rack->nodes - 1), node_ports(rack, chip));
    return false;
}

static bool has_ports_outside(const struct lpu_rack *rack, const struct lpu_chip *chip,
                              struct base_report *report)
{
    int32_t ports = rack->nodes * outside_ports(rack, chip);
    if (racks_of(rack) - 1 <= ports)
        return true;
    base_report_add(report, NULL, 0,
                    "%d racks need %d global links a rack to the others; the cables inside leave "
                    "%d",
                    rack->racks, rack->racks - 1, ports);
    return false;
}

static struct lpu_port local_peer(const struct lpu_topology *t, int32_t chip, int32_t link)
{
    int32_t place = chip % t->chips_per_node, other = link < place ? link : link + 1;
    if (other >= t->chips_per_node)
        return unplugged;
    return (struct lpu_port){chip - place + other, place < other ? place : place - 1};
}

/* Global port `port` of a node. */
static struct lpu_port port_of_node(const struct lpu_topology *t, int32_t node, int32_t port)
{
    return (struct lpu_port){node * t->chips_per_node + port % t->chips_per_node,
                             t->local_links + port / t->chips_per_node};
}

/* What a port inside the rack is joined to. */
static struct lpu_port inside_peer(const struct lpu_topology *t, int32_t node, int32_t port)
{
    int32_t cables = t->cables_per_node_pair, place = node % t->nodes_per_rack;
    int32_t rank = port / cables, other = rank < place ? rank : rank + 1;
    int32_t back = place < other ? place : place - 1;
    return port_of_node(t, node - place + other, back * cables + port % cables);
}

static int32_t inside_ports(const struct lpu_topology *t)
{
    return t->cables_per_node_pair * (t->nodes_per_rack - 1);
}

static struct lpu_port port_of_rack(const struct lpu_topology *t, int32_t rack, int32_t port)
{
    int32_t n = t->nodes_per_rack;
    return port_of_node(t, rack * n + n - 1 - port % n, inside_ports(t) + port / n);
}

/* What outside port `port` of a rack is joined to. */
static struct lpu_port outside_peer(const struct lpu_topology *t, int32_t rack, int32_t port)
{
    int32_t cables = t->cables_per_rack_pair, ahead = (t->racks - 1) / 2 * cables;
    int32_t mirror = t->outside_ports - 1 - port;
    if (t->racks < 2)
        return unplugged;
    if (port < ahead)
        return port_of_rack(t, (rack + 1 + port / cables) % t->racks, mirror);
    if (mirror < ahead)
        return port_of_rack(t, (rack + t->racks - 1 - mirror / cables) % t->racks, mirror);
    if (t->racks % 2 == 0 && port < ahead + cables)
        return port_of_rack(t, (rack + t->racks / 2) % t->racks, 2 * ahead + cables - 1 - port);
    return unplugged;
}

static struct lpu_port global_peer(const struct lpu_topology *t, int32_t chip, int32_t link)
{
    int32_t node = chip / t->chips_per_node, n = t->nodes_per_rack;
    int32_t port = (link - t->local_links) * t->chips_per_node + chip % t->chips_per_node;
    if (port < inside_ports(t))
        return inside_peer(t, node, port);
    int32_t outside = (port - inside_ports(t)) * n + n - 1 - node % n;
    return outside_peer(t, node / n, outside);
}

static void set_sizes(struct lpu_topology *t, const struct lpu_rack *rack,
                      const struct lpu_chip *chip)
{
    t->racks = racks_of(rack);
    t->nodes_per_rack = rack->nodes;
    t->nodes = t->racks * rack->nodes;
    t->chips_per_node = rack->chips_per_node;
    t->chips = t->nodes * rack->chips_per_node;
    t->local_links = chip->c2c_local_links;
    t->links = chip->c2c_local_links + chip->c2c_global_links;
    t->cables_per_node_pair = cables_of(rack, chip);
    t->outside_ports = t->racks > 1 ? rack->nodes * outside_ports(rack, chip) : 0;
    t->cables_per_rack_pair = t->racks > 1 ? t->outside_ports / (t->racks - 1) : 0;
}

bool lpu_topology_build(struct lpu_topology *topology, const struct lpu_rack *rack,
                        const struct lpu_chip *chip, struct base_report *report)
{
    *topology = (struct lpu_topology){0};
    if (!has_sizes(rack, chip, report) || !has_ports_inside(rack, chip, report) ||
        !has_ports_outside(rack, chip, report))
        return false;
    set_sizes(topology, rack, chip);
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
    int32_t count = 0, m = topology->chips_per_node;
    for (int32_t chip = node_a * m; chip < (node_a + 1) * m; chip++)
        for (int32_t link = topology->local_links; link < topology->links; link++) {
            struct lpu_port far = lpu_topology_peer(topology, chip, link);
            if (far.chip >= 0 && far.chip / m == node_b)
                cable[count++] = (struct lpu_cable){{chip, link}, far};
        }
    return count;
}

struct wires lpu_topology_wires(const struct lpu_topology *topology, const struct lpu_chip *chip)
{
    int32_t ends = topology->chips * topology->links;
    struct wires wires = {base_alloc((size_t)ends, sizeof *wires.wire), 0};
    for (int32_t i = 0; i < ends; i++)
        if (topology->peer[i].chip >= 0)
            wires.wire[wires.count++] =
                (struct wire){i / topology->links, topology->peer[i].chip, chip->c2c_hop_cycles,
                              chip->c2c_bits_per_s / 8, 0};
    return wires;
}
