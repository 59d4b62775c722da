/* SPDX-License-Identifier: BSD-3-Clause */
/* One partition of the cluster from the inside: state of GPUs and links. */
#ifndef GPU_CLUSTER_WORLD_H
#define GPU_CLUSTER_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "gpu_cluster/algorithm.h"
#include "gpu_cluster/contention.h"
#include "gpu_cluster/event.h"
#include "gpu_cluster/gpu_cluster.h"
#include "gpu_cluster/neighbour.h"
#include "gpu_cluster/plan.h"
#include "gpu_cluster/routing.h"
#include "interconnect/contended.h"
#include "interconnect/gpu_topology.h"

struct gpu_lane {
    int32_t next, moves;
    int32_t first;        /* of its moves in `arrived` */
    struct gpu_move move; /* the next one, unless next is moves */
    int64_t free_ps;      /* when the move before has done */
    bool posted;          /* an event at free_ps is pending */
};

/* Moves of one phase of a collective on one GPU. */
struct gpu_phase {
    int64_t moves, bytes;
    int64_t busy_ps; /* sum over moves, start to end */
    int64_t first_ps, last_ps;
};

/* The collective that a GPU is in, and chunks that came before it got there. */
struct gpu_run {
    struct gpu_lane *lane;
    uint16_t *arrived; /* chunks of each move */
    int32_t lanes, lanes_left;
    size_t lane_capacity, arrived_capacity;
    bool moving;      /* the kernel moves bytes */
    int64_t ready_ps; /* since when */
    int64_t end_ps;   /* of the latest move */
    int64_t wait_ps;  /* for the first chunk, beyond what it had needed on an idle network */
    bool has_waited;  /* the first chunk has come */
    int64_t queue_ps; /* of the chunks that have come */
    int64_t chunks;
    struct gpu_event *early; /* chunks of collectives to come */
    size_t earlies, early_capacity;
    struct gpu_phase phase[GPU_PHASES];
};

struct gpu_state {
    int32_t gpu, stage, rank; /* rank within the tensor group */
    int32_t step, sequence;   /* of the op at hand */
    bool done;
    double slowdown; /* 1: as fast as its siblings */
    /* host and stream */
    int32_t calls; /* steps that the scheduler has asked for */
    bool idle;     /* through with the last step, the next has not begun */
    int64_t ended_ps;
    int64_t launch_ps; /* when the host has launched the op at hand */
    int64_t op_start_ps, op_queue_ps;
    /* kernel at hand */
    struct gpu_kernel kernel;
    double kernel_factor;
    int32_t blocks_left, waves;
    enum gpu_bound bound;
    int64_t sms_free_ps; /* when the sends that take SMs beside the stream are through */
    int32_t sms_taken;   /* by them, until then */
    /* collective at hand */
    struct gpu_run run;
    struct gpu_batch batch;    /* of the step at hand */
    int64_t transfer_queue_ps; /* queueing of point-to-point chunks that have arrived */
    int64_t arrived[GPU_CHANNELS], wanted[GPU_CHANNELS]; /* point to point, chunks */
    struct gpu_step_row row;                             /* of the step at hand */
};

struct gpu_rows {
    struct gpu_step_row *step;
    struct gpu_kernel_row *kernel;
    struct gpu_collective_row *collective;
    struct gpu_link_row *link;
    int64_t *decisions;
    size_t steps, kernels, collectives, links;
    size_t step_capacity, kernel_capacity, collective_capacity;
    struct gpu_totals totals;
};

struct gpu_world {
    struct gpu_job job;
    struct gpu_plan plan;
    struct gpu_routing *routing; /* [layers of the model] */
    struct gpu_topology topology;
    int32_t partition, partitions;
    int32_t first_gpu, gpus;     /* GPUs of this partition */
    struct gpu_state *gpu;       /* [gpus]; those beyond the working GPUs are done at once */
    struct contended_link *link; /* [links of the topology]; open only where home is here */
    struct neighbour_exchange exchange;
    struct neighbour_source *source; /* NULL: no neighbour */
    double run_factor;               /* of hosts; that of kernels is in their GPU's slowdown */
    struct gpu_tenant tenant;        /* whose kernels run on the same GPUs */
    struct engine *engine;
    /* Least latency from a GPU towards another partition: from the GPUs here; from any GPU to any
     * peer. */
    int64_t exit_ps, any_exit_ps;
    int64_t least_step_ps; /* of a collective or transfer: nothing leaves a GPU sooner */
    struct gpu_rows rows;
};

