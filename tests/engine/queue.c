/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue gives back every event once, in the order of (time, key), as a sorted list does. */
#include "engine/queue.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "test.h"

struct event {
    int64_t time_ps;
    uint64_t key, number;
};

/* How times of new events are drawn, given the time of the last one taken. */
enum shape { SPREAD, TIES, NEAR, FAR_AND_NEAR, LATEST, RISING, SHAPES };

static int64_t draw_time(enum shape shape, int64_t now, uint64_t number)
{
    uint64_t draw = base_random_u64(1, BASE_RANDOM_LINK, (uint64_t)shape, number);
    switch (shape) {
    case SPREAD:
        return now + (int64_t)(draw % 1000003);
    case TIES:
        return now + (int64_t)(draw % 3);
    case NEAR:
        return now + (int64_t)(draw % 17);
    case FAR_AND_NEAR:
        return now + (draw % 8 == 0 ? (int64_t)(draw % 100000000000) : (int64_t)(draw % 50));
    case LATEST: /* to the end of time */
        return now + (int64_t)(draw % (uint64_t)(INT64_MAX - now));
    default:
        return now + (int64_t)number;
    }
}

/* The plainest priority queue: a list in order. */
struct sorted {
    struct event *event;
    size_t count, capacity;
};

static bool earlier(const struct event *a, const struct event *b)
{
    return a->time_ps != b->time_ps ? a->time_ps < b->time_ps : a->key < b->key;
}

static void sorted_push(struct sorted *sorted, struct event event)
{
    sorted->event =
        base_grow(sorted->event, &sorted->capacity, sorted->count + 1, sizeof *sorted->event);
    size_t i = sorted->count++;
    for (; i > 0 && earlier(&sorted->event[i - 1], &event); i--)
        sorted->event[i] = sorted->event[i - 1];
    sorted->event[i] = event;
}

struct pair {
    struct engine_queue queue;
    struct sorted sorted;
    uint64_t number;
    int64_t now;
};

static void push(struct pair *pair, enum shape shape)
{
    struct event event = {draw_time(shape, pair->now, pair->number), 0, pair->number};
    event.key = pair->number++ ^ 0x155;
    engine_queue_push(&pair->queue, &event);
    sorted_push(&pair->sorted, event);
}

static void take(struct pair *pair)
{
    struct event expected = pair->sorted.event[--pair->sorted.count], got;
    CU_ASSERT_EQUAL(engine_queue_next_ps(&pair->queue), expected.time_ps);
    void *event = engine_queue_take(&pair->queue);
    memcpy(&got, event, sizeof got);
    engine_queue_drop(&pair->queue, event);
    CU_ASSERT_EQUAL(got.number, expected.number);
    CU_ASSERT_EQUAL(got.time_ps, expected.time_ps);
    pair->now = got.time_ps;
}

/* Pushes and takes at random around `level` pending events, then takes all. */
static void play(enum shape shape, size_t level, int rounds)
{
    struct pair pair = {0};
    engine_queue_open(&pair.queue, sizeof(struct event));
    for (int i = 0; i < rounds; i++) {
        uint64_t draw = base_random_u64(3, BASE_RANDOM_LINK, level, (uint64_t)i);
        if (i % 500 == 0)
            CU_ASSERT_TRUE(engine_queue_is_valid(&pair.queue));
        bool more = pair.sorted.count == 0 || draw % (2 * level) >= pair.sorted.count;
        if (more)
            push(&pair, shape);
        else
            take(&pair);
    }
    while (pair.sorted.count > 0)
        take(&pair);
    CU_ASSERT_EQUAL(pair.queue.count, 0);
    CU_ASSERT_EQUAL(engine_queue_next_ps(&pair.queue), INT64_MAX);
    base_free(pair.sorted.event);
    engine_queue_release(&pair.queue);
}

static void events_come_out_as_from_a_sorted_list(void)
{
    static const size_t level[] = {1, 2, 5, 30, 300, 3000};
    for (int shape = 0; shape < SHAPES; shape++)
        for (size_t i = 0; i < sizeof level / sizeof level[0]; i++)
            play((enum shape)shape, level[i], 8000);
}

static void slots_are_used_again(void)
{
    struct engine_queue queue;
    engine_queue_open(&queue, sizeof(struct event));
    for (int64_t i = 0; i < 100000; i++) {
        engine_queue_push(&queue, &(struct event){.time_ps = i + 10});
        if (queue.count > 10) {
            void *event = engine_queue_take(&queue);
            CU_ASSERT_EQUAL(((struct event *)event)->time_ps, i);
            engine_queue_drop(&queue, event);
        }
    }
    CU_ASSERT_EQUAL(queue.blocks, 1);
    engine_queue_release(&queue);
}

TEST_MAIN("event queue", TEST(events_come_out_as_from_a_sorted_list), TEST(slots_are_used_again))
