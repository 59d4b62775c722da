/* SPDX-License-Identifier: BSD-3-Clause */
/* The cables of a rack join every node pair, use no port twice, and give the published distances.
 */
#include "test.h"

#include <math.h>

#include "base/memory.h"
#include "interconnect/lpu_topology.h"

static const struct lpu_chip chip = {.c2c_local_links = 7,
                                     .c2c_global_links = 4,
                                     .c2c_hop_cycles = 650,
                                     .c2c_bits_per_s = INT64_C(100000000000)};

static struct lpu_topology built(int32_t nodes, int32_t cables)
{
    struct lpu_rack rack = {.nodes = nodes, .chips_per_node = 8, .cables_per_node_pair = cables};
    struct lpu_topology topology;
    struct base_report report = {0};
    CU_ASSERT_TRUE_FATAL(lpu_topology_build(&topology, &rack, &chip, &report));
    CU_ASSERT_TRUE(base_report_is_clean(&report));
    return topology;
}

static void every_rack_of_1_to_33_nodes_is_valid(void)
{
    for (int32_t nodes = 1; nodes <= LPU_TOPOLOGY_MAX_NODES; nodes++) {
        struct lpu_topology t = built(nodes, 0);
        CU_ASSERT_TRUE(lpu_topology_is_valid(&t));
        CU_ASSERT_EQUAL(t.chips, 8 * nodes);
        CU_ASSERT_EQUAL(t.cables_per_node_pair, nodes > 1 ? 32 / (nodes - 1) : 0);
        CU_ASSERT_EQUAL(lpu_topology_diameter(&t), nodes == 1 ? 1 : (nodes <= 5 ? 2 : 3));
        lpu_topology_release(&t);
    }
}

static void cables_are_spread_evenly_over_chips(void)
{
    for (int32_t nodes = 2; nodes <= LPU_TOPOLOGY_MAX_NODES; nodes++) {
        struct lpu_topology t = built(nodes, 0);
        int32_t ends = t.cables_per_node_pair * (nodes - 1);
        for (int32_t c = 0; c < t.chips; c++) {
            int32_t used = 0;
            for (int32_t link = 7; link < 11; link++)
                used += lpu_topology_peer(&t, c, link).chip >= 0;
            CU_ASSERT_TRUE(used == ends / 8 || used == (ends + 7) / 8);
        }
        lpu_topology_release(&t);
    }
}

static void a_node_is_a_full_mesh(void)
{
    struct lpu_topology t = built(1, 0);
    for (int32_t a = 0; a < 8; a++)
        for (int32_t b = 0; b < 8; b++) {
            int32_t links[11];
            int32_t count = lpu_topology_direct_links(&t, a, b, links);
            CU_ASSERT_EQUAL(count, a != b);
            if (count)
                CU_ASSERT_EQUAL(links[0], b < a ? b : b - 1);
        }
    CU_ASSERT_EQUAL(lpu_topology_mean_distance(&t), 1.0);
    lpu_topology_release(&t);
}

static void the_widest_group_has_diameter_3_and_mean_2_69(void)
{
    struct lpu_topology t = built(33, 0);
    CU_ASSERT_EQUAL(t.chips, 264);
    CU_ASSERT_EQUAL(lpu_topology_diameter(&t), 3);
    CU_ASSERT_EQUAL(lround(100 * lpu_topology_mean_distance(&t)), 269);
    lpu_topology_release(&t);
}

static void a_rack_of_9_uses_half_of_its_288_ports_with_double_links(void)
{
    struct lpu_topology t = built(9, 2);
    CU_ASSERT_TRUE(lpu_topology_is_valid(&t));
    struct wires wires = lpu_topology_wires(&t, &chip);
    CU_ASSERT_EQUAL(wires.count, 72 * 7 + 144);
    CU_ASSERT_EQUAL(wires.wire[0].latency, 650);
    base_free(wires.wire);
    lpu_topology_release(&t);
}

static void cables_between_two_nodes_are_what_their_ends_say(void)
{
    struct lpu_topology t = built(9, 0);
    struct lpu_cable cable[32];
    CU_ASSERT_EQUAL(lpu_topology_cables(&t, 3, 3, cable), 0);
    CU_ASSERT_EQUAL(lpu_topology_cables(&t, 7, 2, cable), 4);
    for (int k = 0; k < 4; k++) {
        struct lpu_port far = lpu_topology_peer(&t, cable[k].a.chip, cable[k].a.link);
        CU_ASSERT_EQUAL(far.chip, cable[k].b.chip);
        CU_ASSERT_EQUAL(far.link, cable[k].b.link);
        CU_ASSERT_EQUAL(cable[k].a.chip / 8, 7);
        CU_ASSERT_EQUAL(cable[k].b.chip / 8, 2);
        CU_ASSERT_TRUE(k == 0 || cable[k].a.chip != cable[k - 1].a.chip);
    }
    lpu_topology_release(&t);
}

static void impossible_racks_are_refused_with_the_reason(void)
{
    const struct lpu_rack impossible[] = {
        {.nodes = 0, .chips_per_node = 8},
        {.nodes = 34, .chips_per_node = 8},
        {.nodes = 1, .chips_per_node = 9},
        {.nodes = 1, .chips_per_node = 0},
        {.nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 5},
        {.nodes = 33, .chips_per_node = 4}};
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        struct lpu_topology t;
        struct base_report report = {0};
        CU_ASSERT_FALSE(lpu_topology_build(&t, &impossible[i], &chip, &report));
        CU_ASSERT_EQUAL(report.count, 1);
        base_report_release(&report);
    }
}

static void a_crossed_cable_is_not_valid(void)
{
    struct lpu_topology t = built(2, 0);
    struct lpu_port kept = t.peer[7];
    t.peer[7] = t.peer[8];
    CU_ASSERT_FALSE(lpu_topology_is_valid(&t));
    t.peer[7] = (struct lpu_port){-1, -1};
    CU_ASSERT_FALSE(lpu_topology_is_valid(&t));
    t.peer[7] = kept;
    CU_ASSERT_TRUE(lpu_topology_is_valid(&t));
    CU_ASSERT_EQUAL(lpu_topology_peer(&t, 16, 0).chip, -1);
    CU_ASSERT_EQUAL(lpu_topology_peer(&t, 0, 11).chip, -1);
    lpu_topology_release(&t);
}

TEST_MAIN("LPU topology", TEST(every_rack_of_1_to_33_nodes_is_valid),
          TEST(cables_are_spread_evenly_over_chips), TEST(a_node_is_a_full_mesh),
          TEST(the_widest_group_has_diameter_3_and_mean_2_69),
          TEST(a_rack_of_9_uses_half_of_its_288_ports_with_double_links),
          TEST(cables_between_two_nodes_are_what_their_ends_say),
          TEST(impossible_racks_are_refused_with_the_reason), TEST(a_crossed_cable_is_not_valid))
