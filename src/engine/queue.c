/* SPDX-License-Identifier: BSD-3-Clause */
/* A heap, buckets before it is reached, and the rest: the way of an event through the queue. */
#include "engine/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* FEW and fewer pending events go into the heap whatever their times; more than MANY leave it. */
enum { FANOUT = 4, BLOCK_EVENTS = 256, FEW = 64, MANY = 256, PER_BUCKET = 8, SAMPLES = 64 };

static void *event_of(struct engine_slot *slot)
{
    return slot + 1;
}

static int64_t time_of(const struct engine_slot *slot)
{
    struct engine_stamp stamp;
    memcpy(&stamp, slot + 1, sizeof stamp);
    return stamp.time_ps;
}

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
    base_free(queue->block);
    base_free(queue->bucket);
    base_free(queue->node);
    *queue = (struct engine_queue){0};
}

static void list_add(struct engine_slot **list, struct engine_slot *slot)
{
    slot->next = *list;
    *list = slot;
}

static struct engine_slot *list_take(struct engine_slot **list)
{
    struct engine_slot *slot = *list;
    *list = slot->next;
    return slot;
}

static void add_block(struct engine_queue *queue)
{
    size_t word = sizeof(int64_t);
    size_t bytes = sizeof(struct engine_slot) + (queue->event_bytes + word - 1) / word * word;
    char *block = base_alloc(BLOCK_EVENTS, bytes);
    queue->block =
        base_grow(queue->block, &queue->block_capacity, queue->blocks + 1, sizeof *queue->block);
    queue->block[queue->blocks++] = block;
    for (size_t i = BLOCK_EVENTS; i > 0; i--) {
        list_add(&queue->idle, (struct engine_slot *)(void *)(block + (i - 1) * bytes));
    }
}

static struct engine_slot *slot_of(struct engine_queue *queue, const void *event)
{
    if (queue->idle == NULL) {
        add_block(queue);
    }
    struct engine_slot *slot = list_take(&queue->idle);
    memcpy(event_of(slot), event, queue->event_bytes);
    return slot;
}

