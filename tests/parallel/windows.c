/* SPDX-License-Identifier: BSD-3-Clause */
/* Events cross partitions in time order, on any number of ranks, by shared memory and by
 * collectives. */
#include "parallel/windows.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mpi_test.h"

/* Tokens that walk over sites, site after site, a hop a latency. */
enum { SITES = 12, LATENCY_PS = 1000 };

struct token {
    int64_t time_ps;
    int32_t site, hops_left;
};

struct walk {
    int partitions, partition;
    struct token *pending;
    size_t count, capacity;
    struct token **out;
    size_t *out_count, *out_capacity;
    int64_t events, now_ps, digest;
    bool late, finished;
};

static int owner(const struct walk *walk, int32_t site)
{
    return parallel_block_owner(SITES, walk->partitions, site);
}

static int64_t promise(const void *self)
{
    const struct walk *walk = self;
    int64_t least = EVENT_WORLD_NEVER;
    for (size_t i = 0; i < walk->count; i++)
        least = walk->pending[i].time_ps < least ? walk->pending[i].time_ps : least;
    for (int p = 0; p < walk->partitions; p++)
        for (size_t i = 0; i < walk->out_count[p]; i++)
            least = walk->out[p][i].time_ps < least ? walk->out[p][i].time_ps : least;
    return least == EVENT_WORLD_NEVER ? least : least + LATENCY_PS;
}

static void post(struct walk *walk, struct token token)
{
    int p = owner(walk, token.site);
    if (p == walk->partition) {
        walk->pending =
            base_grow(walk->pending, &walk->capacity, walk->count + 1, sizeof *walk->pending);
        walk->pending[walk->count++] = token;
        return;
    }
    walk->out[p] =
        base_grow(walk->out[p], &walk->out_capacity[p], walk->out_count[p] + 1, sizeof token);
    walk->out[p][walk->out_count[p]++] = token;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct token *)a)->time_ps, y = ((const struct token *)b)->time_ps;
    return (x > y) - (x < y);
}

static void step(struct walk *walk, struct token token)
{
    walk->late = walk->late || token.time_ps < walk->now_ps;
    walk->now_ps = token.time_ps;
    walk->events++;
    walk->digest += token.time_ps * (token.site + 1);
    if (token.hops_left > 0)
        post(walk, (struct token){token.time_ps + LATENCY_PS, (token.site + 1) % SITES,
                                  token.hops_left - 1});
}

/* Start times differ by less than a latency, so all tokens make one hop before any makes the
 * next. */
static void advance(void *self, int64_t until_ps)
{
    struct walk *walk = self;
    size_t due;
    do {
        if (walk->count > 0)
            qsort(walk->pending, walk->count, sizeof *walk->pending, by_time);
        for (due = 0; due < walk->count && walk->pending[due].time_ps < until_ps; due++) {
        }
        struct token *batch = base_alloc(due, sizeof *batch);
        if (due > 0) {
            memcpy(batch, walk->pending, due * sizeof *batch);
            memmove(walk->pending, walk->pending + due, (walk->count - due) * sizeof *batch);
        }
        walk->count -= due;
        for (size_t i = 0; i < due; i++)
            step(walk, batch[i]);
        base_free(batch);
    } while (due > 0);
}

static size_t outbox(const void *self, int32_t partition, const void **messages)
{
    const struct walk *walk = self;
    *messages = walk->out[partition];
    return walk->out_count[partition];
}

static void outbox_clear(void *self)
{
    struct walk *walk = self;
    memset(walk->out_count, 0, (size_t)walk->partitions * sizeof *walk->out_count);
}

static void accept_tokens(void *self, const void *messages, size_t count)
{
    struct walk *walk = self;
    const struct token *token = messages;
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(owner(walk, token[i].site), walk->partition);
        CU_ASSERT_TRUE(token[i].time_ps >= walk->now_ps);
        post(walk, token[i]);
    }
}

static bool finished(const void *self)
{
    return ((const struct walk *)self)->finished;
}

static int64_t events(const void *self)
{
    return ((const struct walk *)self)->events;
}

static int64_t now(const void *self)
{
    return ((const struct walk *)self)->now_ps;
}

static struct event_world view(struct walk *walk)
{
    return (struct event_world){walk,         sizeof(struct token), promise,  advance, outbox,
                                outbox_clear, accept_tokens,        finished, events,  now};
}

static struct walk *open_walk(int partitions, int32_t tokens, int32_t hops)
{
    struct walk *walk = base_alloc(1, sizeof *walk);
    walk->partitions = partitions;
    walk->partition = parallel_rank();
    walk->finished = true;
    walk->out = base_alloc((size_t)partitions, sizeof *walk->out);
    walk->out_count = base_alloc((size_t)partitions, sizeof *walk->out_count);
    walk->out_capacity = base_alloc((size_t)partitions, sizeof *walk->out_capacity);
    for (int32_t i = 0; i < tokens; i++)
        if (owner(walk, i % SITES) == walk->partition)
            post(walk, (struct token){i * 7 % LATENCY_PS, i % SITES, hops});
    return walk;
}

static void close_walk(struct walk *walk)
{
    for (int p = 0; p < walk->partitions; p++)
        base_free(walk->out[p]);
    base_free(walk->out);
    base_free(walk->out_count);
    base_free(walk->out_capacity);
    base_free(walk->pending);
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

/* Runs, checks everything, returns the report. `stuck`: the last partition claims to wait for
 * more. */
static struct parallel_windows_report run_walk(int32_t tokens, int32_t hops, bool collectives,
                                               bool stuck)
{
    int partitions = parallel_windows_partitions(SITES, true);
    bool active = parallel_rank() < partitions;
    struct walk *walk = active ? open_walk(partitions, tokens, hops) : NULL;
    struct event_world world = active ? view(walk) : (struct event_world){0};
    if (active)
        walk->finished = !(stuck && walk->partition == partitions - 1);
    struct parallel_windows_watch watch = {.collectives_only = collectives};
    struct parallel_windows_report report;
    enum base_status status =
        parallel_windows_run(active ? &world : NULL, partitions, &watch, &report);
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

static void collectives_give_the_same_as_shared_memory(void)
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

static void partitions_do_not_exceed_items_or_ranks(void)
{
    CU_ASSERT_EQUAL(parallel_windows_partitions(1, true), 1);
    CU_ASSERT_EQUAL(parallel_windows_partitions(1000, true), parallel_size());
    CU_ASSERT_TRUE(parallel_windows_partitions(1000, false) <= parallel_size());
}

MPI_TEST_MAIN("windows", TEST(every_event_happens_once_in_time_order),
              TEST(collectives_give_the_same_as_shared_memory),
              TEST(messages_beyond_a_page_arrive_too), TEST(one_window_lasts_at_least_one_latency),
              TEST(an_unfinished_partition_without_events_is_no_progress),
              TEST(partitions_do_not_exceed_items_or_ranks))
