/* SPDX-License-Identifier: BSD-3-Clause */
/* A transfer takes detours exactly where they bring its last vector earlier, and books every slot.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "interconnect/route.h"

enum { SLOT = 24, HOP = 650, PASS = HOP + 2, LANES = 320, MOST_VECTORS = 8192 };

static const struct lpu_chip chip = {.c2c_local_links = 7, .c2c_global_links = 4};

static const struct lpu_rack node = {.nodes = 1, .chips_per_node = 8};
static const struct lpu_rack rack = {.nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2};
static const struct lpu_rack racks = {
    .racks = 8, .nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2};

struct net {
    struct lpu_topology topology;
    struct route_net net;
    struct route route;
    struct route_choice choice[MOST_VECTORS]; /* of each train */
    int64_t last_cycle;                       /* when the last vector of all is there */
};

static struct net *open_net(const struct lpu_rack *of)
{
    struct net *n = base_alloc(1, sizeof *n);
    struct base_report report = {0};
    CU_ASSERT_TRUE_FATAL(lpu_topology_build(&n->topology, of, &chip, &report));
    n->net = (struct route_net){
        &n->topology, timetable_create(n->topology.chips * n->topology.links, SLOT), SLOT, PASS};
    return n;
}

static void close_net(struct net *n)
{
    timetable_release(n->net.links);
    lpu_topology_release(&n->topology);
    base_free(n);
}

/* Trains of `length` vectors, each by the best way after those before it. */
static void send_trains(struct net *n, const struct route_request *request, int32_t trains,
                        int32_t length)
{
    n->route = route_find(&n->net, request);
    CU_ASSERT_TRUE_FATAL(n->route.ways > 0);
    for (int32_t k = 0; k < trains; k++) {
        struct timetable_leg leg[ROUTE_MOST_LEGS];
        struct route_choice c = route_choose(&n->net, request, &n->route, 0, length);
        size_t legs = route_legs(&n->net, request, &n->route.way[c.way], leg);
        CU_ASSERT_EQUAL(timetable_book_way(n->net.links, leg, legs, c.departure, length),
                        c.departure);
        n->choice[k] = c;
        n->last_cycle = c.arrival > n->last_cycle ? c.arrival : n->last_cycle;
    }
    CU_ASSERT_TRUE(timetable_is_valid(n->net.links));
}

/* Each vector for itself from one chip to another; returns when the last one is there. */
static int64_t send(struct net *n, int32_t from, int32_t to, int32_t vectors)
{
    const struct route_request request = {from, 1, to, 1, false};
    send_trains(n, &request, vectors, 1);
    return n->last_cycle;
}

static int32_t ways_taken(const struct net *n, int32_t vectors)
{
    bool taken[ROUTE_MOST_WAYS] = {false};
    int32_t count = 0;
    for (int32_t v = 0; v < vectors; v++) {
        count += !taken[n->choice[v].way];
        taken[n->choice[v].way] = true;
    }
    return count;
}

static int64_t direct_alone(int32_t vectors)
{
    return PASS + (int64_t)(vectors - 1) * SLOT;
}

static void few_vectors_take_the_direct_link(void)
{
    for (int32_t vectors = 1; vectors <= 16; vectors++) {
        struct net *n = open_net(&node);
        CU_ASSERT_EQUAL(send(n, 2, 5, vectors), direct_alone(vectors));
        CU_ASSERT_EQUAL(ways_taken(n, vectors), 1);
        close_net(n);
    }
}

/* A detour costs a hop more, in which the direct link carries hop time x link rate: 722 ns x
 * 12.2 GB/s, 8.8 kB. */
static void spreading_starts_to_pay_at_8_kB(void)
{
    int32_t least = 0;
    for (int32_t vectors = 1; !least && vectors < 100; vectors++) {
        struct net *n = open_net(&node);
        int64_t spread = send(n, 0, 1, vectors);
        least = spread < direct_alone(vectors) ? vectors : 0;
        CU_ASSERT_EQUAL(least > 0, ways_taken(n, vectors) > 1);
        close_net(n);
    }
    printf("\nspreading pays from %d vectors on, %d bytes\n", least, least * LANES);
    CU_ASSERT_TRUE(least * LANES > 8000 && least * LANES < 9600);
}

static void many_vectors_take_seven_ways_and_a_seventh_of_the_time(void)
{
    struct net *n = open_net(&node);
    int64_t last = send(n, 0, 7, 7000);
    CU_ASSERT_EQUAL(ways_taken(n, 7000), 7);
    CU_ASSERT_TRUE(last >= direct_alone(1000) && last <= direct_alone(1000) + PASS);
    close_net(n);
}

/* Where two nodes are joined twice, and over other nodes. */
static void many_vectors_between_nodes_leave_by_all_links_that_lead_on(void)
{
    struct net *n = open_net(&rack);
    int64_t last = send(n, 0, 8, 4000);
    CU_ASSERT_TRUE(ways_taken(n, 4000) >= 7);
    CU_ASSERT_TRUE(last < direct_alone(4000) / 6);
    close_net(n);
}

