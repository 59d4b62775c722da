/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths over NVSwitch nodes and a fat tree join what they should. */
#include "interconnect/gpu_topology.h"

#include <string.h>

#include "test.h"

static struct gpu_cluster_spec cluster(int32_t nodes, int32_t leaf_ports, double oversubscription)
{
    return (struct gpu_cluster_spec){.nodes = nodes,
                                     .gpus_per_node = 8,
                                     .nvlink_bytes_per_s = INT64_C(450000000000),
                                     .nvlink_latency_ps = 500000,
                                     .nic_bytes_per_s = INT64_C(50000000000),
                                     .nic_latency_ps = 900000,
                                     .switch_latency_ps = 130000,
                                     .leaf_ports = leaf_ports,
                                     .oversubscription = oversubscription};
}

static const struct {
    int32_t nodes, leaf_ports;
    double oversubscription;
    int32_t leaves, spines;
} trees[] = {{1, 32, 1, 1, 0}, {2, 32, 1, 1, 0},   {2, 8, 1, 2, 8},   {2, 8, 2, 2, 4},
             {9, 16, 4, 5, 4}, {32, 32, 1, 8, 32}, {4, 16, 100, 2, 1}};

static void leaves_and_spines_follow_from_ports_and_oversubscription(void)
{
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        struct gpu_cluster_spec spec =
            cluster(trees[i].nodes, trees[i].leaf_ports, trees[i].oversubscription);
        struct gpu_topology t = gpu_topology_fat_tree(&spec);
        CU_ASSERT_EQUAL(t.leaves, trees[i].leaves);
        CU_ASSERT_EQUAL(t.spines, trees[i].spines);
        gpu_topology_release(&t);
    }
}

/* Consecutive links of a path meet in a switch; ports of GPU and NIC are the ends. */
static void check_path(const struct gpu_topology *t, int32_t from, int32_t to)
{
    struct gpu_path path = gpu_topology_path(t, from, to);
    CU_ASSERT_TRUE_FATAL(path.links >= 2);
    for (int32_t i = 0; i + 1 < path.links; i++)
        CU_ASSERT_EQUAL(t->wires.wire[path.link[i]].to, t->wires.wire[path.link[i + 1]].from);
    CU_ASSERT_EQUAL(t->home[path.link[0]], from);
    CU_ASSERT_EQUAL(t->home[path.link[path.links - 1]], to);
    bool one_node = from / t->gpus_per_node == to / t->gpus_per_node;
    bool one_leaf = from / t->gpus_per_leaf == to / t->gpus_per_leaf;
    CU_ASSERT_EQUAL(path.links, one_node || one_leaf ? 2 : 4);
}

static void every_pair_has_a_path_through_switches(void)
{
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        struct gpu_cluster_spec spec =
            cluster(trees[i].nodes, trees[i].leaf_ports, trees[i].oversubscription);
        struct gpu_topology t = gpu_topology_fat_tree(&spec);
        for (int32_t from = 0; from < t.gpus; from++)
            for (int32_t to = 0; to < t.gpus; to++)
                if (from != to)
                    check_path(&t, from, to);
        gpu_topology_release(&t);
    }
}

static void all_links_up_are_used(void)
{
    struct gpu_cluster_spec spec = cluster(32, 32, 1);
    struct gpu_topology t = gpu_topology_fat_tree(&spec);
    int used[32] = {0};
    for (int32_t from = 0; from < 32; from++)
        for (int32_t to = 32; to < t.gpus; to++)
            used[gpu_topology_path(&t, from, to).link[1] % 32]++;
    for (int i = 0; i < 32; i++)
        CU_ASSERT_TRUE(used[i] > 100);
    gpu_topology_release(&t);
}

static void a_ring_joins_neighbours_only(void)
{
    struct gpu_topology t = gpu_topology_ring(5, 1000, 10);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 4, 0).link[0], 4);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 2, 3).links, 1);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 2, 4).links, 0);
    gpu_topology_release(&t);
}

static void endpoints_have_names(void)
{
    struct gpu_cluster_spec spec = cluster(2, 8, 2);
    struct gpu_topology t = gpu_topology_fat_tree(&spec);
    static const struct {
        int32_t endpoint;
        const char *name;
    } rows[] = {{0, "gpu 0"},  {15, "gpu 15"}, {17, "nvswitch 1"},
                {18, "nic 0"}, {34, "leaf 0"}, {36, "spine 0"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        gpu_topology_endpoint_name(&t, rows[i].endpoint, text, sizeof text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].name);
    }
    gpu_topology_release(&t);
}

/* 4 nodes of 8 on leaves of 2 ports: 8 rails of 2 leaves each. */
static void a_rail_joins_one_place_of_several_nodes(void)
{
    struct gpu_cluster_spec spec = cluster(4, 2, 1);
    spec.rail_optimised = true;
    struct gpu_topology t = gpu_topology_fat_tree(&spec);
    CU_ASSERT_EQUAL(t.leaves, 16);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 3, 8 + 3).links, 2);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 3, 8 + 4).links, 4);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 3, 16 + 3).links, 4);
    CU_ASSERT_EQUAL(gpu_topology_path(&t, 4, 16 + 3).links, 4);
    for (int32_t to = 8; to < t.gpus; to++) {
        struct gpu_path path = gpu_topology_path(&t, 3, to);
        for (int32_t i = 0; i + 1 < path.links; i++)
            CU_ASSERT_EQUAL(t.wires.wire[path.link[i]].to, t.wires.wire[path.link[i + 1]].from);
    }
    gpu_topology_release(&t);
}

static void ports_of_a_degraded_gpu_are_slow(void)
{
    struct gpu_cluster_spec spec = cluster(2, 32, 1);
    spec.degraded_gpu = 5;
    spec.degraded_share = 0.25;
    struct gpu_topology t = gpu_topology_fat_tree(&spec);
    for (int32_t i = 0; i < 4 * t.gpus; i++) {
        bool nvlink = i < 2 * t.gpus;
        int64_t rate = nvlink ? spec.nvlink_bytes_per_s : spec.nic_bytes_per_s;
        CU_ASSERT_EQUAL(t.wires.wire[i].bytes_per_s, i % t.gpus == 5 ? rate / 4 : rate);
    }
    gpu_topology_release(&t);
}

TEST_MAIN("gpu topology", TEST(leaves_and_spines_follow_from_ports_and_oversubscription),
          TEST(every_pair_has_a_path_through_switches), TEST(all_links_up_are_used),
          TEST(a_ring_joins_neighbours_only), TEST(endpoints_have_names),
          TEST(a_rail_joins_one_place_of_several_nodes), TEST(ports_of_a_degraded_gpu_are_slow))
