/* SPDX-License-Identifier: BSD-3-Clause */
/* Which link of which LPU chip is wired to which: meshed nodes, joined pairwise by cables.
 *
 * Chips are numbered node * chips_per_node + place. Local links come first: the chip at place p
 * reaches the chip at place q of its node by link q < p ? q : q - 1. Global links follow. Counting
 * the other nodes of node a as 0..nodes-2, cable k to other node r ends at global port
 * r * cables + k of a, which is chip port % chips_per_node, its global link port / chips_per_node:
 * parallel cables end at different chips, and every chip carries the same number of cables, give or
 * take one. */
#ifndef INTERCONNECT_LPU_TOPOLOGY_H
#define INTERCONNECT_LPU_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"
#include "base/status.h"
#include "interconnect/wires.h"

/* Nodes that one fully connected group may have: 8 chips x 4 global links reach 32 others. */
enum { LPU_TOPOLOGY_MAX_NODES = 33 };

/* One end of a cable; chip < 0: nothing is plugged in. */
struct lpu_port {
    int32_t chip, link;
};

/* Both ends of a cable; `a` belongs to the node that was named first. */
struct lpu_cable {
    struct lpu_port a, b;
};

struct lpu_topology {
    int32_t nodes, chips_per_node, chips;
    int32_t local_links, links; /* of one chip; links counts local and global */
    int32_t cables_per_node_pair;
    struct lpu_port *peer; /* [chip * links + link], owned */
};

/* Lays the cables of the whole rack. False, with the faults in `report` and nothing to release,
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

/* Cables between two different nodes into `cable` (room for cables_per_node_pair). Returns how
 * many. */
int32_t lpu_topology_cables(const struct lpu_topology *topology, int32_t node_a, int32_t node_b,
                            struct lpu_cable *cable);

/* Fewest hops from `chip` to every chip, by breadth-first search, into `hops` (`chips` entries); -1
 * where there is no way. */
void lpu_topology_distances(const struct lpu_topology *topology, int32_t chip, int32_t *hops);

/* Greatest and mean hop distance over all ordered pairs of different chips; both 0 for one chip. */
int32_t lpu_topology_diameter(const struct lpu_topology *topology);
double lpu_topology_mean_distance(const struct lpu_topology *topology);

/* Both ends of every cable name each other, nobody is plugged into himself, every pair of chips of
 * a node and every pair of nodes is joined as often as it should be. */
bool lpu_topology_is_valid(const struct lpu_topology *topology);

/* Every direction of every cable as a wire, by chip and link; latency in cycles. Release with
 * base_free(wires.wire). */
struct wires lpu_topology_wires(const struct lpu_topology *topology, const struct lpu_chip *chip);

#endif
