/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run leaves behind: rows of steps, kernels, collectives and links, and totals. */
#ifndef GPU_CLUSTER_GPU_TABLES_H
#define GPU_CLUSTER_GPU_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* Run-time decisions, by who makes them. */
enum gpu_decision {
    GPU_DECISION_LAUNCH,      /* host: a kernel or graph launch */
    GPU_DECISION_DISPATCH,    /* block scheduler: a block to an SM */
    GPU_DECISION_WAVE,        /* block scheduler: a round over the free SMs */
    GPU_DECISION_PICK,        /* warp scheduler: a group of warps, and what it does next */
    GPU_DECISION_HIT,         /* L2: a line of 128 bytes is there */
    GPU_DECISION_MISS,        /* L2: it is not, and comes from HBM */
    GPU_DECISION_ARBITRATION, /* link: which flow goes next, one a chunk and hop */
    GPU_DECISION_COLLECTIVE,  /* collective kernel: a chunk forwarded */
    GPU_DECISION_BATCH,       /* engine: a batch formed */
    GPU_DECISION_CLASSES
};
const char *gpu_decision_name(enum gpu_decision decision);

/* Kernels and collectives, after fusion. */
enum gpu_op {
    GPU_OP_EMBED,
    GPU_OP_NORM,
    GPU_OP_QKV,
    GPU_OP_ROPE_KV,
    GPU_OP_ATTENTION,
    GPU_OP_O,
    GPU_OP_GATE_UP,
    GPU_OP_ACTIVATE,
    GPU_OP_DOWN,
    GPU_OP_ROUTER,
    GPU_OP_CHOOSE,
    GPU_OP_EXPERTS_GATE_UP,
    GPU_OP_EXPERTS_DOWN,
    GPU_OP_COMBINE,
    GPU_OP_HEAD,
    GPU_OP_SAMPLE,
    GPU_OP_QUANTIZE,
    GPU_OP_ALL_REDUCE,
    GPU_OP_ALL_GATHER,
    GPU_OP_SEND,
    GPU_OP_RECEIVE,
    GPU_OP_REDUCE_SCATTER,
    GPU_OP_ALL_TO_ALL,
    GPU_OP_BROADCAST,
    GPU_OP_COUNT
};
const char *gpu_op_name(enum gpu_op op);

/* What a kernel's time was made of, its largest part. */
enum gpu_bound {
    GPU_BOUND_TENSOR,
    GPU_BOUND_HBM,
    GPU_BOUND_L2,
    GPU_BOUND_LATENCY,
    GPU_BOUND_LAUNCH,
    GPU_BOUND_COUNT
};
const char *gpu_bound_name(enum gpu_bound bound);

/* Rows of output. All times in picoseconds from the start of the run; ids are global; layer -1:
 * outside the layers. Within a table the fields before start_ps are a key: sorted by them, the rows
 * of all partitions are in one order. */
struct gpu_step_row {
    int32_t step, gpu;
    int32_t prefill; /* 1: prompts or parts of them, perhaps beside sequences that generate */
    int32_t tokens, kv_positions;
    int64_t start_ps, end_ps; /* host begins the step; host has the result */
    /* Sum: end - start; collective includes waiting for peers. */
    int64_t host_ps, compute_ps, collective_ps, idle_ps;
};

struct gpu_kernel_row {
    int32_t step, gpu, sequence; /* sequence: place in the step */
    int32_t layer, op, bound;    /* enum gpu_op, enum gpu_bound */
    int32_t blocks, waves, split_k;
    int64_t start_ps, end_ps;
    int64_t queue_ps; /* stream idle before the start because the launch came late */
};

struct gpu_collective_row {
    int32_t step, gpu, sequence;
    int32_t layer, op;
    int64_t bytes; /* of the whole collective */
    int64_t start_ps, end_ps;
    int64_t wait_ps;  /* until the first chunk came, beyond what an idle network and punctual peers
                         cost */
    int64_t queue_ps; /* sum over received chunks: time spent queueing for links */
};

struct gpu_link_row {
    int32_t link, from, to; /* endpoints as gpu_endpoint_name reads them */
    int64_t busy_ps, neighbour_busy_ps;
    int64_t queued_ps; /* sum over this job's chunks */
    int64_t longest_queue_ps;
    int64_t bytes, neighbour_bytes;
    int64_t chunks, neighbour_messages;
};

struct gpu_totals {
    int64_t events, kernels, collectives, messages;
    int64_t decisions[GPU_DECISION_CLASSES];
};

/* Views of one partition's tables; valid until the world is advanced or freed. Unsorted. */
struct gpu_tables {
    const struct gpu_step_row *step;
    const struct gpu_kernel_row *kernel;
    const struct gpu_collective_row *collective;
    const struct gpu_link_row *link; /* rows are complete only when the run is over */
    const int64_t
        *decisions; /* [steps][GPU_DECISION_CLASSES]: this partition's share; add over partitions */
    size_t steps, kernels, collectives, links;
    struct gpu_totals totals; /* this partition's share; add over partitions */
};

#endif
