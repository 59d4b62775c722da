/* SPDX-License-Identifier: BSD-3-Clause */
/* Racks are joined pairwise by the ports that their nodes leave free, and neighbours are near.
 *
 * Prints the table of machines of docs/lpu_model.md. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "interconnect/lpu_topology.h"

static const struct lpu_chip chip = {.c2c_local_links = 7, .c2c_global_links = 4};

static struct lpu_topology built(struct lpu_rack rack)
{
    struct lpu_topology topology;
    struct base_report report = {0};
    CU_ASSERT_TRUE_FATAL(lpu_topology_build(&topology, &rack, &chip, &report));
    CU_ASSERT_TRUE(base_report_is_clean(&report));
    return topology;
}

static struct lpu_topology racks_of_nine(int32_t racks)
{
    return built((struct lpu_rack){
        .racks = racks, .nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2});
}

static void every_pair_of_racks_has_an_equal_share_of_144_ports(void)
{
    static const int32_t racks[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 73, 144, 145};
    for (size_t i = 0; i < sizeof racks / sizeof racks[0]; i++) {
        struct lpu_topology t = racks_of_nine(racks[i]);
        CU_ASSERT_TRUE(lpu_topology_is_valid(&t));
        CU_ASSERT_EQUAL(t.chips, 72 * racks[i]);
        CU_ASSERT_EQUAL(t.outside_ports, 144);
        CU_ASSERT_EQUAL(t.cables_per_rack_pair, 144 / (racks[i] - 1));
        lpu_topology_release(&t);
    }
}

/* Ends of cables that leave the rack, by node of rack 0. */
static void count_outside(const struct lpu_topology *t, int32_t *ends)
{
    for (int32_t c = 0; c < t->nodes_per_rack * t->chips_per_node; c++)
        for (int32_t link = t->local_links; link < t->links; link++) {
            int32_t far = lpu_topology_peer(t, c, link).chip;
            ends[c / t->chips_per_node] += far >= t->nodes_per_rack * t->chips_per_node;
        }
}

static void nodes_carry_the_cables_between_racks_alike(void)
{
    for (int32_t racks = 2; racks <= 20; racks++) {
        struct lpu_topology t = racks_of_nine(racks);
        int32_t ends[9] = {0}, all = (racks - 1) * t.cables_per_rack_pair;
        count_outside(&t, ends);
        for (int32_t node = 0; node < 9; node++)
            CU_ASSERT_TRUE(ends[node] >= all / 9 - 1 && ends[node] <= (all + 8) / 9 + 1);
        lpu_topology_release(&t);
    }
}

static void the_last_node_of_a_rack_is_joined_to_the_first_of_the_next(void)
{
    static const int32_t racks[] = {2, 3, 4, 5, 8, 9, 16, 20, 73, 145};
    struct lpu_cable cable[32];
    for (size_t i = 0; i < sizeof racks / sizeof racks[0]; i++) {
        struct lpu_topology t = racks_of_nine(racks[i]);
        for (int32_t r = 0; r < racks[i]; r++)
            CU_ASSERT_TRUE(lpu_topology_cables(&t, 9 * r + 8, 9 * ((r + 1) % racks[i]), cable) >=
                           1);
        lpu_topology_release(&t);
    }
}

/* Distances by relaxing every link until nothing changes: slow, and unlike a search. */
static void relax(const struct lpu_topology *t, int32_t from, int32_t *hops)
{
    bool changed = true;
    for (int32_t c = 0; c < t->chips; c++)
        hops[c] = c == from ? 0 : INT32_MAX - 1;
    while (changed) {
        changed = false;
        for (int32_t i = 0; i < t->chips * t->links; i++) {
            int32_t to = t->peer[i].chip, way = hops[i / t->links] + 1;
            if (to >= 0 && way < hops[to]) {
                hops[to] = way;
                changed = true;
            }
        }
    }
}