static void a_busy_direct_link_is_gone_around(void)
{
    struct net *n = open_net(&node);
    int32_t links[16];
    CU_ASSERT_EQUAL_FATAL(lpu_topology_direct_links(&n->topology, 0, 1, links), 1);
    timetable_book(n->net.links, links[0], 0, 1000);
    CU_ASSERT_EQUAL(send(n, 0, 1, 1), 2 * PASS);
    CU_ASSERT_EQUAL(n->route.way[n->choice[0].way].hops, 2);
    close_net(n);
}

/* Every hop of every item is booked, and nothing else. */
static void check_bookings(const struct net *n, int32_t items)
{
    int64_t due = 0, booked = 0;
    for (int32_t v = 0; v < items; v++)
        due += (int64_t)SLOT * n->route.way[n->choice[v].way].hops;
    for (int32_t w = 0; w < n->topology.chips * n->topology.links; w++)
        booked += timetable_booked_cycles(n->net.links, w);
    CU_ASSERT_EQUAL(due, booked);
}

static void check_ways(const struct net *n, const struct route_request *request)
{
    for (int32_t w = 0; w < n->route.ways; w++) {
        const struct route_way *way = &n->route.way[w];
        int32_t at = way->first;
        CU_ASSERT_TRUE(at >= request->from_first && at < request->from_first + request->from_count);
        for (int32_t h = 0; h < way->hops; h++) {
            CU_ASSERT_EQUAL(way->hop[h].chip, at);
            at = lpu_topology_peer(&n->topology, at, way->hop[h].link).chip;
        }
        CU_ASSERT_EQUAL(at, way->last);
        CU_ASSERT_TRUE(at >= request->to_first && at < request->to_first + request->to_count);
        CU_ASSERT_TRUE(w == 0 || way->hops >= n->route.way[w - 1].hops);
    }
}

static void ways_lead_from_end_to_end_and_book_their_links(void)
{
    const struct lpu_rack *all[] = {&node, &rack, &racks};
    for (int k = 0; k < 3; k++)
        for (uint64_t draw = 0; draw < 20; draw++) {
            struct net *n = open_net(all[k]);
            uint64_t random = base_random_u64(11, BASE_RANDOM_LINK, (uint64_t)k, draw);
            int32_t from = (int32_t)(random % (uint64_t)n->topology.chips);
            int32_t to = (int32_t)((random >> 20) % (uint64_t)n->topology.chips);
            int32_t vectors = 1 + (int32_t)(random >> 40) % 500;
            const struct route_request request = {from, 1, to, 1, false};
            if (from != to) {
                int64_t last = send(n, from, to, vectors);
                int32_t hops = n->route.way[0].hops;
                CU_ASSERT_TRUE(last <= hops * PASS + (int64_t)(vectors - 1) * SLOT);
                CU_ASSERT_TRUE(last >= hops * PASS);
                check_ways(n, &request);
                check_bookings(n, vectors);
            }
            close_net(n);
        }
}

/* Eight pieces from all chips of a node to all chips of another: each by ends of its own. */
static void pieces_between_groups_have_ends_of_their_own(void)
{
    const struct route_request request = {16, 8, 24, 8, false};
    struct net *n = open_net(&racks);
    bool first[8] = {false}, last[8] = {false};
    send_trains(n, &request, 8, 1000);
    check_ways(n, &request);
    CU_ASSERT_EQUAL(ways_taken(n, 8), 8);
    for (int32_t w = 0; w < n->route.ways; w++) {
        CU_ASSERT_FALSE(first[n->route.way[w].first - 16]);
        CU_ASSERT_FALSE(last[n->route.way[w].last - 24]);
        first[n->route.way[w].first - 16] = last[n->route.way[w].last - 24] = true;
    }
    CU_ASSERT_TRUE(timetable_is_valid(n->net.links));
    close_net(n);
}

static void straight_ways_have_the_fewest_hops(void)
{
    const struct route_request request = {16, 8, 24, 8, true};
    struct net *n = open_net(&racks);
    send_trains(n, &request, 8, 1000);
    CU_ASSERT_TRUE(n->route.ways > 0 && n->route.ways < 8);
    for (int32_t w = 0; w < n->route.ways; w++)
        CU_ASSERT_EQUAL(n->route.way[w].hops, 1);
    close_net(n);
}

static void the_same_request_gets_the_same_routes(void)
{
    struct net *a = open_net(&racks), *b = open_net(&racks);
    CU_ASSERT_EQUAL(send(a, 3, 300, 700), send(b, 3, 300, 700));
    CU_ASSERT_EQUAL(memcmp(&a->route, &b->route, sizeof a->route), 0);
    CU_ASSERT_EQUAL(memcmp(a->choice, b->choice, 700 * sizeof a->choice[0]), 0);
    close_net(a);
    close_net(b);
}

TEST_MAIN("routes", TEST(few_vectors_take_the_direct_link), TEST(spreading_starts_to_pay_at_8_kB),
          TEST(many_vectors_take_seven_ways_and_a_seventh_of_the_time),
          TEST(many_vectors_between_nodes_leave_by_all_links_that_lead_on),
          TEST(a_busy_direct_link_is_gone_around),
          TEST(ways_lead_from_end_to_end_and_book_their_links),
          TEST(pieces_between_groups_have_ends_of_their_own),
          TEST(straight_ways_have_the_fewest_hops), TEST(the_same_request_gets_the_same_routes))
