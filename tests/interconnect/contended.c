/* SPDX-License-Identifier: BSD-3-Clause */
/* A shared link serves own chunks in order, lets the neighbour have its turns, and loses no
 * byte. */
#include "interconnect/contended.h"

#include "test.h"

/* 1 byte a picosecond: bytes and times are the same numbers. */
static const struct wire wire = {0, 1, 50, INT64_C(1000000000000), 0};

struct script {
    const int64_t (*message)[2]; /* arrival, bytes */
    int count, next;
};

static int64_t next_of_script(void *context, int64_t *bytes)
{
    struct script *script = context;
    if (script->next == script->count) {
        *bytes = 0;
        return INT64_MAX;
    }
    *bytes = script->message[script->next][1];
    return script->message[script->next++][0];
}

static struct contended_link quiet_link(void)
{
    struct contended_link link;
    contended_link_open(&link, wire, 100, (struct contended_neighbour){0});
    return link;
}

static void an_idle_link_serves_at_once(void)
{
    struct contended_link link = quiet_link();
    struct contended_service s = contended_link_offer(&link, 1000, 30);
    CU_ASSERT_EQUAL(s.start_ps, 1000);
    CU_ASSERT_EQUAL(s.end_ps, 1030);
    CU_ASSERT_EQUAL(link.count.queued_ps, 0);
}

static void own_chunks_wait_for_each_other(void)
{
    struct contended_link link = quiet_link();
    contended_link_offer(&link, 0, 500);
    struct contended_service s = contended_link_offer(&link, 100, 40);
    CU_ASSERT_EQUAL(s.start_ps, 500);
    CU_ASSERT_EQUAL(link.count.queued_ps, 400);
    CU_ASSERT_EQUAL(link.count.longest_queue_ps, 400);
    CU_ASSERT_EQUAL(link.count.bytes, 540);
    CU_ASSERT_EQUAL(link.count.busy_ps, 540);
}

static void a_chunk_waits_for_the_end_of_the_quantum_in_service(void)
{
    static const int64_t message[][2] = {{0, 1000}};
    struct script script = {message, 1, 0};
    struct contended_link link;
    contended_link_open(&link, wire, 100,
                        (struct contended_neighbour){.context = &script, .next = next_of_script});
    struct contended_service s = contended_link_offer(&link, 250, 10);
    CU_ASSERT_EQUAL(s.start_ps, 300);
    CU_ASSERT_EQUAL(link.backlog_ps, 700);
}

static void chunks_and_quanta_take_turns(void)
{
    static const int64_t message[][2] = {{5, 1000}};
    struct script script = {message, 1, 0};
    struct contended_link link;
    contended_link_open(&link, wire, 100,
                        (struct contended_neighbour){.context = &script, .next = next_of_script});
    CU_ASSERT_EQUAL(contended_link_offer(&link, 0, 10).start_ps, 0);
    CU_ASSERT_EQUAL(contended_link_offer(&link, 0, 10).start_ps, 110);
    CU_ASSERT_EQUAL(contended_link_offer(&link, 0, 10).start_ps, 220);
}

static void the_last_quantum_may_be_short(void)
{
    static const int64_t message[][2] = {{0, 130}};
    struct script script = {message, 1, 0};
    struct contended_link link;
    contended_link_open(&link, wire, 100,
                        (struct contended_neighbour){.context = &script, .next = next_of_script});
    CU_ASSERT_EQUAL(contended_link_offer(&link, 110, 10).start_ps, 130);
    CU_ASSERT_EQUAL(contended_link_offer(&link, 1000, 10).start_ps, 1000);
}

