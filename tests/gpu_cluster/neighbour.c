/* SPDX-License-Identifier: BSD-3-Clause */
/* The neighbour's messages, link by link: who sends what in an exchange, when, and what it takes to
 * know. */
#include "gpu_cluster/neighbour.h"

#include <stdlib.h>

#include "cluster_fixture.h"
#include "test.h"

struct traffic {
    struct gpu_topology topology;
    struct neighbour_exchange exchange;
    struct neighbour_source *sources;
};

static struct gpu_cluster_spec spec_of(int32_t nodes, int32_t gpus, int32_t leaf_ports)
{
    struct gpu_cluster_spec spec = fixture_job().cluster;
    spec.nodes = nodes;
    spec.gpus_per_node = gpus;
    spec.leaf_ports = leaf_ports;
    return spec;
}

/* Keeps pointers to itself: fill in place. */
static void open_traffic(struct traffic *t, const struct gpu_cluster_spec *spec)
{
    t->topology = gpu_topology_fat_tree(spec);
    t->exchange = neighbour_exchange_of(spec, 7);
    t->sources = neighbour_sources_create(&t->exchange, &t->topology);
}

static void close_traffic(struct traffic *t)
{
    neighbour_sources_free(t->sources, &t->topology);
    gpu_topology_release(&t->topology);
}

