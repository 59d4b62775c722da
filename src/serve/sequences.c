/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring that grows. */
#include "serve/sequences.h"

#include <assert.h>

#include "base/memory.h"

static size_t place_of(const struct serve_queue *queue, size_t place)
{
    size_t at = queue->first + place;
    return at < queue->capacity ? at : at - queue->capacity;
}

static void grow(struct serve_queue *queue)
{
    if (queue->count < queue->capacity)
        return;
    struct serve_queue larger = {.capacity = queue->capacity > 0 ? 2 * queue->capacity : 16};
    larger.ring = base_alloc(larger.capacity, sizeof *larger.ring);
    for (; larger.count < queue->count; larger.count++)
        larger.ring[larger.count] = *serve_queue_at(queue, larger.count);
    base_free(queue->ring);
    *queue = larger;
}

void serve_queue_release(struct serve_queue *queue)
{
    base_free(queue->ring);
    *queue = (struct serve_queue){0};
}

void serve_queue_append(struct serve_queue *queue, struct serve_sequence sequence)
{
    grow(queue);
    queue->ring[place_of(queue, queue->count++)] = sequence;
}

void serve_queue_return(struct serve_queue *queue, struct serve_sequence sequence)
{
    grow(queue);
    queue->first = place_of(queue, queue->capacity - 1);
    queue->ring[queue->first] = sequence;
    queue->count++;
}

struct serve_sequence *serve_queue_at(const struct serve_queue *queue, size_t place)
{
    assert(place < queue->count);
    return &queue->ring[place_of(queue, place)];
}

struct serve_sequence serve_queue_take(struct serve_queue *queue)
{
    struct serve_sequence first = *serve_queue_at(queue, 0);
    queue->first = place_of(queue, 1);
    queue->count--;
    return first;
}
