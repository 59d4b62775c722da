/* SPDX-License-Identifier: BSD-3-Clause */
/* One collective alone: how long it takes in the event simulation, and why. */
#ifndef GPU_CLUSTER_PREDICT_H
#define GPU_CLUSTER_PREDICT_H

#include "gpu_cluster/algorithm.h"
#include "gpu_cluster/nccl.h"
#include "gpu_cluster/world.h"

/* What is asked. GPUs 0 .. ranks - 1 of the cluster take part; its neighbour and its degraded ports
 * are simulated too. */
struct gpu_question {
    enum gpu_op op; /* all_reduce, all_gather, reduce_scatter, all_to_all, broadcast or send */
    int32_t ranks;
    int64_t bytes; /* as struct gpu_call counts them */
    struct gpu_call_wish wish;
    uint64_t seed; /* of the neighbour */
};

struct gpu_prediction {
    int64_t time_ps; /* from the launch on all GPUs to the end of the last */
    struct gpu_call call;
    struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES]; /* the fastest first */
    int32_t candidates;                                       /* 0: the library does not compare */
    struct gpu_phase phase[GPU_PHASES];                       /* of member 0 */
    int32_t lanes;                                            /* of a member */
    int64_t chunks, arbitrations, events;                     /* of all members */
    int64_t queue_ps;                                         /* of all chunks, for links */
    int64_t busiest_bytes, busiest_ps;                        /* of the link that works longest */
    int32_t busiest_from, busiest_to;                         /* its endpoints */
};

/* The question must be possible (gpu_call_is_possible). */
struct gpu_prediction gpu_collective_predict(const struct gpu_chip *chip,
                                             const struct gpu_cluster_spec *cluster,
                                             const struct gpu_question *question);

/* GB/s of payload on every port that this time stands for, as nccl-tests define it. */
double gpu_collective_bus_gb_per_s(enum gpu_op op, int32_t ranks, int64_t bytes, int64_t time_ps);

/* The op of a name ("all_reduce"); GPU_OP_COUNT: there is none. */
enum gpu_op gpu_collective_op_of(const char *name);

#endif
