/* SPDX-License-Identifier: BSD-3-Clause */
/* NCCL's tuning, after src/graph/tuning.cc and src/enqueue.cc of NCCL 2.30.7.
 *
 * time = latency + bytes / bandwidth for every algorithm and protocol; the least wins. Constants
 * are the library's own. Left out: CollNet, PAT, PCI; the CPU is taken to be an Intel one. */
#include "gpu_cluster/nccl.h"

#include <math.h>

#include "gpu_cluster/algorithm.h"

enum { LL, LL128, SIMPLE, PROTOCOLS };
enum { ONE_NODE, TWO_NODES, MORE_NODES, SCALES };
enum { GENERATIONS = 3 };

static const double ring_base_us[PROTOCOLS] = {6.6, 14.0, 8.4};
static const double tree_base_us[PROTOCOLS] = {6.8, 14.0, 8.4};
static const double ring_nvlink_us[PROTOCOLS] = {0.6, 1.9, 3.4};
static const double tree_nvlink_us[PROTOCOLS] = {0.6, 1.25, 4.0};
static const double ring_net_us[PROTOCOLS] = {2.7, 4.0, 14.0};
static const double tree_net_us[PROTOCOLS] = {5.0, 8.5, 14.0};
static const double nvls_us = 25.0, nvls_tree_net_us = 20.9;
static const double net_overhead_us = 1.0, net_overhead_simple = 3.0;

static const double ll_most_one_node[GENERATIONS] = {87.7, 141.0, 282.0};
static const double ll_most_nodes[SCALES] = {39.0, 39.0, 20.4};
static const double ring_ll128_channel[GENERATIONS] = {20.0, 36.7, 40.0};
static const double tree_ll128_channel[GENERATIONS][SCALES] = {
    {20.0, 20.0, 20.0}, {36.7, 36.7, 29.0}, {55.6, 31.67, 20.0}};
static const double tree_channel[GENERATIONS][SCALES] = {
    {24.0, 23.6, 17.8}, {38.7, 41.4, 36.0}, {70.0, 42.8, 24.0}};
static const double nvls_tree_channel[GENERATIONS][SCALES] = {
    {0, 0, 0}, {0, 57.7, 45.5}, {0, 96.0, 80.0}};
static const double nvls_efficiency[GENERATIONS] = {0, 0.85, 0.74};

/* By powers of two from 64 B to 256 MiB. */
enum { CORRECTIONS = 23 };
static const double tree_correction[PROTOCOLS][CORRECTIONS] = {
    {1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5,
     0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0},
    {1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6,
     0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0},
    {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5,
     0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9}};

/* NICs carry so much of their rate in the library's search: speeds tried are 48 of 50 GB/s. */
static const double net_share = 0.96;

/* What the formulas know about a call. */
struct scale {
    int32_t generation, nodes_column;
    double ranks, nodes, per_node, channels;
    double intra, inter; /* GB/s of all channels inside a node, of all NICs of one */
    double steps;        /* of a ring */
    double bytes, tuner_net_us;
    bool reduces_all;
};

static int32_t channels_of(const struct gpu_chip *chip, const struct gpu_call *call)
{
    int32_t most = chip->collectives.channels, rails = 2 * call->nics;
    return call->nodes > 1 && rails < most ? rails : most;
}

static struct scale scale_of(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                             const struct gpu_call *call)
{
    struct scale s = {.generation = (int32_t)chip->collectives.generation,
                      .nodes_column = call->nodes == 1   ? ONE_NODE
                                      : call->nodes == 2 ? TWO_NODES
                                                         : MORE_NODES,
                      .ranks = call->ranks,
                      .nodes = call->nodes,
                      .per_node = call->per_node,
                      .channels = channels_of(chip, call),
                      .bytes = (double)call->bytes,
                      .tuner_net_us = (double)spec->tuner_net_ps / 1e6,
                      .reduces_all = call->op == GPU_OP_ALL_REDUCE};
    s.intra = chip->collectives.ring_bytes_per_s / 1e9;
    s.inter = net_share * call->per_node * (double)spec->nic_bytes_per_s / 1e9;
    s.inter = call->nodes == 1 || s.inter > s.intra ? s.intra : s.inter;
    s.steps = s.reduces_all ? 2 * (s.ranks - 1) : s.ranks - 1;
    s.steps = call->op == GPU_OP_BROADCAST ? s.ranks : s.steps;
    return s;
}

