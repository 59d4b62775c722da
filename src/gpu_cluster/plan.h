/* SPDX-License-Identifier: BSD-3-Clause */
/* What one GPU of a pipeline stage launches in a step: kernels, collectives, sends. */
#ifndef GPU_CLUSTER_PLAN_H
#define GPU_CLUSTER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu_cluster/call.h"
#include "gpu_cluster/gpu_cluster.h"
#include "gpu_cluster/kernel.h"

enum gpu_action { GPU_ACTION_KERNEL, GPU_ACTION_COLLECTIVE, GPU_ACTION_SEND, GPU_ACTION_RECEIVE };

/* Point-to-point streams into a GPU: hidden states of the stage before, tokens of the last
 * stage. */
enum gpu_channel { GPU_CHANNEL_HIDDEN, GPU_CHANNEL_TOKEN, GPU_CHANNELS };

struct gpu_plan_op {
    enum gpu_action action;
    enum gpu_op op;
    int32_t layer;
    /* GPU_ACTION_KERNEL; of attention: for the keys of the first step of this shape; of experts:
     * for tokens spread evenly. */
    struct gpu_kernel kernel;
    struct gpu_attention attention; /* sequences 0: not attention */
    int32_t group;                  /* of the batch, whose attention it is */
    struct gpu_experts experts;     /* rows 0: not experts */
    struct gpu_call call;           /* GPU_ACTION_COLLECTIVE */
    int64_t bytes;                  /* send, receive: what one GPU moves */
    enum gpu_channel channel;
    int64_t quiet_ps; /* from the start of this op, nothing leaves the GPU for at least so long */
};

struct gpu_plan_step {
    struct gpu_plan_op *op;
    int32_t count, capacity;
    int64_t tokens; /* that pass through the model */
};

/* One stage is `tensor` GPUs with the same list; steps whose batches are alike share a shape. */
struct gpu_plan {
    int32_t stages, tensor, steps, shapes;
    size_t capacity;            /* of shapes */
    struct gpu_batch *batch;    /* [shapes]: of the first step of each */
    struct gpu_plan_step *step; /* [shapes][stages] */
    int32_t *shape;             /* [steps] */
};

/* The job must be valid. Release with gpu_plan_release. */
struct gpu_plan gpu_plan_build(const struct gpu_job *job);
void gpu_plan_release(struct gpu_plan *plan);

/* A plan of one step without ops and without a batch, to be made by hand. */
struct gpu_plan gpu_plan_by_hand(int32_t stages, int32_t tensor);

/* Appends an op; for plans made by hand. */
void gpu_plan_append(struct gpu_plan_step *step, struct gpu_plan_op op);

/* Fills quiet_ps of all ops; builders by hand call it last. No draw makes a kernel or the host
 * faster than half of its mean, so half of the floors is a bound. */
void gpu_plan_bound(struct gpu_plan *plan);

const struct gpu_plan_step *gpu_plan_step_of(const struct gpu_plan *plan, int32_t stage,
                                             int32_t step);

/* Of the operands of products. */
enum gpu_number gpu_plan_number(const struct gpu_job *job);

#endif
