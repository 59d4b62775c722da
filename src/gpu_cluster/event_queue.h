/* SPDX-License-Identifier: BSD-3-Clause */
/* Events of one partition in the order of (time, key). */
#ifndef GPU_CLUSTER_EVENT_QUEUE_H
#define GPU_CLUSTER_EVENT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

/* What happens, in the order in which it happens at one moment. */
enum gpu_event_kind {
    GPU_EVENT_LINK,       /* the head of a chunk reaches a link */
    GPU_EVENT_DELIVER,    /* a chunk is complete at a GPU, and the GPU has noticed */
    GPU_EVENT_WAVE,       /* a wave of blocks has finished */
    GPU_EVENT_COLLECTIVE, /* a collective kernel is ready to move bytes */
    GPU_EVENT_OP,         /* the stream reaches an op that is launched */
    GPU_EVENT_STEP,       /* the host begins a step */
};

/* An event and, between partitions, a message: plain data. */
struct gpu_event {
    int64_t time_ps;
    uint64_t key;           /* orders events of one time; depends on what happens and where only */
    int64_t tail_ps;        /* chunk: when its last byte can have come this far */
    int64_t queued_ps;      /* chunk: time spent in queues so far */
    int32_t kind, target;   /* target: GPU, or link of a GPU_EVENT_LINK */
    int32_t from, to;       /* chunk: GPUs */
    int32_t bytes, hop;     /* chunk: size, place on its path */
    int32_t step, sequence; /* chunk: the op that sent it; sequence -1: point to point */
    int32_t chunk, channel;
};

struct gpu_event_node {
    int64_t time_ps;
    uint64_t key;
    uint32_t slot;
};

/* Zero-initialise; release when done. */
struct gpu_event_queue {
    struct gpu_event_node *node;
    struct gpu_event *event; /* by slot */
    uint32_t *free_slot;
    size_t count, nodes, events, frees; /* pending; capacities */
    size_t used, freed;
};

/* kind, target and source decide among events of one time: 4, 24, 24 bits; then 12 bits of the
 * chunk. */
uint64_t gpu_event_key(const struct gpu_event *event);

/* Copies the event; its key must be set. */
void gpu_event_queue_push(struct gpu_event_queue *queue, const struct gpu_event *event);

/* The queue may not be empty. */
struct gpu_event gpu_event_queue_pop(struct gpu_event_queue *queue);

static inline int64_t gpu_event_queue_next_ps(const struct gpu_event_queue *queue)
{
    return queue->count > 0 ? queue->node[0].time_ps : INT64_MAX;
}

void gpu_event_queue_release(struct gpu_event_queue *queue);

#endif
