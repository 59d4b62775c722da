/* SPDX-License-Identifier: BSD-3-Clause */
/* Which link of which LPU chip is wired to which: meshed nodes, joined pairwise by cables to a
 * rack, and racks joined pairwise as the groups of a Dragonfly.
 *
 * Chips are numbered node * chips_per_node + place, nodes rack * nodes_per_rack + place. Local
 * links come first: the chip at place p reaches the chip at place q of its node by link
 * q < p ? q : q - 1. Global links follow; global port i of a node is its chip i % chips_per_node,
 * global link i / chips_per_node, so that parallel cables end at different chips and every chip
 * carries as many as the next, give or take one.
 *
 * Inside a rack: counting the other nodes of node a as 0..nodes_per_rack-2, cable k to other node r
 * ends at global port r * cables_per_node_pair + k of a. The ports that are left lead outside; with
 * n nodes a rack, outside port o of a rack is on node n - 1 - o % n, the next of its ports.
 * Between racks: of R racks with P outside ports and C = floor(P / (R - 1)) cables a pair, port o
 * leads 1 + o / C racks ahead (cyclically), to port P - 1 - o there, for o < C * ((R - 1) / 2). If
 * R is even, the next C ports lead to the rack R / 2 away, the first of them to its last. So the
 * last node of every rack is joined to the first node of the next rack, and chips that follow each
 * other are near each other. */
#ifndef INTERCONNECT_LPU_TOPOLOGY_H
#define INTERCONNECT_LPU_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"
#include "base/status.h"
#include "interconnect/wires.h"

/* Nodes that one fully connected group may have: 8 chips x 4 global links reach 32 others. */
enum { LPU_TOPOLOGY_MAX_NODES = 33 };

/* Racks that the 144 outside ports of a 9-node rack reach, itself included. */
enum { LPU_TOPOLOGY_MAX_RACKS = 145 };

/* One end of a cable; chip < 0: nothing is plugged in. */
struct lpu_port {
    int32_t chip, link;
};

/* Both ends of a cable; `a` belongs to the node that was named first. */
struct lpu_cable {
    struct lpu_port a, b;
};

struct lpu_topology {
    int32_t racks, nodes_per_rack, chips_per_node;
    int32_t nodes, chips;                        /* of all racks */
    int32_t local_links, links;                  /* of one chip; links counts local and global */
    int32_t cables_per_node_pair;                /* of two nodes of a rack */
    int32_t cables_per_rack_pair, outside_ports; /* of a rack; 0 where there is one rack only */
    struct lpu_port *peer;                       /* [chip * links + link], owned */
};

/* Lays the cables of all racks. False, with the faults in `report` and nothing to release,
 * where the chips have too few links. */
bool lpu_topology_build(struct lpu_topology *topology, const struct lpu_rack *rack,
                        const struct lpu_chip *chip, struct base_report *report);

void lpu_topology_release(struct lpu_topology *topology);

/* The other end of a link; chip -1 where there is none or the arguments name no link. */
struct lpu_port lpu_topology_peer(const struct lpu_topology *topology, int32_t chip, int32_t link);

/* Links of chip `from` that end at chip `to`, ascending, into `links` (room for all links of a
 * chip). Returns how many. */
int32_t lpu_topology_direct_links(const struct lpu_topology *topology, int32_t from, int32_t to,
                                  int32_t *links);

/* Cables between two different nodes into `cable` (room for all global links of a node). Returns
 * how many. */
int32_t lpu_topology_cables(const struct lpu_topology *topology, int32_t node_a, int32_t node_b,
                            struct lpu_cable *cable);

/* Fewest hops from `chip` to every chip, by breadth-first search, into `hops` (`chips` entries); -1
 * where there is no way. */
void lpu_topology_distances(const struct lpu_topology *topology, int32_t chip, int32_t *hops);

/* Greatest and mean hop distance over all ordered pairs of different chips; both 0 for one chip. */
int32_t lpu_topology_diameter(const struct lpu_topology *topology);
double lpu_topology_mean_distance(const struct lpu_topology *topology);

/* Both ends of every cable name each other, nobody is plugged into himself, every pair of chips of
 * a node, of nodes of a rack, and of racks is joined as often as it should be. */
bool lpu_topology_is_valid(const struct lpu_topology *topology);

/* Every direction of every cable as a wire, by chip and link; latency in cycles. Release with
 * base_free(wires.wire). */
struct wires lpu_topology_wires(const struct lpu_topology *topology, const struct lpu_chip *chip);

#endif
