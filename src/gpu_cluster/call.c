/* SPDX-License-Identifier: BSD-3-Clause */
/* What a collective call becomes: wishes first, then the library's choice, then its costs. */
#include "gpu_cluster/call.h"

#include <math.h>

#include "base/memory.h"
#include "gpu_cluster/algorithm.h"
#include "gpu_cluster/nccl.h"

struct gpu_call_wish gpu_call_wish_of(const struct gpu_cluster_spec *spec)
{
    return (struct gpu_call_wish){.algorithm = spec->collective_algorithm,
                                  .protocol = spec->collective_protocol,
                                  .channels = spec->collective_channels,
                                  .chunk_bytes = spec->collective_chunk_bytes,
                                  .all_reduce = spec->all_reduce};
}

/* Nodes that hold equal numbers of members, whole nodes or parts of one; otherwise one. */
static int32_t nodes_of(const struct gpu_cluster_spec *spec, int32_t first, int32_t ranks)
{
    int32_t each = spec->gpus_per_node;
    bool whole = first % each == 0 && ranks % each == 0;
    return whole ? ranks / each : 1;
}

static bool is_in_one_node(const struct gpu_cluster_spec *spec, int32_t first, int32_t ranks)
{
    return first / spec->gpus_per_node == (first + ranks - 1) / spec->gpus_per_node;
}

static bool is_for_shots(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                         const struct gpu_call_wish *wish, const struct gpu_call *call)
{
    return wish->all_reduce == GPU_ALL_REDUCE_ENGINE && call->op == GPU_OP_ALL_REDUCE &&
           is_in_one_node(spec, call->first, call->ranks) && call->ranks <= 8 &&
           call->bytes < chip->collectives.shot_limit_bytes;
}

/* vLLM, csrc/custom_all_reduce.cuh: one shot below 512 KiB on up to 4 GPUs, 256 KiB on up to 8. */
static enum gpu_algorithm shot_of(const struct gpu_call *call)
{
    int64_t limit = call->ranks <= 4 ? INT64_C(512) << 10 : INT64_C(256) << 10;
    return call->ranks == 2 || call->bytes < limit ? GPU_ALGORITHM_ONE_SHOT
                                                   : GPU_ALGORITHM_TWO_SHOT;
}

/* The fastest candidate among those that the wish allows; a wish that no candidate meets is taken
 * as it stands. */
static void choose_by_nccl(struct gpu_call *call, const struct gpu_chip *chip,
                           const struct gpu_cluster_spec *spec, const struct gpu_call_wish *wish)
{
    struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES];
    int32_t count = gpu_nccl_candidates(chip, spec, call, candidate);
    call->algorithm = wish->algorithm ? (enum gpu_algorithm)wish->algorithm : GPU_ALGORITHM_RING;
    call->protocol = wish->protocol ? (enum gpu_protocol)wish->protocol : GPU_PROTOCOL_SIMPLE;
    for (int32_t i = count - 1; i >= 0; i--) {
        bool allowed = (!wish->algorithm || wish->algorithm == candidate[i].algorithm) &&
                       (!wish->protocol || wish->protocol == candidate[i].protocol);
        call->algorithm = allowed ? candidate[i].algorithm : call->algorithm;
        call->protocol = allowed ? candidate[i].protocol : call->protocol;
    }
}

/* NCCL_P2P_LL_THRESHOLD: messages of at most 16 KiB. */
static void choose_direct(struct gpu_call *call, const struct gpu_call_wish *wish)
{
    int64_t peers = call->op == GPU_OP_ALL_TO_ALL ? call->ranks : 1;
    bool is_small = call->bytes / peers <= 16384;
    call->algorithm = GPU_ALGORITHM_DIRECT;
    call->protocol = is_small ? GPU_PROTOCOL_LL : GPU_PROTOCOL_SIMPLE;
    call->protocol = wish->protocol ? (enum gpu_protocol)wish->protocol : call->protocol;
}

static bool is_known_pair(const struct gpu_call_wish *wish, enum gpu_op op, int32_t nodes)
{
    switch ((enum gpu_algorithm)wish->algorithm) {
    case GPU_ALGORITHM_AUTO:
        return true;
    case GPU_ALGORITHM_RING:
        return op != GPU_OP_ALL_TO_ALL && op != GPU_OP_SEND;
    case GPU_ALGORITHM_DIRECT:
        return op == GPU_OP_ALL_TO_ALL || op == GPU_OP_SEND;
    case GPU_ALGORITHM_NVLS:
        return op == GPU_OP_ALL_REDUCE ||
               (nodes == 1 && (op == GPU_OP_ALL_GATHER || op == GPU_OP_REDUCE_SCATTER));
    default:
        return op == GPU_OP_ALL_REDUCE;
    }
}

static bool is_shot(unsigned algorithm)
{
    return algorithm == GPU_ALGORITHM_ONE_SHOT || algorithm == GPU_ALGORITHM_TWO_SHOT;
}