/* Whatever the pattern, all bytes are served, at the wire's rate, and never two at once. */
static void contention_conserves_bytes(void)
{
    enum { MESSAGES = 400, CHUNKS = 500 };
    static int64_t message[MESSAGES][2];
    int64_t neighbour_bytes = 0, own_bytes = 0, at = 0, last_end = 0;
    for (int i = 0; i < MESSAGES; i++) {
        message[i][0] = i == 0 ? 0 : message[i - 1][0] + (i * 7919) % 641;
        message[i][1] = 1 + (i * 104729) % 530;
        neighbour_bytes += message[i][1];
    }
    struct script script = {(const int64_t(*)[2])message, MESSAGES, 0};
    struct contended_link link;
    contended_link_open(&link, wire, 64,
                        (struct contended_neighbour){.context = &script, .next = next_of_script});
    for (int i = 0; i < CHUNKS; i++) {
        int64_t bytes = 1 + (i * 31) % 97;
        at += (i * 6151) % 353;
        struct contended_service s = contended_link_offer(&link, at, bytes);
        CU_ASSERT_TRUE(s.start_ps >= at && s.start_ps >= last_end);
        CU_ASSERT_EQUAL(s.end_ps - s.start_ps, bytes);
        own_bytes += bytes;
        last_end = s.end_ps;
    }
    contended_link_advance(&link, INT64_MAX - 1);
    CU_ASSERT_EQUAL(link.count.bytes, own_bytes);
    CU_ASSERT_EQUAL(link.count.busy_ps, own_bytes);
    CU_ASSERT_EQUAL(link.count.neighbour_bytes, neighbour_bytes);
    CU_ASSERT_EQUAL(link.count.neighbour_busy_ps, neighbour_bytes);
    CU_ASSERT_TRUE(link.free_ps + link.backlog_ps >= own_bytes + neighbour_bytes);
}

static void a_saturating_neighbour_halves_the_rate_at_worst(void)
{
    static const int64_t message[][2] = {{0, 1000000}};
    struct script script = {message, 1, 0};
    struct contended_link link;
    contended_link_open(&link, wire, 100,
                        (struct contended_neighbour){.context = &script, .next = next_of_script});
    int64_t end = 0;
    for (int i = 0; i < 100; i++)
        end = contended_link_offer(&link, 50, 100).end_ps;
    CU_ASSERT_EQUAL(end, 100 + 100 * 100 + 99 * 100);
}

/* Half of the mean quantum in front, what gathers behind, and never more than a quantum. */
static void a_steady_stream_takes_turns_without_messages(void)
{
    struct contended_link link;
    contended_link_open(&link, wire, 100, (struct contended_neighbour){.steady_load = 0.5});
    CU_ASSERT_EQUAL(contended_link_offer(&link, 1000, 40).start_ps, 1025);
    CU_ASSERT_EQUAL(contended_link_offer(&link, 1000, 400).start_ps, 1025 + 40 + 40);
    CU_ASSERT_EQUAL(contended_link_offer(&link, 1000, 10).start_ps, 1105 + 400 + 100);
    CU_ASSERT_EQUAL(link.count.neighbour_messages, 0);
}

/* Wherever in a quantum the chunk comes, and never longer than there is work. */
static void a_mean_turn_is_half_a_quantum(void)
{
    static const int64_t message[][2] = {{0, 1000}};
    for (int64_t at = 210; at < 300; at += 30) {
        struct script script = {message, 1, 0};
        struct contended_link link;
        contended_link_open(&link, wire, 100,
                            (struct contended_neighbour){
                                .context = &script, .next = next_of_script, .mean_turns = true});
        CU_ASSERT_EQUAL(contended_link_offer(&link, at, 10).start_ps, at + 50);
        CU_ASSERT_EQUAL(link.backlog_ps, 1000 - at - 50);
        CU_ASSERT_EQUAL(contended_link_offer(&link, 2000, 10).start_ps, 2000);
    }
}

TEST_MAIN("contended", TEST(a_steady_stream_takes_turns_without_messages),
          TEST(a_mean_turn_is_half_a_quantum), TEST(an_idle_link_serves_at_once),
          TEST(own_chunks_wait_for_each_other),
          TEST(a_chunk_waits_for_the_end_of_the_quantum_in_service),
          TEST(chunks_and_quanta_take_turns), TEST(the_last_quantum_may_be_short),
          TEST(contention_conserves_bytes), TEST(a_saturating_neighbour_halves_the_rate_at_worst))