/* A world of a plan and a topology made by hand; takes over both. */
struct gpu_world *gpu_world_create_from(const struct gpu_job *job, struct gpu_plan plan,
                                        struct gpu_topology topology, int32_t partition,
                                        int32_t partitions);

static inline struct gpu_state *gpu_world_gpu(const struct gpu_world *world, int32_t gpu)
{
    return &world->gpu[gpu - world->first_gpu];
}

/* Sets the key and posts the event to the partition where it belongs. */
void gpu_world_post(struct gpu_world *world, struct gpu_event event);

void gpu_world_count(struct gpu_world *world, int32_t step, enum gpu_decision decision,
                     int64_t times);

/* host.c: steps of the engine, launches, the stream. */
void gpu_host_take_call(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
/* From the results of the step before to the call for `step` at the workers of a stage. */
int64_t gpu_host_call_ps(const struct gpu_world *world, int32_t stage, int32_t step);
void gpu_host_begin_op(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
void gpu_host_end_op(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
const struct gpu_plan_op *gpu_host_op(const struct gpu_world *world, const struct gpu_state *gpu);

/* sm.c: blocks to SMs. */
void gpu_sm_begin_kernel(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
void gpu_sm_end_wave(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);

/* collective.c: collectives, lane by lane. */
void gpu_collective_begin(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
void gpu_collective_move(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
void gpu_collective_go_on(struct gpu_world *world, const struct gpu_event *event);
void gpu_collective_deliver(struct gpu_world *world, const struct gpu_event *chunk);
void gpu_collective_release(struct gpu_state *gpu);
/* Records the op at hand and goes on to the next. */
void gpu_collective_end(struct gpu_world *world, struct gpu_state *gpu, int64_t wait_ps,
                        int64_t queue_ps, int64_t now_ps);
/* Whether a chunk is for the op that its GPU is moving bytes for. */
bool gpu_collective_takes(const struct gpu_state *gpu, const struct gpu_event *chunk);

/* transfer.c: between stages. */
void gpu_transfer_begin(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
void gpu_transfer_move(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps);
void gpu_transfer_deliver(struct gpu_world *world, const struct gpu_event *chunk);
int64_t gpu_transfer_pieces(const struct gpu_world *world, const struct gpu_plan_op *op);

/* network.c: chunks over links. Sends from chunk->from at `offered_ps`; its last byte comes out of
 * the GPU at chunk->tail_ps or later. Changes the chunk. Returns when the last byte has left the
 * GPU. */
int64_t gpu_network_send(struct gpu_world *world, struct gpu_event *chunk, int64_t offered_ps);
void gpu_network_arrive(struct gpu_world *world, const struct gpu_event *chunk);
/* Of a chunk on link `hop` of its path: where the switch adds or copies, the links on one side of
 * it carry a share. */
int64_t gpu_network_bytes(const struct gpu_event *chunk, int32_t hop);
/* From the offer to the last byte at its GPU, on idle links. */
int64_t gpu_network_idle_ps(const struct gpu_world *world, const struct gpu_event *chunk);

/* promise.c: nothing that follows from what is pending or in the outbox takes effect in another
 * partition earlier. */
int64_t gpu_promise(const struct gpu_world *world);

/* Fills exit_ps and any_exit_ps. */
void gpu_promise_prepare(struct gpu_world *world);

/* tables.c */
bool gpu_rows_wanted(const struct gpu_world *world, int32_t step);
void gpu_rows_add_step(struct gpu_world *world, const struct gpu_step_row *row);
void gpu_rows_add_kernel(struct gpu_world *world, const struct gpu_kernel_row *row);
void gpu_rows_add_collective(struct gpu_world *world, const struct gpu_collective_row *row);

#endif
