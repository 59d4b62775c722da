/* SPDX-License-Identifier: BSD-3-Clause */
/* A heap, buckets before it is reached, and the rest: the way of an event through the queue. */
#include "engine/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* FEW and fewer pending events go into the heap whatever their times; more than MANY leave it. */
enum { FANOUT = 4, BLOCK_EVENTS = 256, FEW = 64, MANY = 256, PER_BUCKET = 8, SAMPLES = 64 };

void engine_queue_open(struct engine_queue *queue, size_t event_bytes)
{
    assert(event_bytes >= sizeof(struct engine_stamp));
    *queue = (struct engine_queue){.event_bytes = event_bytes, .near_end_ps = INT64_MAX};
}

void engine_queue_release(struct engine_queue *queue)
{
    for (size_t i = 0; i < queue->blocks; i++) {
        base_free(queue->block[i]);
    }
    for (size_t i = 0; i < queue->bucket_capacity; i++) {
        base_free(queue->bucket[i].node);
    }
    base_free(queue->block);
    base_free(queue->bucket);
    base_free(queue->near.node);
    base_free(queue->rest.node);
    base_free(queue->dealt.node);
    *queue = (struct engine_queue){0};
}

void engine_queue_drop(struct engine_queue *queue, void *event)
{
    memcpy(event, &queue->idle, sizeof queue->idle);
    queue->idle = event;
}