static void check_distances(const struct lpu_topology *t, int32_t *greatest, double *mean)
{
    int32_t *hops = base_alloc((size_t)t->chips, sizeof *hops);
    int32_t *searched = base_alloc((size_t)t->chips, sizeof *searched);
    int64_t sum = 0;
    *greatest = 0;
    for (int32_t from = 0; from < t->chips; from++) {
        relax(t, from, hops);
        lpu_topology_distances(t, from, searched);
        CU_ASSERT_EQUAL(memcmp(hops, searched, (size_t)t->chips * sizeof *hops), 0);
        for (int32_t to = 0; to < t->chips; to++) {
            sum += hops[to];
            *greatest = hops[to] > *greatest ? hops[to] : *greatest;
        }
    }
    *mean = (double)sum / ((double)t->chips * (t->chips - 1));
    base_free(hops);
    base_free(searched);
}

/* Machines and what is published of them; 0: nothing. */
static const struct machine {
    const char *name;
    struct lpu_rack rack;
    int32_t chips, diameter;
    double mean;
} machines[] = {
    {"lpu-1x8", {.nodes = 1, .chips_per_node = 8}, 8, 1, 1.0},
    {"lpu-9x8", {.nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2}, 72, 3, 0},
    {"lpu-33x8", {.nodes = 33, .chips_per_node = 8}, 264, 3, 2.69},
    {"lp30-32x8", {.nodes = 32, .chips_per_node = 8, .cables_per_node_pair = 1}, 256, 3, 0},
    {"lpu-8x9x8",
     {.racks = 8, .nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2},
     576,
     0,
     0},
};

static void distances_are_those_of_a_search_and_as_published(void)
{
    printf("\n%-12s %6s %7s %9s %10s\n", "topology", "chips", "cables", "diameter", "mean hops");
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        const struct machine *m = &machines[i];
        struct lpu_topology t = built(m->rack);
        struct wires wires = lpu_topology_wires(&t, &chip);
        int32_t diameter;
        double mean;
        check_distances(&t, &diameter, &mean);
        printf("%-12s %6d %7d %9d %10.2f\n", m->name, t.chips, wires.count / 2, diameter, mean);
        CU_ASSERT_EQUAL(t.chips, m->chips);
        CU_ASSERT_EQUAL(diameter, lpu_topology_diameter(&t));
        CU_ASSERT_EQUAL(mean, lpu_topology_mean_distance(&t));
        CU_ASSERT_TRUE(!m->diameter || m->diameter == diameter);
        CU_ASSERT_TRUE(m->mean == 0 || lround(100 * m->mean) == lround(100 * mean));
        base_free(wires.wire);
        lpu_topology_release(&t);
    }
}

static void racks_without_free_ports_are_refused(void)
{
    const struct lpu_rack impossible[] = {
        {.racks = 2, .nodes = 9, .chips_per_node = 8},
        {.racks = 2, .nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 4},
        {.racks = 34, .nodes = 1, .chips_per_node = 8},
        {.racks = 146, .nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2}};
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        struct lpu_topology t;
        struct base_report report = {0};
        CU_ASSERT_FALSE(lpu_topology_build(&t, &impossible[i], &chip, &report));
        CU_ASSERT_EQUAL(report.count, 1);
        base_report_release(&report);
    }
}

/* The first cable of `t` that leads from rack 0 into another; returns its place in t->peer. */
static int32_t first_outside(const struct lpu_topology *t)
{
    int32_t i = 0;
    while (t->peer[i].chip < t->nodes_per_rack * t->chips_per_node)
        i++;
    return i;
}

static void a_rack_that_lacks_a_cable_is_not_valid(void)
{
    struct lpu_topology t = racks_of_nine(3);
    int32_t near = first_outside(&t);
    int32_t far = t.peer[near].chip * t.links + t.peer[near].link;
    CU_ASSERT_TRUE(lpu_topology_is_valid(&t));
    t.peer[near] = t.peer[far] = (struct lpu_port){-1, -1};
    CU_ASSERT_FALSE(lpu_topology_is_valid(&t));
    lpu_topology_release(&t);
}

TEST_MAIN("racks", TEST(every_pair_of_racks_has_an_equal_share_of_144_ports),
          TEST(nodes_carry_the_cables_between_racks_alike),
          TEST(the_last_node_of_a_rack_is_joined_to_the_first_of_the_next),
          TEST(distances_are_those_of_a_search_and_as_published),
          TEST(racks_without_free_ports_are_refused), TEST(a_rack_that_lacks_a_cable_is_not_valid))