static void choose(struct gpu_call *call, const struct gpu_chip *chip,
                   const struct gpu_cluster_spec *spec, const struct gpu_call_wish *wish)
{
    bool shots = is_shot(wish->algorithm) ||
                 (!wish->algorithm && !wish->protocol && is_for_shots(chip, spec, wish, call));
    if (call->op == GPU_OP_ALL_TO_ALL || call->op == GPU_OP_SEND) {
        choose_direct(call, wish);
    } else if (shots && call->op == GPU_OP_ALL_REDUCE) {
        call->algorithm =
            is_shot(wish->algorithm) ? (enum gpu_algorithm)wish->algorithm : shot_of(call);
        call->protocol = GPU_PROTOCOL_SIMPLE;
    } else {
        choose_by_nccl(call, chip, spec, wish);
    }
}

/* LL: a block of 16 warps, of which so many have a line of 8 bytes a thread. */
static int64_t warps_of(const struct gpu_call *call)
{
    const int64_t warp_bytes = 256, most = 16;
    int64_t step = gpu_ceil_div(call->channel_bytes, call->ranks);
    int64_t warps = gpu_ceil_div(step, warp_bytes);
    return warps < most ? warps : most;
}

static void set_cost(struct gpu_call *call, const struct gpu_chip *chip,
                     const struct gpu_cluster_spec *spec)
{
    const struct gpu_collectives *c = &chip->collectives;
    bool simple = call->protocol == GPU_PROTOCOL_SIMPLE;
    call->cost = simple ? c->simple : call->protocol == GPU_PROTOCOL_LL ? c->ll : c->ll128;
    if (call->protocol == GPU_PROTOCOL_LL) {
        call->cost.base_ps += warps_of(call) * c->warp_ps;
    }
    if (call->algorithm == GPU_ALGORITHM_NVLS) {
        call->cost = c->nvls;
    } else if (is_shot(call->algorithm)) {
        call->cost = c->shot;
    } else if (call->algorithm == GPU_ALGORITHM_DIRECT && simple) {
        call->cost = c->direct;
    } else if (call->algorithm == GPU_ALGORITHM_DIRECT) {
        call->cost.base_ps = c->direct.base_ps;
    }
    if (call->op == GPU_OP_SEND && simple) {
        call->cost.link_share = c->one_way_link;
    }
    call->line_post_ps = spec->line_post_ps;
    call->slice_post_ps = spec->slice_post_ps;
    call->eager_bytes = spec->eager_bytes;
    call->fence_ps = llround((double)c->shot_fence_ps * log2(call->ranks));
}

/* A line of LL has as many flags as data, of LL128 8 bytes of flags in 128. */
static void set_line(struct gpu_call *call)
{
    const int32_t line[GPU_PROTOCOLS] = {1, 16, 128, 1}, data[GPU_PROTOCOLS] = {1, 8, 120, 1};
    call->line_bytes = line[call->protocol];
    call->line_data_bytes = data[call->protocol];
}

static void cut(struct gpu_call *call, const struct gpu_chip *chip,
                const struct gpu_call_wish *wish)
{
    const int64_t pack_bytes = 16;
    call->channels = wish->channels > 0 ? wish->channels : gpu_nccl_channels(chip, call);
    call->channel_bytes =
        gpu_ceil_div(gpu_ceil_div(call->bytes, call->channels), pack_bytes) * pack_bytes;
    gpu_nccl_cut(call);
    if (wish->chunk_bytes > 0) {
        call->chunk_bytes = wish->chunk_bytes;
    }
}

struct gpu_call gpu_call_make(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                              const struct gpu_call_wish *wish, enum gpu_op op, int32_t first,
                              int32_t ranks, int64_t bytes)
{
    struct gpu_call call = {.op = op, .first = first, .ranks = ranks, .bytes = bytes};
    call.nodes = nodes_of(spec, first, ranks);
    call.per_node = ranks / call.nodes;
    call.nics = spec->nics_per_node > 0 ? spec->nics_per_node : call.per_node;
    struct gpu_call_wish known = *wish;
    known.algorithm = is_known_pair(wish, op, call.nodes) ? wish->algorithm : GPU_ALGORITHM_AUTO;
    choose(&call, chip, spec, &known);
    cut(&call, chip, &known);
    set_cost(&call, chip, spec);
    set_line(&call);
    return call;
}

/* What the members cannot; NULL: nothing. */
static char *members_refuse(const struct gpu_cluster_spec *spec, int32_t ranks)
{
    int32_t gpus = spec->nodes * spec->gpus_per_node, each = spec->gpus_per_node;
    if (ranks < 2 || ranks > gpus) {
        return base_format("%d members; 2 to %d, the GPUs of the cluster, are possible", (int)ranks,
                           (int)gpus);
    }
    return ranks > each && ranks % each != 0
               ? base_format("%d members do not fill nodes of %d", (int)ranks, (int)each)
               : NULL;
}