/* A plug-in knows no protocols and counts a ring's way over all nodes twice. */
static double net_us(const struct scale *s, const double hardware_us[PROTOCOLS], int32_t p)
{
    return s->tuner_net_us > 0
               ? s->tuner_net_us
               : hardware_us[p] + net_overhead_us * (p == SIMPLE ? net_overhead_simple : 1.0);
}

static double ll_most(const struct scale *s)
{
    return s->nodes_column == ONE_NODE ? ll_most_one_node[s->generation]
                                       : ll_most_nodes[s->nodes_column];
}

static struct gpu_nccl_candidate candidate_of(const struct scale *s, enum gpu_algorithm algorithm,
                                              int32_t p, double latency_us, double gb_per_s)
{
    return (struct gpu_nccl_candidate){
        .algorithm = algorithm,
        .protocol = (enum gpu_protocol)(GPU_PROTOCOL_LL + p),
        .latency_us = latency_us,
        .gb_per_s = gb_per_s,
        .time_us = latency_us + s->bytes / (1000 * gb_per_s),
    };
}

static struct gpu_nccl_candidate ring(const struct scale *s, int32_t p)
{
    double once = s->tuner_net_us > 0 ? s->nodes : s->nodes - 1;
    double crossings = s->nodes > 1 ? (s->reduces_all ? 2 : 1) * once : 0;
    double latency = ring_base_us[p] + (s->steps - crossings) * ring_nvlink_us[p] +
                     crossings * net_us(s, ring_net_us, p);
    bool plateau =
        s->nodes > 1 && p == SIMPLE && s->reduces_all && s->bytes / (s->channels * s->ranks) >= 64;
    double bus = s->inter;
    if (p == LL) {
        bus = fmin(ll_most(s), 0.5 * bus);
    } else if (p == LL128) {
        bus = fmin(0.92 * bus, s->channels * ring_ll128_channel[s->generation]);
    }
    return candidate_of(s, GPU_ALGORITHM_RING, p, plateau ? 1.4 * latency : latency,
                        bus * s->ranks / s->steps);
}

static double correction_of(const struct scale *s, int32_t p)
{
    int32_t power = s->bytes < 64 ? -1 : (int32_t)floor(log2(floor(s->bytes / 64)));
    return power >= 0 && power < CORRECTIONS ? tree_correction[p][power] : 1.0;
}

/* Over two nodes the search for trees raises the rate inside the nodes; beyond, NICs count. */
static struct gpu_nccl_candidate tree(const struct scale *s, int32_t p)
{
    double latency = tree_base_us[p] + 2 * ((s->per_node - 1) * tree_nvlink_us[p] +
                                            log2(s->nodes) * net_us(s, tree_net_us, p));
    double raw = s->nodes_column == MORE_NODES ? s->inter : s->intra;
    double bus = fmin(0.92 * raw, s->channels * tree_channel[s->generation][s->nodes_column]);
    if (p == LL) {
        bus = fmin(bus / 3.8, ll_most(s));
    } else if (p == LL128) {
        double most = s->channels * tree_ll128_channel[s->generation][s->nodes_column];
        bus = fmin(bus * (s->nodes_column == ONE_NODE ? 7.0 / 9.0 : 120.0 / 128.0), most);
    }
    return candidate_of(s, GPU_ALGORITHM_TREE, p, latency, 0.5 * bus * correction_of(s, p));
}

/* An all-reduce adds and copies at the same time; others do one of them, for all members but one.
 */
static struct gpu_nccl_candidate nvls(const struct scale *s, double channels)
{
    double bus = s->intra * nvls_efficiency[s->generation] * (channels - 1) / channels;
    bus *= s->reduces_all ? 2 : (s->per_node - 1) / s->per_node;
    if (s->nodes_column == ONE_NODE) {
        return candidate_of(s, GPU_ALGORITHM_NVLS, SIMPLE, nvls_us, bus * s->ranks / s->steps);
    }
    double net = s->inter * (s->nodes_column == TWO_NODES ? 2 : 1);
    double most = channels * nvls_tree_channel[s->generation][s->nodes_column];
    double own_us = nvls_tree_net_us + net_overhead_us;
    double latency =
        nvls_us + 2 * log2(s->nodes) * (s->tuner_net_us > 0 ? s->tuner_net_us : own_us);
    return candidate_of(s, GPU_ALGORITHM_NVLS, SIMPLE, latency, 0.5 * fmin(bus, fmin(net, most)));
}

