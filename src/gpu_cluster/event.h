/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens on a cluster, and in which order at one moment. */
#ifndef GPU_CLUSTER_EVENT_H
#define GPU_CLUSTER_EVENT_H

#include <stdint.h>

/* What happens, in the order in which it happens at one moment. */
enum gpu_event_kind {
    GPU_EVENT_LINK,       /* the head of a chunk reaches a link */
    GPU_EVENT_DELIVER,    /* a chunk is complete at a GPU, and the GPU has noticed */
    GPU_EVENT_WAVE,       /* a wave of blocks has finished */
    GPU_EVENT_COLLECTIVE, /* a collective kernel is ready to move bytes */
    GPU_EVENT_LANE,       /* a lane of it has finished a move */
    GPU_EVENT_OP,         /* the stream reaches an op that is launched */
    GPU_EVENT_STEP,       /* the scheduler calls a worker to a step */
};

/* An event and, between partitions, a message: plain data. Begins as a struct engine_stamp does. */
struct gpu_event {
    int64_t time_ps;
    uint64_t key;           /* orders events of one time; depends on what happens and where only */
    int64_t tail_ps;        /* chunk: when its last byte can have come this far */
    int64_t queued_ps;      /* chunk: time spent in queues so far */
    int32_t kind, target;   /* target: GPU, or link of a GPU_EVENT_LINK */
    int32_t from, to;       /* chunk: GPUs */
    int32_t bytes, hop;     /* chunk: size, place on its path */
    int32_t step, sequence; /* chunk: the op that sent it; sequence -1: point to point */
    int32_t chunk;   /* of a transfer: its number; of a collective: the move that it is for */
    int32_t lane;    /* of a collective: that it is for; -1: none; GPU_EVENT_LANE: that goes on */
    int32_t channel; /* of a transfer: the stream it belongs to */
    int32_t share;   /* as struct gpu_aim has it */
};

/* kind, target and source decide among events of one time: 4, 24, 24 bits; then 7 bits of the lane
 * and 5 of the chunk: what one GPU sends over one link follows each other in time. */
static inline uint64_t gpu_event_key(const struct gpu_event *event)
{
    return (uint64_t)event->kind << 60 | (uint64_t)(uint32_t)event->target << 36 |
           ((uint64_t)(uint32_t)event->from & 0xFFFFFF) << 12 |
           ((uint64_t)(uint32_t)event->lane & 0x7F) << 5 |
           ((uint64_t)(uint32_t)event->chunk & 0x1F);
}

#endif
