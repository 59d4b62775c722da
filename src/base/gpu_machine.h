/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptions of GPUs and GPU clusters, filled from .cfg files. Time in picoseconds, rates in
 * units a second. */
#ifndef BASE_GPU_MACHINE_H
#define BASE_GPU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/machine.h"

/* How a collective goes about it; AUTO: what the library would take. */
enum gpu_algorithm {
    GPU_ALGORITHM_AUTO,
    GPU_ALGORITHM_RING,
    GPU_ALGORITHM_TREE,     /* two binary trees over nodes, chains inside */
    GPU_ALGORITHM_NVLS,     /* the switch adds and copies; between nodes trees of the heads */
    GPU_ALGORITHM_ONE_SHOT, /* everybody reads everything */
    GPU_ALGORITHM_TWO_SHOT, /* everybody adds a part, then reads the parts of the others */
    GPU_ALGORITHM_DIRECT,   /* point to point */
    GPU_ALGORITHMS
};

/* How bytes and the news of them travel. */
enum gpu_protocol {
    GPU_PROTOCOL_AUTO,
    GPU_PROTOCOL_LL,     /* 8-byte lines, half of them flags: least latency, half the rate */
    GPU_PROTOCOL_LL128,  /* 128-byte lines, 8 of them flags */
    GPU_PROTOCOL_SIMPLE, /* large slices, a fence and a counter each: full rate */
    GPU_PROTOCOLS
};

/* Whose all-reduce a model's layers call. */
enum gpu_all_reduce { GPU_ALL_REDUCE_ENGINE, GPU_ALL_REDUCE_NCCL };

/* Columns of NCCL's table of constants. */
enum gpu_generation { GPU_GENERATION_AMPERE, GPU_GENERATION_HOPPER, GPU_GENERATION_BLACKWELL };

/* What a collective costs beside links. */
struct gpu_block_cost {
    int64_t base_ps;    /* a call: launch, connection set-up, last store */
    int64_t step_ps;    /* a step of a block: wait for the flag, fence, post */
    double bytes_per_s; /* what the block of one channel moves; 0: no limit */
    double link_share;  /* of NVLink's rate that such traffic attains; 0: all of it */
};

/* Collectives on one GPU type. */
struct gpu_collectives {
    unsigned generation;                     /* enum gpu_generation */
    int32_t channels, nvls_channels;         /* most that the library uses */
    double ring_bytes_per_s;                 /* all channels, as the library's cost model has it */
    struct gpu_block_cost ll, ll128, simple; /* rings, trees */
    struct gpu_block_cost nvls;   /* rate: of one warp group, there are three a channel */
    struct gpu_block_cost direct; /* all-to-all and transfers, Simple */
    double one_way_link;          /* link_share of a transfer, with nothing the other way */
    struct gpu_block_cost shot;   /* one- and two-shot */
    int64_t warp_ps;              /* LL: a block with w busy warps starts w times so late */
    int64_t direct_part_bytes;    /* point to point: of a message, before a channel more is taken */
    int64_t shot_fence_ps;    /* two-shot: sums made visible to all, for each doubling of members */
    int64_t eager_ps;         /* host time of the engine's all-reduce where it is not captured */
    int64_t shot_limit_bytes; /* the engine's all-reduce takes less than that */
};

/* One GPU type, with the host that drives it. */
struct gpu_chip {
    char name[MACHINE_NAME_BYTES];
    int32_t sms, sm_version; /* generation of the SM: 80 Ampere, 90 Hopper, 100 Blackwell */
    int64_t clock_hz;
    double fp16_flops, fp8_flops; /* dense tensor-core peak, flop/s */
    double tensor_efficiency;     /* share of the peak that tensor cores sustain: power */
    double fp8_efficiency;        /* the same for fp8 */
    double tensor_sustained;      /* share of either peak that long runs of them sustain: power */
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
    double softmax_ops; /* fp32 operations for a score beside its exponential, or for a result */
    int32_t fp32_lanes, exp_lanes; /* fp32 operations, and exponentials, of an SM in a cycle */
    double hbm_expert_efficiency;  /* as hbm_efficiency, weights of experts */
    double hbm_part_efficiency;    /* share of that where experts' tiles take half a line */
    double gather_flow;            /* share of sm_bytes_per_s where rows of experts are gathered */
    char tuned_experts[MACHINE_PATH_BYTES]; /* "8x3584 ...": EXPERTSxWIDTH with tuned tiles */
    double power_w;
    struct gpu_collectives collectives;
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
    int64_t nvlink_bytes_per_s; /* one GPU to its switch, peak */
    double nic_efficiency;      /* achievable share of the peak of a NIC; 0: all of it */
    int64_t nvlink_latency_ps;  /* GPU to GPU through the switch */
    int64_t nic_bytes_per_s;    /* one NIC a GPU */
    int64_t nic_latency_ps;     /* GPU to leaf switch, NIC included */
    int64_t switch_latency_ps;  /* one switch hop */
    int32_t nics_per_node;      /* that NCCL finds; 0: one a GPU */
    int64_t nic_message_ps;     /* a NIC's time for a message beside its bytes */
    /* The host's proxy posts what goes to another node: lines; slices of Simple, and all that is
     * longer than eager_bytes, which need an answer or a flush. eager_bytes 0: no limit. */
    int64_t line_post_ps, slice_post_ps, eager_bytes;
    bool ll128_inside_only; /* the network may split lines of LL128 */
    int64_t
        tuner_net_ps; /* latency that a plug-in of the network tells NCCL's choice; 0: none does */
    double oversubscription;        /* leaf down : up */
    int32_t leaf_ports;             /* NICs a leaf switch */
    bool rail_optimised;            /* a leaf joins the GPUs of one place in their nodes */
    int32_t degraded_gpu;           /* whose ports are slow; -1: nobody's */
    double degraded_share;          /* of the rate that these ports have left */
    unsigned all_reduce;            /* enum gpu_all_reduce */
    unsigned collective_algorithm;  /* enum gpu_algorithm */
    unsigned collective_protocol;   /* enum gpu_protocol */
    int32_t collective_channels;    /* 0: the library's choice */
    int64_t collective_chunk_bytes; /* 0: the protocol's */
    bool captured_graph;            /* decode steps replay one captured graph */
    int32_t tensor_parallel, pipeline_parallel;
    int32_t weight_bytes, kv_bytes; /* an element: 2 fp16 or bf16, 1 fp8 */
    bool weight_blocks;             /* fp8: a scale for 128 numbers, not one for a tensor */
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
