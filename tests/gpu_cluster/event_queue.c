/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue gives back every event once, in the order of (time, key), whatever the order they came
 * in. */
#include "gpu_cluster/event_queue.h"

#include "base/random.h"
#include "test.h"

static void events_come_out_in_order(void)
{
    enum { COUNT = 20000 };
    struct gpu_event_queue queue = {0};
    int64_t sum_in = 0, sum_out = 0, last = -1;
    uint64_t last_key = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t draw = base_random_u64(1, BASE_RANDOM_LINK, 0, i);
        struct gpu_event event = {.time_ps = (int64_t)(draw % 997), .key = i ^ 0x155};
        event.step = (int32_t)i;
        sum_in += event.step;
        gpu_event_queue_push(&queue, &event);
    }
    for (int i = 0; i < COUNT; i++) {
        struct gpu_event event = gpu_event_queue_pop(&queue);
        CU_ASSERT_TRUE(event.time_ps > last || (event.time_ps == last && event.key > last_key));
        last = event.time_ps;
        last_key = event.key;
        sum_out += event.step;
    }
    CU_ASSERT_EQUAL(sum_in, sum_out);
    CU_ASSERT_EQUAL(gpu_event_queue_next_ps(&queue), INT64_MAX);
    gpu_event_queue_release(&queue);
}

static void slots_are_used_again(void)
{
    struct gpu_event_queue queue = {0};
    for (int64_t i = 0; i < 100000; i++) {
        gpu_event_queue_push(&queue, &(struct gpu_event){.time_ps = i + 10});
        if (queue.count > 10)
            CU_ASSERT_EQUAL(gpu_event_queue_pop(&queue).time_ps, i);
    }
    CU_ASSERT_EQUAL(queue.used, 11);
    gpu_event_queue_release(&queue);
}

TEST_MAIN("event queue", TEST(events_come_out_in_order), TEST(slots_are_used_again))
