/* SPDX-License-Identifier: BSD-3-Clause */
/* A 4-ary heap of small nodes over slots of events. */
#include "gpu_cluster/event_queue.h"

#include <assert.h>
#include <stdbool.h>

#include "base/memory.h"

enum { FANOUT = 4 };

uint64_t gpu_event_key(const struct gpu_event *event)
{
    return (uint64_t)event->kind << 60 | (uint64_t)(uint32_t)event->target << 36 |
           ((uint64_t)(uint32_t)event->from & 0xFFFFFF) << 12 |
           ((uint64_t)(uint32_t)event->chunk & 0xFFF);
}

static bool before(const struct gpu_event_node *a, const struct gpu_event_node *b)
{
    return a->time_ps != b->time_ps ? a->time_ps < b->time_ps : a->key < b->key;
}

static uint32_t take_slot(struct gpu_event_queue *queue)
{
    if (queue->freed > 0) {
        return queue->free_slot[--queue->freed];
    }
    queue->event = base_grow(queue->event, &queue->events, queue->used + 1, sizeof *queue->event);
    queue->free_slot =
        base_grow(queue->free_slot, &queue->frees, queue->used + 1, sizeof *queue->free_slot);
    return (uint32_t)queue->used++;
}

static void sift_up(struct gpu_event_node *heap, size_t i, struct gpu_event_node node)
{
    while (i > 0 && before(&node, &heap[(i - 1) / FANOUT])) {
        heap[i] = heap[(i - 1) / FANOUT];
        i = (i - 1) / FANOUT;
    }
    heap[i] = node;
}

static void sift_down(struct gpu_event_node *heap, size_t count, struct gpu_event_node node)
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

void gpu_event_queue_push(struct gpu_event_queue *queue, const struct gpu_event *event)
{
    uint32_t slot = take_slot(queue);
    queue->event[slot] = *event;
    queue->node = base_grow(queue->node, &queue->nodes, queue->count + 1, sizeof *queue->node);
    sift_up(queue->node, queue->count++, (struct gpu_event_node){event->time_ps, event->key, slot});
}

struct gpu_event gpu_event_queue_pop(struct gpu_event_queue *queue)
{
    assert(queue->count > 0);
    uint32_t slot = queue->node[0].slot;
    queue->free_slot[queue->freed++] = slot;
    struct gpu_event_node last = queue->node[--queue->count];
    if (queue->count > 0) {
        sift_down(queue->node, queue->count, last);
    }
    return queue->event[slot];
}

void gpu_event_queue_release(struct gpu_event_queue *queue)
{
    base_free(queue->node);
    base_free(queue->event);
    base_free(queue->free_slot);
    *queue = (struct gpu_event_queue){0};
}
