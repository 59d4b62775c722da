/* SPDX-License-Identifier: BSD-3-Clause */
/* Events of one partition in the order of (time, key). */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* What every event begins with; the rest is its owner's. */
struct engine_stamp {
    int64_t time_ps;
    uint64_t key;
};

struct engine_node {
    int64_t time_ps;
    uint64_t key;
    void *event;
};

/* Open with engine_queue_open, release when done. */
struct engine_queue {
    struct engine_node *node; /* [count] pending, a heap */
    size_t count, nodes;
    size_t event_bytes;
    void *idle;   /* slots to use again, a list through their first words */
    char **block; /* slots do not move while they live */
    size_t blocks, block_capacity;
};

/* Events of `event_bytes`, at least a stamp. */
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
    return queue->count > 0 ? queue->node[0].time_ps : INT64_MAX;
}

#endif