/* Of the first exchange, on links first, first + 1, ..., all shifted; returns how many. */
static size_t arrivals(struct traffic *t, int32_t first, int32_t links, int64_t shift,
                       int64_t *arrival)
{
    size_t count = 0;
    for (int32_t i = first; i < first + links; i++) {
        struct contended_neighbour view = neighbour_source_view(&t->sources[i]);
        int64_t last = 0, bytes;
        for (int64_t k = 0; k < t->sources[i].flows; k++) {
            int64_t now = view.next(view.context, &bytes);
            CU_ASSERT_TRUE(now >= last && bytes == t->exchange.message_bytes);
            last = now;
            arrival[count++] = now + shift;
        }
    }
    return count;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What leaves ports arrives at ports a latency later, link by link and nothing else. */
static void check_ports(unsigned pattern, int32_t out, int32_t in, size_t messages)
{
    struct gpu_cluster_spec spec = spec_of(6, 4, 24); /* one leaf */
    struct traffic t;
    int64_t sent[24 * 23], come[24 * 23];
    spec.neighbour_pattern = pattern;
    open_traffic(&t, &spec);
    size_t a = arrivals(&t, out * 24, 24, t.topology.wires.wire[out * 24].latency, sent);
    size_t b = arrivals(&t, in * 24, 24, 0, come);
    CU_ASSERT_EQUAL(a, messages);
    CU_ASSERT_EQUAL_FATAL(a, b);
    qsort(sent, a, sizeof *sent, by_time);
    qsort(come, b, sizeof *come, by_time);
    for (size_t i = 0; i < a; i++)
        CU_ASSERT_EQUAL(sent[i], come[i]);
    close_traffic(&t);
}

enum { NVLINK_OUT, NVLINK_IN, NIC_OUT, NIC_IN };

static void everybody_sends_to_everybody_once(void)
{
    check_ports(GPU_NEIGHBOUR_ALL_TO_ALL, NIC_OUT, NIC_IN, 24 * 20);
    check_ports(GPU_NEIGHBOUR_ALL_TO_ALL, NVLINK_OUT, NVLINK_IN, 24 * 3);
}

static void rings_send_to_the_next_in_every_phase(void)
{
    check_ports(GPU_NEIGHBOUR_REPLICA, NIC_OUT, NIC_IN, 6 * 23);
    check_ports(GPU_NEIGHBOUR_REPLICA, NVLINK_OUT, NVLINK_IN, 18 * 23);
}

/* The trunks carry what goes from leaf to leaf, on rails too, and each message once. */
static void trunks_carry_what_crosses_leaves(void)
{
    for (int32_t rails = 0; rails < 2; rails++) {
        struct gpu_cluster_spec spec = spec_of(10, 2, 4);
        spec.rail_optimised = rails;
        struct traffic t;
        int64_t up[20 * 19], down[20 * 19];
        open_traffic(&t, &spec);
        int32_t trunks = t.topology.leaves * t.topology.spines, ports = 4 * 20;
        size_t a = arrivals(&t, ports, trunks, spec.switch_latency_ps, up);
        size_t b = arrivals(&t, ports + trunks, trunks, 0, down);
        CU_ASSERT_EQUAL(a, rails ? 20 * 18 - 2 * (12 + 12 + 2) : 20 * 16);
        CU_ASSERT_EQUAL_FATAL(a, b);
        qsort(up, a, sizeof *up, by_time);
        qsort(down, b, sizeof *down, by_time);
        for (size_t i = 0; i < a; i++)
            CU_ASSERT_EQUAL(up[i], down[i]);
        close_traffic(&t);
    }
}

/* From a port out to a port in, over trunks or not. */
static int64_t latencies_before_last(const struct traffic *t)
{
    int64_t sum = 0;
    for (int32_t from = 0; from < t->topology.gpus; from++)
        for (int32_t to = 0; to < t->topology.gpus; to++) {
            struct gpu_path path = gpu_topology_path(&t->topology, from, to);
            bool crosses = from / t->topology.gpus_per_node != to / t->topology.gpus_per_node;
            for (int32_t i = 0; crosses && i + 1 < path.links; i++)
                sum += t->topology.wires.wire[path.link[i]].latency;
        }
    return sum;
}

static int64_t sum_of(struct traffic *t, int32_t block)
{
    int64_t arrival[24 * 23], sum = 0;
    size_t count = arrivals(t, block * 24, 24, 0, arrival);
    for (size_t i = 0; i < count; i++)
        sum += arrival[i];
    return sum;
}

/* Phases much shorter than the way over a spine: who comes over none is not held up by others of a
 * phase before. */
static void phases_overlap_where_ways_differ(void)
{
    struct gpu_cluster_spec spec = spec_of(6, 4, 8);
    spec.neighbour_message_bytes = 64;
    struct traffic t;
    open_traffic(&t, &spec);
    CU_ASSERT_EQUAL(sum_of(&t, NIC_OUT) + latencies_before_last(&t), sum_of(&t, NIC_IN));
    close_traffic(&t);
}

static void nobody_sends_before_the_first_pause_is_over(void)
{
    struct gpu_cluster_spec spec = spec_of(2, 4, 8);
    struct traffic t;
    int64_t arrival[8 * 7];
    open_traffic(&t, &spec);
    size_t count = arrivals(&t, 0, 32, 0, arrival);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_TRUE(arrival[i] >= t.sources[0].exchange_ps && t.sources[0].exchange_ps > 0);
    close_traffic(&t);
}

/* Of 1,024 GPUs, through two exchanges: a port keeps a few messages, a trunk those of a few phases
 * of its leaf; not those of all pairs. */
static void a_link_keeps_the_messages_of_a_few_phases(void)
{
    struct gpu_cluster_spec spec = spec_of(128, 8, 32);
    struct traffic t;
    open_traffic(&t, &spec);
    for (int32_t i = 0; i < t.topology.wires.count; i += 37) {
        struct neighbour_source *source = &t.sources[i];
        struct contended_neighbour view = neighbour_source_view(source);
        int64_t bytes;
        for (int64_t k = 0; k < 2 * source->flows; k++)
            view.next(view.context, &bytes);
        CU_ASSERT_TRUE(source->capacity <= (i < 4 * 1024 ? 16 : 4 * 32));
    }
    close_traffic(&t);
}

TEST_MAIN("neighbour", TEST(everybody_sends_to_everybody_once),
          TEST(rings_send_to_the_next_in_every_phase), TEST(trunks_carry_what_crosses_leaves),
          TEST(phases_overlap_where_ways_differ), TEST(nobody_sends_before_the_first_pause_is_over),
          TEST(a_link_keeps_the_messages_of_a_few_phases))