static void add_block(struct engine_queue *queue)
{
    size_t word = sizeof(int64_t), bytes = (queue->event_bytes + word - 1) / word * word;
    char *block = base_alloc(BLOCK_EVENTS, bytes);
    queue->block =
        base_grow(queue->block, &queue->block_capacity, queue->blocks + 1, sizeof *queue->block);
    queue->block[queue->blocks++] = block;
    for (size_t i = BLOCK_EVENTS; i > 0; i--) {
        engine_queue_drop(queue, block + (i - 1) * bytes);
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

static void append(struct engine_nodes *nodes, const struct engine_node *node)
{
    if (nodes->count == nodes->capacity) {
        nodes->node =
            base_grow(nodes->node, &nodes->capacity, nodes->count + 1, sizeof *nodes->node);
    }
    nodes->node[nodes->count++] = *node;
}

/* Time and key as one number, so that they are compared without a branch: what comes first is as
 * good as random. */
__extension__ typedef unsigned __int128 order;

static order order_of(const struct engine_node *node)
{
    return (order)(uint64_t)node->time_ps << 64 | node->key;
}

static bool before(const struct engine_node *a, const struct engine_node *b)
{
    return order_of(a) < order_of(b);
}

static void near_add(struct engine_nodes *near, struct engine_node node)
{
    append(near, &node);
    size_t i = near->count - 1;
    struct engine_node *heap = near->node;
    while (i > 0 && before(&node, &heap[(i - 1) / FANOUT])) {
        heap[i] = heap[(i - 1) / FANOUT];
        i = (i - 1) / FANOUT;
    }
    heap[i] = node;
}

/* The first of the children from `child` on; of four in two rounds rather than three. */
static size_t first_child(const struct engine_node *heap, size_t child, size_t count)
{
    if (child + FANOUT <= count) {
        size_t left = child + before(&heap[child + 1], &heap[child]);
        size_t right = child + 2 + before(&heap[child + 3], &heap[child + 2]);
        return before(&heap[right], &heap[left]) ? right : left;
    }
    size_t least = child;
    for (size_t c = child + 1; c < count; c++) {
        least = before(&heap[c], &heap[least]) ? c : least;
    }
    return least;
}

static void sift_down(struct engine_node *heap, size_t count, struct engine_node node)
{
    size_t i = 0;
    for (size_t child = 1; child < count; child = FANOUT * i + 1) {
        size_t least = first_child(heap, child, count);
        if (!before(&heap[least], &node)) {
            break;
        }
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = node;
}

static void *near_take(struct engine_nodes *near)
{
    void *event = near->node[0].event;
    struct engine_node last = near->node[--near->count];
    if (near->count > 0) {
        sift_down(near->node, near->count, last);
    }
    return event;
}

/* Where an event belongs by its time. */
static void place(struct engine_queue *queue, const struct engine_node *node)
{
    if (node->time_ps < queue->near_end_ps) {
        near_add(&queue->near, *node);
    } else if (node->time_ps < queue->rest_start_ps) {
        append(&queue->bucket[(node->time_ps - queue->start_ps) >> queue->shift], node);
    } else {
        append(&queue->rest, node);
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The earliest of the times, and one that about three quarters are not later than: a few events far
 * away do not make buckets wide. */
static void sample(const struct engine_nodes *nodes, int64_t *first_ps, int64_t *most_ps)
{
    int64_t time[SAMPLES];
    *first_ps = INT64_MAX;
    for (size_t i = 0; i < nodes->count; i++) {
        *first_ps = nodes->node[i].time_ps < *first_ps ? nodes->node[i].time_ps : *first_ps;
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        time[i] = nodes->node[i * nodes->count / SAMPLES].time_ps;
    }
    qsort(time, SAMPLES, sizeof *time, by_time);
    *most_ps = time[SAMPLES * 3 / 4];
}

/* Lays empty buckets for about `events`, from `first_ps` to `most_ps` and a little beyond. */
static void lay_buckets(struct engine_queue *queue, size_t events, int64_t first_ps,
                        int64_t most_ps)
{
    queue->buckets = events / PER_BUCKET;
    queue->bucket =
        base_grow(queue->bucket, &queue->bucket_capacity, queue->buckets, sizeof *queue->bucket);
    queue->bucket_next = 0;
    queue->start_ps = first_ps;
    queue->near_end_ps = first_ps;
    queue->shift = 0;
    while ((size_t)((most_ps - first_ps) >> queue->shift) >= queue->buckets) {
        queue->shift++;
    }
    int64_t room = (INT64_MAX - first_ps) >> queue->shift;
    queue->buckets = (int64_t)queue->buckets < room ? queue->buckets : (size_t)room;
    queue->rest_start_ps = first_ps + ((int64_t)queue->buckets << queue->shift);
}

/* Deals the rest into the heap, where it is little, or into new buckets. */
static void deal(struct engine_queue *queue)
{
    struct engine_nodes rest = queue->rest;
    int64_t first_ps, most_ps;
    queue->rest = queue->dealt;
    queue->near_end_ps = INT64_MAX;
    queue->buckets = queue->bucket_next = 0;
    if (rest.count > FEW) {
        sample(&rest, &first_ps, &most_ps);
        lay_buckets(queue, rest.count, first_ps, most_ps);
    }
    for (size_t i = 0; i < rest.count; i++) {
        place(queue, &rest.node[i]);
    }
    rest.count = 0;
    queue->dealt = rest;
}

/* The heap is empty, the queue is not. Events are read soon after they have come into the heap. */
static void refill(struct engine_queue *queue)
{
    while (queue->near.count == 0) {
        if (queue->bucket_next == queue->buckets) {
            deal(queue);
            continue;
        }
        struct engine_nodes *bucket = &queue->bucket[queue->bucket_next++];
        queue->near_end_ps = queue->start_ps + ((int64_t)queue->bucket_next << queue->shift);
        for (size_t i = 0; i < bucket->count; i++) {
            __builtin_prefetch(bucket->node[i].event);
            near_add(&queue->near, bucket->node[i]);
        }
        bucket->count = 0;
    }
}

/* A heap of all events has become too large. */
static void spill(struct engine_queue *queue)
{
    struct engine_nodes empty = queue->rest;
    queue->rest = queue->near;
    queue->near = empty;
    refill(queue);
}

void engine_queue_push(struct engine_queue *queue, const void *event)
{
    struct engine_stamp stamp;
    void *slot = take_slot(queue);
    memcpy(slot, event, queue->event_bytes);
    memcpy(&stamp, event, sizeof stamp);
    place(queue, &(struct engine_node){stamp.time_ps, stamp.key, slot});
    queue->count++;
    if (queue->near.count == 0) {
        refill(queue);
    } else if (queue->near.count > MANY && queue->near_end_ps == INT64_MAX) {
        spill(queue);
    }
}

void *engine_queue_take(struct engine_queue *queue)
{
    assert(queue->near.count > 0);
    void *event = near_take(&queue->near);
    if (--queue->count > 0 && queue->near.count == 0) {
        refill(queue);
    }
    return event;
}

static void each_of(const struct engine_nodes *nodes,
                    void (*visit)(void *context, const void *event), void *context)
{
    for (size_t i = 0; i < nodes->count; i++) {
        visit(context, nodes->node[i].event);
    }
}

void engine_queue_each(const struct engine_queue *queue,
                       void (*visit)(void *context, const void *event), void *context)
{
    each_of(&queue->near, visit, context);
    for (size_t b = queue->bucket_next; b < queue->buckets; b++) {
        each_of(&queue->bucket[b], visit, context);
    }
    each_of(&queue->rest, visit, context);
}

static bool lie_between(const struct engine_nodes *nodes, int64_t from_ps, int64_t end_ps)
{
    bool valid = true;
    for (size_t i = 0; i < nodes->count; i++) {
        valid = valid && nodes->node[i].time_ps >= from_ps && nodes->node[i].time_ps < end_ps;
    }
    return valid;
}

static bool is_heap(const struct engine_nodes *near)
{
    bool valid = true;
    for (size_t i = 1; i < near->count; i++) {
        valid = valid && !before(&near->node[i], &near->node[(i - 1) / FANOUT]);
    }
    return valid;
}

bool engine_queue_is_valid(const struct engine_queue *queue)
{
    size_t events = queue->near.count + queue->rest.count;
    bool valid = (queue->near.count > 0 || queue->count == 0) && is_heap(&queue->near) &&
                 lie_between(&queue->near, 0, queue->near_end_ps) &&
                 lie_between(&queue->rest, queue->rest_start_ps, INT64_MAX);
    for (size_t b = 0; b < queue->buckets; b++) {
        int64_t from = queue->start_ps + ((int64_t)b << queue->shift);
        int64_t end = queue->start_ps + ((int64_t)(b + 1) << queue->shift);
        events += queue->bucket[b].count;
        valid = valid && lie_between(&queue->bucket[b], from, end) &&
                (b >= queue->bucket_next || queue->bucket[b].count == 0);
    }
    return valid && events == queue->count;
}