void engine_queue_drop(struct engine_queue *queue, void *event)
{
    list_add(&queue->idle, (struct engine_slot *)event - 1);
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

static void near_add(struct engine_queue *queue, struct engine_slot *slot)
{
    struct engine_stamp stamp;
    memcpy(&stamp, event_of(slot), sizeof stamp);
    struct engine_node node = {stamp.time_ps, stamp.key, slot};
    if (queue->near == queue->nodes) {
        queue->node = base_grow(queue->node, &queue->nodes, queue->near + 1, sizeof *queue->node);
    }
    struct engine_node *heap = queue->node;
    size_t i = queue->near++;
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

static struct engine_slot *near_take(struct engine_queue *queue)
{
    struct engine_slot *slot = queue->node[0].slot;
    struct engine_node last = queue->node[--queue->near];
    if (queue->near > 0) {
        sift_down(queue->node, queue->near, last);
    }
    return slot;
}

static void rest_add(struct engine_queue *queue, struct engine_slot *slot)
{
    list_add(&queue->rest, slot);
    queue->rest_count++;
}

/* Where an event belongs by its time. */
static void place(struct engine_queue *queue, struct engine_slot *slot)
{
    int64_t time = time_of(slot);
    if (time < queue->near_end_ps) {
        near_add(queue, slot);
    } else if (time < queue->rest_start_ps) {
        list_add(&queue->bucket[(time - queue->start_ps) >> queue->shift], slot);
    } else {
        rest_add(queue, slot);
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The earliest time of the rest, and one that about three quarters are not later than: a few events
 * far away do not make buckets wide. */
static void sample_rest(const struct engine_queue *queue, int64_t *first_ps, int64_t *most_ps)
{
    int64_t sample[SAMPLES];
    size_t stride = queue->rest_count / SAMPLES, i = 0;
    *first_ps = INT64_MAX;
    for (const struct engine_slot *slot = queue->rest; slot != NULL; slot = slot->next, i++) {
        int64_t time = time_of(slot);
        *first_ps = time < *first_ps ? time : *first_ps;
        if (i % stride == 0 && i / stride < SAMPLES) {
            sample[i / stride] = time;
        }
    }
    qsort(sample, SAMPLES, sizeof *sample, by_time);
    *most_ps = sample[SAMPLES * 3 / 4];
}

/* Lays empty buckets from `first_ps` to `most_ps` and a little beyond. */
static void lay_buckets(struct engine_queue *queue, int64_t first_ps, int64_t most_ps)
{
    queue->buckets = queue->rest_count / PER_BUCKET;
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
    struct engine_slot *list = queue->rest;
    int64_t first_ps, most_ps;
    queue->near_end_ps = INT64_MAX;
    queue->buckets = queue->bucket_next = 0;
    if (queue->rest_count > FEW) {
        sample_rest(queue, &first_ps, &most_ps);
        lay_buckets(queue, first_ps, most_ps);
    }
    queue->rest = NULL;
    queue->rest_count = 0;
    while (list != NULL) {
        place(queue, list_take(&list));
    }
}

/* The heap is empty, the queue is not. */
static void refill(struct engine_queue *queue)
{
    while (queue->near == 0) {
        if (queue->bucket_next == queue->buckets) {
            deal(queue);
            continue;
        }
        struct engine_slot **list = &queue->bucket[queue->bucket_next++];
        queue->near_end_ps = queue->start_ps + ((int64_t)queue->bucket_next << queue->shift);
        while (*list != NULL) {
            near_add(queue, list_take(list));
        }
    }
}

/* A heap of all events has become too large. */
static void spill(struct engine_queue *queue)
{
    for (size_t i = 0; i < queue->near; i++) {
        rest_add(queue, queue->node[i].slot);
    }
    queue->near = 0;
    refill(queue);
}

void engine_queue_push(struct engine_queue *queue, const void *event)
{
    place(queue, slot_of(queue, event));
    queue->count++;
    if (queue->near == 0) {
        refill(queue);
    } else if (queue->near > MANY && queue->near_end_ps == INT64_MAX) {
        spill(queue);
    }
}

void *engine_queue_take(struct engine_queue *queue)
{
    assert(queue->near > 0);
    struct engine_slot *slot = near_take(queue);
    if (--queue->count > 0 && queue->near == 0) {
        refill(queue);
    }
    return event_of(slot);
}

static void each_of_list(struct engine_slot *list, void (*visit)(void *context, const void *event),
                         void *context)
{
    for (struct engine_slot *slot = list; slot != NULL; slot = slot->next) {
        visit(context, event_of(slot));
    }
}

void engine_queue_each(const struct engine_queue *queue,
                       void (*visit)(void *context, const void *event), void *context)
{
    for (size_t i = 0; i < queue->near; i++) {
        visit(context, event_of(queue->node[i].slot));
    }
    for (size_t b = queue->bucket_next; b < queue->buckets; b++) {
        each_of_list(queue->bucket[b], visit, context);
    }
    each_of_list(queue->rest, visit, context);
}

struct span {
    int64_t from_ps, end_ps;
    size_t events;
    bool valid;
};

static void check(void *context, const void *event)
{
    struct span *span = context;
    int64_t time = time_of((const struct engine_slot *)event - 1);
    span->valid = span->valid && time >= span->from_ps && time < span->end_ps;
    span->events++;
}

bool engine_queue_is_valid(const struct engine_queue *queue)
{
    struct span span = {INT64_MIN, queue->near_end_ps, 0, queue->near > 0 || queue->count == 0};
    for (size_t i = 0; i < queue->near; i++) {
        const struct engine_node *node = &queue->node[i];
        check(&span, event_of(node->slot));
        span.valid = span.valid && (i == 0 || !before(node, &queue->node[(i - 1) / FANOUT]));
    }
    for (size_t b = queue->bucket_next; b < queue->buckets; b++) {
        span.from_ps = queue->start_ps + ((int64_t)b << queue->shift);
        span.end_ps = queue->start_ps + ((int64_t)(b + 1) << queue->shift);
        each_of_list(queue->bucket[b], check, &span);
    }
    span.from_ps = queue->rest_start_ps;
    span.end_ps = INT64_MAX;
    each_of_list(queue->rest, check, &span);
    return span.valid && span.events == queue->count;
}
