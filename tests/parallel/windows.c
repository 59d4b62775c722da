/* SPDX-License-Identifier: BSD-3-Clause */
/* Events cross partitions in time order, on any number of ranks, by shared memory and by
 * messages. */
#include "parallel/windows.h"

#include "base/memory.h"
#include "mpi_test.h"
#include "parallel/room.h"

/* Tokens that walk over sites, site after site, a hop a latency. */
enum { SITES = 12, LATENCY_PS = 1000 };

struct token {
    int64_t time_ps;
    uint64_t key; /* its number */
    int32_t site, hops_left;
};

struct walk {
    struct engine *engine;
    int64_t now_ps, digest;
    bool late, finished;
};

static int owner(const struct walk *walk, int32_t site)
{
    return parallel_block_owner(SITES, engine_partitions(walk->engine), site);
}

static void post(const struct walk *walk, struct token token)
{
    engine_post(walk->engine, owner(walk, token.site), &token);
}

static void step(void *self, const void *event)
{
    struct walk *walk = self;
    const struct token *token = event;
    CU_ASSERT_EQUAL(owner(walk, token->site), engine_partition(walk->engine));
    walk->late = walk->late || token->time_ps < walk->now_ps;
    walk->now_ps = token->time_ps;
    walk->digest += token->time_ps * (token->site + 1);
    if (token->hops_left > 0)
        post(walk, (struct token){token->time_ps + LATENCY_PS, token->key,
                                  (token->site + 1) % SITES, token->hops_left - 1});
}

static bool finished(const void *self)
{
    return ((const struct walk *)self)->finished;
}

static struct walk *open_walk(int partitions, int32_t tokens, int32_t hops)
{
    struct walk *walk = base_alloc(1, sizeof *walk);
    const struct engine_client client = {.self = walk,
                                         .event_bytes = sizeof(struct token),
                                         .handle = step,
                                         .lookahead_ps = LATENCY_PS,
                                         .finished = finished};
    walk->engine = engine_create(&client, parallel_rank(), partitions);
    walk->finished = true;
    for (int32_t i = 0; i < tokens; i++)
        if (owner(walk, i % SITES) == engine_partition(walk->engine))
            post(walk, (struct token){i * 7 % LATENCY_PS, (uint64_t)i, i % SITES, hops});
    return walk;
}

static void close_walk(struct walk *walk)
{
    engine_free(walk->engine);
    base_free(walk);
}

/* What all partitions together must have added up. */
static int64_t expected_digest(int32_t tokens, int32_t hops)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < tokens; i++)
        for (int32_t h = 0; h <= hops; h++)
            sum += (i * 7 % LATENCY_PS + (int64_t)h * LATENCY_PS) * ((i + h) % SITES + 1);
    return sum;
}

static int partitions_of(int64_t items, int64_t window_events, int64_t wanted)
{
    return parallel_windows_partitions(
        (struct parallel_windows_share){items, window_events, wanted});
}

/* Runs, checks everything, returns the report. `stuck`: the last partition claims to wait for
 * more. */
static struct parallel_windows_report run_walk(int32_t tokens, int32_t hops, bool messages,
                                               bool stuck)
{
    int partitions = partitions_of(SITES, 0, parallel_size());
    bool active = parallel_rank() < partitions;
    struct walk *walk = active ? open_walk(partitions, tokens, hops) : NULL;
    if (active)
        walk->finished = !(stuck && parallel_rank() == partitions - 1);
    struct parallel_windows_watch watch = {.messages_only = messages};
    struct parallel_windows_report report;
    enum base_status status =
        parallel_windows_run(active ? walk->engine : NULL, partitions, &watch, &report);
    CU_ASSERT_EQUAL(status, stuck ? BASE_NO_PROGRESS : BASE_OK);
    int64_t digest = active ? walk->digest : 0;
    parallel_sum_i64(&digest, 1);
    CU_ASSERT_EQUAL(digest, expected_digest(tokens, hops));
    CU_ASSERT_EQUAL(report.events, (int64_t)tokens * (hops + 1));
    if (active) {
        CU_ASSERT_FALSE(walk->late);
        close_walk(walk);
    }
    return report;
}

static void every_event_happens_once_in_time_order(void)
{
    struct parallel_windows_report report = run_walk(5, 100, false, false);
    CU_ASSERT_EQUAL(report.end_ps, 100 * LATENCY_PS + 28);
    CU_ASSERT_TRUE(report.partitions == 1 || report.shared_memory);
    CU_ASSERT_TRUE(report.partitions == 1 || report.messages > 0);
}

static void messages_give_the_same_as_shared_memory(void)
{
    struct parallel_windows_report shared = run_walk(40, 60, false, false);
    struct parallel_windows_report other = run_walk(40, 60, true, false);
    CU_ASSERT_FALSE(other.shared_memory);
    CU_ASSERT_EQUAL(shared.messages, other.messages);
    CU_ASSERT_EQUAL(shared.windows, other.windows);
    CU_ASSERT_EQUAL(shared.end_ps, other.end_ps);
}

static void messages_beyond_a_page_arrive_too(void)
{
    run_walk(60000, 2, false, false);
}

static void one_window_lasts_at_least_one_latency(void)
{
    struct parallel_windows_report report = run_walk(30, 200, false, false);
    CU_ASSERT_TRUE(report.windows <= 210);
}

static void an_unfinished_partition_without_events_is_no_progress(void)
{
    run_walk(3, 10, false, true);
}

static void partitions_do_not_exceed_items_ranks_or_wishes(void)
{
    CU_ASSERT_EQUAL(partitions_of(1, 0, 1000), 1);
    CU_ASSERT_EQUAL(partitions_of(1000, 0, 1000), parallel_size());
    CU_ASSERT_EQUAL(partitions_of(1000, 0, 2), parallel_size() > 1 ? 2 : 1);
    CU_ASSERT_TRUE(partitions_of(1000, INT64_MAX, 0) <= parallel_size());
    CU_ASSERT_TRUE(partitions_of(1000, INT64_MAX, 0) > 1 || parallel_size() == 1 ||
                   parallel_host_cores() == 1);
}

static void a_few_events_a_window_are_not_shared_out(void)
{
    CU_ASSERT_EQUAL(partitions_of(1000, 0, 0), 1);
    CU_ASSERT_EQUAL(partitions_of(1000, 16, 0), 1);
}

MPI_TEST_MAIN("windows", TEST(every_event_happens_once_in_time_order),
              TEST(messages_give_the_same_as_shared_memory),
              TEST(messages_beyond_a_page_arrive_too), TEST(one_window_lasts_at_least_one_latency),
              TEST(an_unfinished_partition_without_events_is_no_progress),
              TEST(partitions_do_not_exceed_items_ranks_or_wishes),
              TEST(a_few_events_a_window_are_not_shared_out))
