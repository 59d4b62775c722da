/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptions of GPUs and GPU clusters, filled from .cfg files. Time in picoseconds, rates in
 * units a second. */
#ifndef BASE_GPU_MACHINE_H
#define BASE_GPU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"

/* One GPU type, with the host that drives it. */
struct gpu_chip {
    char name[MACHINE_NAME_BYTES];
    int32_t sms, sm_version; /* generation of the SM: 80 Ampere, 90 Hopper, 100 Blackwell */
    int64_t clock_hz;
    double fp16_flops, fp8_flops; /* dense tensor-core peak, flop/s */
    double tensor_efficiency;     /* share of the peak that tensor cores sustain: power */
    double fp8_efficiency;        /* the same for fp8 */
    int64_t hbm_bytes;
    double hbm_bytes_per_s;       /* peak */
    double hbm_efficiency;        /* achievable share of peak: tiles of matrices */
    double hbm_stream_efficiency; /* the same for long runs: KV cache, streaming kernels */
    int64_t l2_bytes;
    double l2_keep; /* share of L2 that operands fill before they displace each other */
    double l2_bytes_per_s;
    int32_t shared_memory_bytes_per_sm, max_blocks_per_sm;
    int64_t kernel_floor_ps; /* shortest kernel in a graph: launch to launch */
    int64_t launch_ps;       /* host time of one eager launch */
    int64_t eager_gap_ps;    /* host time an op costs in eager mode, framework included */
    int64_t graph_launch_ps; /* host time of launching a captured graph, once a step */
    /* Engine, once a step: who goes into the batch, one decision for all GPUs, and telling it to
     * their workers; on each of these, inputs (and for each sequence more) and sampling. */
    int64_t engine_schedule_ps, engine_broadcast_ps, engine_inputs_ps, engine_sequence_ps;
    int64_t engine_sampling_ps;
    /* Coefficients of variation: of a launch, of the rest of an eager op, of each part of the
     * engine, of a kernel; of what all of them have in common for a whole run. */
    double launch_jitter_cv, eager_jitter_cv, engine_jitter_cv, kernel_jitter_cv, run_jitter_cv;
    double sm_bytes_per_s;     /* most that one SM draws from L2 or HBM */
    double row_scatter_cycles; /* of a row of queries that an attention tile gathers and scatters */
    int32_t l2_latency_cycles; /* from a load's issue to its first byte, where L2 has it */
    int32_t load_latency_cycles;  /* the same from HBM, other loads beside it */
    int32_t load_stages;          /* most steps of a main loop that are loaded ahead */
    int32_t loop_issue_cycles;    /* barrier, addresses and issue of a step of a main loop */
    int32_t block_tail_cycles;    /* from the last matrix instruction to the next block, no bytes */
    int64_t split_latency_ps;     /* adding up the parts of a split sum, no bytes */
    int64_t row_atomic_ps;        /* one atomic maximum of a row behind another, on one address */
    int64_t attention_floor_ps;   /* attention call without its tiles: split decision, combine */
    int64_t attention_combine_ps; /* adding up split keys, beside what its kernel loads */
    int64_t attention_pack_ps;    /* more where positions and query heads share tiles */
    int32_t attention_issue_cycles; /* as loop_issue_cycles, of a step of attention: masks */
    int32_t attention_tile_cycles;  /* of a tile beside its main loop, no bytes */
    double transpose_per_cycle;     /* fp8 values that an SM turns round for attention */
    double softmax_per_cycle;       /* elements of scores that an SM exponentiates and sums up */
    double hbm_part_efficiency; /* share of hbm_efficiency where experts' tiles take half a line */
    double gather_flow;         /* share of sm_bytes_per_s where rows of experts are gathered */
    char tuned_experts[MACHINE_PATH_BYTES]; /* "8x3584 ...": EXPERTSxWIDTH with tuned tiles */
    double power_w;
};

enum gpu_neighbour_pattern {
    GPU_NEIGHBOUR_ALL_TO_ALL,
    GPU_NEIGHBOUR_REPLICA, /* another replica's rings: each process to the next */
    GPU_NEIGHBOUR_STORAGE, /* into every GPU from elsewhere */
    GPU_NEIGHBOUR_PATTERNS
};

/* A cluster: nodes of GPUs on NVSwitch, nodes on an InfiniBand fat tree. Rates are each way. */
struct gpu_cluster_spec {
    int32_t nodes, gpus_per_node;
    int64_t nvlink_bytes_per_s;     /* one GPU to its switch */
    int64_t nvlink_latency_ps;      /* GPU to GPU through the switch */
    int64_t nic_bytes_per_s;        /* one NIC a GPU */
    int64_t nic_latency_ps;         /* GPU to leaf switch, NIC included */
    int64_t switch_latency_ps;      /* one switch hop */
    double oversubscription;        /* leaf down : up */
    int32_t leaf_ports;             /* NICs a leaf switch */
    int64_t collective_chunk_bytes; /* what a ring forwards at once */
    int64_t collective_base_ps;     /* fixed cost of one collective call */
    int64_t collective_step_ps;     /* one ring step without bytes */
    int32_t collective_channels;    /* SMs a collective takes */
    bool captured_graph;            /* decode steps replay one captured graph */
    int32_t tensor_parallel, pipeline_parallel;
    int32_t weight_bytes, kv_bytes; /* an element: 2 fp16 or bf16, 1 fp8 */
    int64_t link_quantum_bytes; /* a link serves at most this much of one tenant before it looks at
                                   the other */
    double straggler_share, straggler_slowdown; /* chance that a GPU is slow; its factor */
    int32_t slow_gpu;   /* the one whose kernels take slow_factor times as long */
    double slow_factor; /* 1 or less: it is as fast as the others */
    double spread; /* fastest to slowest GPU of the model, whiskers of a box plot, of the median */
    /* The neighbour: another tenant whose traffic shares links and switches. */
    bool neighbour;
    unsigned neighbour_pattern; /* enum gpu_neighbour_pattern */
    double neighbour_load;      /* share of a link's rate that it offers */
    int64_t neighbour_message_bytes;
    /* Another tenant's kernels on the same GPUs: share of the time that they run, mean length of
     * one run, shares of SMs and of bandwidth that they hold meanwhile. */
    double tenant_load, tenant_sms, tenant_bandwidth;
    int64_t tenant_run_ps;
};

#endif