/* Chunks are counted, and a chunk's bytes too, in 32 bits. */
static char *bytes_refuse(const struct gpu_call_wish *wish, int64_t bytes)
{
    const int64_t most_chunks = 1 << 20, most_shot = INT64_C(1) << 30;
    if (bytes < 1) {
        return base_format("%lld bytes; at least 1 must move", (long long)bytes);
    }
    if (wish->chunk_bytes > 0 && bytes / wish->chunk_bytes > most_chunks) {
        return base_format("chunks of %lld bytes: more than a million of them",
                           (long long)wish->chunk_bytes);
    }
    return is_shot(wish->algorithm) && bytes > most_shot
               ? base_format("one and two shots go up to 1 GiB")
               : NULL;
}

static char *algorithm_refuse(const struct gpu_chip *chip, const struct gpu_call_wish *wish,
                              enum gpu_op op, int32_t nodes)
{
    if (!is_known_pair(wish, op, nodes)) {
        return base_format("%s cannot be done by %s%s", gpu_op_name(op),
                           gpu_algorithm_name((enum gpu_algorithm)wish->algorithm),
                           nodes > 1 ? " across nodes" : "");
    }
    return wish->algorithm == GPU_ALGORITHM_NVLS && chip->collectives.nvls_channels == 0
               ? base_format("nvls: the switch of %s cannot add (nvls_channels = 0)", chip->name)
               : NULL;
}

bool gpu_call_is_possible(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                          const struct gpu_call_wish *wish, enum gpu_op op, int32_t ranks,
                          int64_t bytes, char **why)
{
    *why = algorithm_refuse(chip, wish, op, nodes_of(spec, 0, ranks));
    *why = *why ? *why : members_refuse(spec, ranks);
    *why = *why ? *why : bytes_refuse(wish, bytes);
    return *why == NULL;
}

struct gpu_call gpu_call_plain_ring(enum gpu_op op, int32_t ranks, int64_t bytes,
                                    int64_t slice_bytes)
{
    int64_t share = gpu_ceil_div(bytes, ranks);
    return (struct gpu_call){.op = op,
                             .algorithm = GPU_ALGORITHM_RING,
                             .protocol = GPU_PROTOCOL_SIMPLE,
                             .ranks = ranks,
                             .nodes = 1,
                             .per_node = ranks,
                             .bytes = bytes,
                             .channels = 1,
                             .channel_bytes = bytes,
                             .chunk_bytes = share,
                             .slices = (int32_t)gpu_ceil_div(share, slice_bytes),
                             .least_slice_bytes = 1,
                             .line_bytes = 1,
                             .line_data_bytes = 1};
}

int64_t gpu_call_channel_bytes(const struct gpu_call *call, int32_t channel)
{
    return gpu_part(call->bytes, call->channel_bytes, channel);
}

int64_t gpu_call_block_ps(const struct gpu_call *call, int64_t bytes)
{
    double rate = call->cost.bytes_per_s;
    return rate > 0 ? llround((double)bytes / rate * 1e12) : 0;
}

int64_t gpu_call_wire_bytes(const struct gpu_call *call, int64_t bytes, bool crosses_nodes)
{
    int64_t lines = gpu_ceil_div(bytes * call->line_bytes, call->line_data_bytes);
    double share = crosses_nodes ? 0 : call->cost.link_share;
    return share > 0 ? llround((double)lines / share) : lines;
}

int64_t gpu_call_post_ps(const struct gpu_call *call, int64_t bytes)
{
    bool simple = call->protocol == GPU_PROTOCOL_SIMPLE;
    bool asks = call->eager_bytes > 0 && bytes > call->eager_bytes;
    return simple || asks ? call->slice_post_ps : call->line_post_ps;
}

const char *gpu_algorithm_name(enum gpu_algorithm algorithm)
{
    static const char *const name[GPU_ALGORITHMS] = {"auto",     "ring",     "tree",  "nvls",
                                                     "one_shot", "two_shot", "direct"};
    return name[algorithm];
}

const char *gpu_protocol_name(enum gpu_protocol protocol)
{
    static const char *const name[GPU_PROTOCOLS] = {"auto", "ll", "ll128", "simple"};
    return name[protocol];
}

const struct gpu_algorithm_rules *gpu_algorithm_rules_of(const struct gpu_call *call)
{
    static const struct gpu_algorithm_rules *const rules[GPU_ALGORITHMS] = {
        [GPU_ALGORITHM_RING] = &gpu_algorithm_ring,
        [GPU_ALGORITHM_TREE] = &gpu_algorithm_tree,
        [GPU_ALGORITHM_NVLS] = &gpu_algorithm_nvls,
        [GPU_ALGORITHM_ONE_SHOT] = &gpu_algorithm_one_shot,
        [GPU_ALGORITHM_TWO_SHOT] = &gpu_algorithm_two_shot,
        [GPU_ALGORITHM_DIRECT] = &gpu_algorithm_direct,
    };
    return rules[call->algorithm];
}
