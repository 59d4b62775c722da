/* SPDX-License-Identifier: BSD-3-Clause */
/* A 4-ary heap of small nodes over slots of events. */
#include "engine/queue.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

enum { FANOUT = 4, BLOCK_EVENTS = 256 };

/* Without a branch: what comes first is as good as random. */
static bool before(const struct engine_node *a, const struct engine_node *b)
{
    return (a->time_ps < b->time_ps) | ((a->time_ps == b->time_ps) & (a->key < b->key));
}

void engine_queue_open(struct engine_queue *queue, size_t event_bytes)
{
    assert(event_bytes >= sizeof(struct engine_stamp));
    size_t word = sizeof(int64_t);
    *queue = (struct engine_queue){.event_bytes = (event_bytes + word - 1) / word * word};
}

void engine_queue_release(struct engine_queue *queue)
{
    for (size_t i = 0; i < queue->blocks; i++) {
        base_free(queue->block[i]);
    }
    base_free(queue->block);
    base_free(queue->node);
    *queue = (struct engine_queue){0};
}

void engine_queue_drop(struct engine_queue *queue, void *event)
{
    memcpy(event, &queue->idle, sizeof queue->idle);
    queue->idle = event;
}

static void add_block(struct engine_queue *queue)
{
    char *block = base_alloc(BLOCK_EVENTS, queue->event_bytes);
    queue->block =
        base_grow(queue->block, &queue->block_capacity, queue->blocks + 1, sizeof *queue->block);
    queue->block[queue->blocks++] = block;
    for (size_t i = BLOCK_EVENTS; i > 0; i--) {
        engine_queue_drop(queue, block + (i - 1) * queue->event_bytes);
    }
}

static void *take_slot(struct engine_queue *queue)
{
    if (queue->idle == NULL) {
        add_block(queue);
    }
    void *slot = queue->idle;
    memcpy(&queue->idle, slot, sizeof queue->idle);
    return slot;
}

static void sift_up(struct engine_node *heap, size_t i, struct engine_node node)
{
    while (i > 0 && before(&node, &heap[(i - 1) / FANOUT])) {
        heap[i] = heap[(i - 1) / FANOUT];
        i = (i - 1) / FANOUT;
    }
    heap[i] = node;
}

static void sift_down(struct engine_node *heap, size_t count, struct engine_node node)
{
    size_t i = 0;
    for (size_t child = 1; child < count; child = FANOUT * i + 1) {
        size_t last = child + FANOUT < count ? child + FANOUT : count, least = child;
        for (size_t c = child + 1; c < last; c++) {
            least = before(&heap[c], &heap[least]) ? c : least;
        }
        if (!before(&heap[least], &node)) {
            break;
        }
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = node;
}

void engine_queue_push(struct engine_queue *queue, const void *event)
{
    struct engine_stamp stamp;
    void *slot = take_slot(queue);
    memcpy(slot, event, queue->event_bytes);
    memcpy(&stamp, event, sizeof stamp);
    queue->node = base_grow(queue->node, &queue->nodes, queue->count + 1, sizeof *queue->node);
    sift_up(queue->node, queue->count++, (struct engine_node){stamp.time_ps, stamp.key, slot});
}

void *engine_queue_take(struct engine_queue *queue)
{
    assert(queue->count > 0);
    void *event = queue->node[0].event;
    struct engine_node last = queue->node[--queue->count];
    if (queue->count > 0) {
        sift_down(queue->node, queue->count, last);
    }
    return event;
}