static void sort(struct gpu_nccl_candidate *candidate, int32_t count)
{
    for (int32_t i = 1; i < count; i++) {
        struct gpu_nccl_candidate moved = candidate[i];
        int32_t at = i;
        for (; at > 0 && candidate[at - 1].time_us > moved.time_us; at--) {
            candidate[at] = candidate[at - 1];
        }
        candidate[at] = moved;
    }
}

int32_t gpu_nccl_candidates(const struct gpu_chip *chip, const struct gpu_cluster_spec *spec,
                            const struct gpu_call *call,
                            struct gpu_nccl_candidate candidate[GPU_NCCL_CANDIDATES])
{
    struct scale s = scale_of(chip, spec, call);
    int32_t count = 0;
    bool splits_lines = call->nodes > 1 && spec->ll128_inside_only;
    for (int32_t p = LL; p < PROTOCOLS; p++) {
        if (p == LL128 && splits_lines) {
            continue;
        }
        candidate[count++] = ring(&s, p);
        if (s.reduces_all) {
            candidate[count++] = tree(&s, p);
        }
    }
    bool inside =
        call->nodes == 1 && (call->op == GPU_OP_ALL_GATHER || call->op == GPU_OP_REDUCE_SCATTER);
    bool switch_adds = (s.reduces_all || inside) && nvls_efficiency[s.generation] > 0 &&
                       call->per_node > 4 && chip->collectives.nvls_channels > 1;
    if (switch_adds) {
        candidate[count++] = nvls(&s, chip->collectives.nvls_channels);
    }
    sort(candidate, count);
    return count;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Blocks over all peers: 8 at least, 32 at most, and as many as the parts of all messages; those of
 * a transfer have 64 KiB. */
static int32_t direct_channels(const struct gpu_chip *chip, const struct gpu_call *call)
{
    const int64_t fewest = 8, most = 32;
    int64_t peers = call->op == GPU_OP_ALL_TO_ALL ? call->ranks : 1;
    int64_t part = call->op == GPU_OP_SEND ? 65536 : chip->collectives.direct_part_bytes,
            message = gpu_ceil_div(call->bytes, peers);
    int64_t each = part > 0 ? gpu_ceil_div(message, part) : 1;
    each = each * peers < fewest ? fewest / peers : each;
    each = each * peers > most ? most / peers : each;
    return (int32_t)(each > 1 ? each * peers : least(peers, most));
}

/* vLLM: blocks of 512 threads, 16 bytes a thread, at most 36 blocks. */
static int32_t shot_channels(const struct gpu_call *call)
{
    const int64_t most = 36, block_bytes = 8192;
    return (int32_t)least(most, gpu_ceil_div(call->bytes, block_bytes));
}

/* Fewer channels until every thread of each has its least number of bytes; and a channel carries
 * 16 KiB of traffic at least, of which an all-reduce makes two bytes for each. */
static int32_t ring_channels(const struct gpu_chip *chip, const struct gpu_call *call)
{
    const int64_t threads[GPU_PROTOCOLS] = {0, 512, 640, 512};
    const int64_t thread_bytes[GPU_PROTOCOLS] = {0, 8, 8, 64};
    bool scaled = call->protocol == GPU_PROTOCOL_LL && call->algorithm == GPU_ALGORITHM_RING;
    int64_t least_bytes = threads[call->protocol] * thread_bytes[call->protocol];
    int64_t by_threads = call->bytes / (least_bytes * (scaled ? call->ranks : 1));
    int64_t traffic = call->bytes * (call->op == GPU_OP_ALL_REDUCE ? 2 : 1);
    int64_t channels = least(channels_of(chip, call), gpu_ceil_div(traffic, 16384));
    channels = least(channels, by_threads);
    return channels > 1 ? (int32_t)channels : 1;
}

int32_t gpu_nccl_channels(const struct gpu_chip *chip, const struct gpu_call *call)
{
    switch (call->algorithm) {
    case GPU_ALGORITHM_NVLS:
        return chip->collectives.nvls_channels;
    case GPU_ALGORITHM_ONE_SHOT:
    case GPU_ALGORITHM_TWO_SHOT:
        return shot_channels(call);
    case GPU_ALGORITHM_DIRECT:
        return direct_channels(chip, call);
    default:
        return ring_channels(chip, call);
    }
}

/* What the buffers of a protocol hold in one of their eight steps. */
static int64_t step_bytes(enum gpu_protocol protocol)
{
    const int64_t bytes[GPU_PROTOCOLS] = {0, 32768, 576000, 524288};
    return bytes[protocol];
}

static int64_t halve_while(const struct gpu_call *call, int64_t chunk, double chunks, int64_t floor)
{
    while ((double)call->bytes / ((double)call->channels * (double)chunk) < chunks &&
           chunk > floor) {
        chunk /= 2;
    }
    return chunk;
}

static int64_t tree_chunk(const struct gpu_call *call)
{
    int64_t chunk = step_bytes(call->protocol);
    double depth = call->per_node - 1 + ceil(log2(call->nodes));
    if (call->protocol == GPU_PROTOCOL_SIMPLE) {
        chunk = halve_while(call, chunk, depth * 8, 131072);
        chunk = halve_while(call, chunk, depth * 4, 65536);
        return halve_while(call, chunk, depth, 32768);
    }
    if (call->protocol == GPU_PROTOCOL_LL128) {
        double steps = 1 + floor(log2(call->nodes)) * call->per_node;
        chunk = halve_while(call, chunk, steps * 64 / call->per_node, 131072);
        return halve_while(call, chunk, steps * 16 / call->per_node, 32768);
    }
    return chunk;
}

static int64_t smaller_chunk(int64_t bytes, int64_t parts, int64_t chunk, int64_t times,
                             int64_t size)
{
    return bytes < times * parts * chunk && chunk > size ? size : chunk;
}

static int64_t nvls_chunk(const struct gpu_call *call)
{
    int64_t parts = (int64_t)call->channels * call->per_node, bytes = call->bytes;
    int64_t chunk = call->nodes == 1 ? 131072 : call->nodes < 4 ? 524288 : 65536;
    if (call->nodes > 1) {
        chunk = smaller_chunk(bytes, parts, chunk, 32, 262144);
        chunk = smaller_chunk(bytes, parts, chunk, 16, 131072);
        chunk = smaller_chunk(bytes, parts, chunk, 4, 65536);
        return smaller_chunk(bytes, parts, chunk, 1, 32768);
    }
    chunk = smaller_chunk(bytes, parts, chunk, 64, 65536);
    chunk = smaller_chunk(bytes, parts, chunk, 8, 32768);
    return smaller_chunk(bytes, parts, chunk, 2, 16384);
}

void gpu_nccl_cut(struct gpu_call *call)
{
    bool simple = call->protocol == GPU_PROTOCOL_SIMPLE;
    call->slices = 1;
    call->least_slice_bytes = step_bytes(GPU_PROTOCOL_SIMPLE) / 32;
    switch (call->algorithm) {
    case GPU_ALGORITHM_TREE:
        call->chunk_bytes = tree_chunk(call);
        break;
    case GPU_ALGORITHM_NVLS:
        call->chunk_bytes = nvls_chunk(call);
        break;
    case GPU_ALGORITHM_ONE_SHOT:
    case GPU_ALGORITHM_TWO_SHOT:
        call->chunk_bytes = call->channel_bytes;
        break;
    case GPU_ALGORITHM_DIRECT:
        call->chunk_bytes = call->nodes > 1 && simple ? 131072 : step_bytes(call->protocol);
        break;
    default: /* rings of Simple: 4 steps a chunk, 2 a slice */
        call->slices = simple && call->op != GPU_OP_BROADCAST ? 2 : 1;
        call->chunk_bytes = step_bytes(call->protocol) * (call->slices == 2 ? 4 : 1);
        break;
    }
}
