/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of ops, bounds and decisions, as records and summaries show them. */
#include "gpu_cluster/gpu_tables.h"

const char *gpu_decision_name(enum gpu_decision decision)
{
    static const char *const name[] = {
        [GPU_DECISION_LAUNCH] = "launches",
        [GPU_DECISION_DISPATCH] = "block dispatches",
        [GPU_DECISION_WAVE] = "waves",
        [GPU_DECISION_PICK] = "warp picks",
        [GPU_DECISION_HIT] = "L2 hits",
        [GPU_DECISION_MISS] = "L2 misses",
        [GPU_DECISION_ARBITRATION] = "arbitrations",
        [GPU_DECISION_COLLECTIVE] = "collective chunks",
        [GPU_DECISION_BATCH] = "batches",
    };
    return name[decision];
}

const char *gpu_op_name(enum gpu_op op)
{
    static const char *const name[] = {
        [GPU_OP_EMBED] = "embed",
        [GPU_OP_NORM] = "norm",
        [GPU_OP_QKV] = "qkv",
        [GPU_OP_ROPE_KV] = "rope_kv",
        [GPU_OP_ATTENTION] = "attention",
        [GPU_OP_O] = "o",
        [GPU_OP_GATE_UP] = "gate_up",
        [GPU_OP_ACTIVATE] = "activate",
        [GPU_OP_DOWN] = "down",
        [GPU_OP_ROUTER] = "router",
        [GPU_OP_CHOOSE] = "choose",
        [GPU_OP_EXPERTS_GATE_UP] = "experts_gate_up",
        [GPU_OP_EXPERTS_DOWN] = "experts_down",
        [GPU_OP_COMBINE] = "combine",
        [GPU_OP_HEAD] = "head",
        [GPU_OP_SAMPLE] = "sample",
        [GPU_OP_QUANTIZE] = "quantize",
        [GPU_OP_ALL_REDUCE] = "all_reduce",
        [GPU_OP_ALL_GATHER] = "all_gather",
        [GPU_OP_SEND] = "send",
        [GPU_OP_RECEIVE] = "receive",
        [GPU_OP_REDUCE_SCATTER] = "reduce_scatter",
        [GPU_OP_ALL_TO_ALL] = "all_to_all",
        [GPU_OP_BROADCAST] = "broadcast",
    };
    return name[op];
}

const char *gpu_bound_name(enum gpu_bound bound)
{
    static const char *const name[] = {
        [GPU_BOUND_TENSOR] = "tensor",   [GPU_BOUND_HBM] = "hbm",       [GPU_BOUND_L2] = "l2",
        [GPU_BOUND_LATENCY] = "latency", [GPU_BOUND_LAUNCH] = "launch",
    };
    return name[bound];
}
