/* SPDX-License-Identifier: BSD-3-Clause */
/* Events of one partition in the order of (time, key).
 *
 * Events of the near future wait in a small heap, those behind it in buckets of equal width, those
 * behind the buckets in no order. When the heap is empty the next bucket becomes it; when there is
 * no bucket left, what lies behind is dealt into new ones. So an event costs the same whether
 * hundreds are pending or millions. Few events all stay in the heap. */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every event begins with; the rest is its owner's. */
struct engine_stamp {
    int64_t time_ps;
    uint64_t key;
};

/* A pending event, as queues move it. */
struct engine_node {
    int64_t time_ps;
    uint64_t key;
    void *event; /* where it lies; it does not move */
};

struct engine_nodes {
    struct engine_node *node;
    size_t count, capacity;
};

/* Open with engine_queue_open, release when done. */
struct engine_queue {
    size_t event_bytes, count; /* pending */

    /* Events before near_end_ps: a heap, which is empty only where the queue is. */
    struct engine_nodes near;
    int64_t near_end_ps;

    /* Bucket b: events of 2^shift picoseconds from start_ps + b * 2^shift on; those before
     * `bucket_next` are empty. */
    struct engine_nodes *bucket;
    size_t buckets, bucket_next, bucket_capacity;
    int shift;
    int64_t start_ps;

    /* Events from rest_start_ps on. */
    struct engine_nodes rest, dealt; /* dealt: empty memory for the next rest */
    int64_t rest_start_ps;

    void *idle;   /* slots of events to use again, a list through their first words */
    char **block; /* of slots */
    size_t blocks, block_capacity;
};

/* Events of `event_bytes`, at least a stamp, at times from 0 to before INT64_MAX. */
void engine_queue_open(struct engine_queue *queue, size_t event_bytes);
void engine_queue_release(struct engine_queue *queue);

/* Copies the event. */
void engine_queue_push(struct engine_queue *queue, const void *event);

/* Takes out the first event, of a queue that is not empty; it stays readable until it is given back
 * with engine_queue_drop, which every event taken must be. */
void *engine_queue_take(struct engine_queue *queue);
void engine_queue_drop(struct engine_queue *queue, void *event);

static inline int64_t engine_queue_next_ps(const struct engine_queue *queue)
{
    return queue->count > 0 ? queue->near.node[0].time_ps : INT64_MAX;
}

/* Shows every pending event, in no order. */
void engine_queue_each(const struct engine_queue *queue,
                       void (*visit)(void *context, const void *event), void *context);

/* Whether events are where their times say and none is lost. */
bool engine_queue_is_valid(const struct engine_queue *queue);

#endif
