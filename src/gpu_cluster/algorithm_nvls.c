/* SPDX-License-Identifier: BSD-3-Clause */
/* NVLS: all-reduce, all-gather and reduce-scatter with the additions and the copies made by the
 * switch of a node.
 *
 * Every member is the head of one part of the vector. A channel has four lanes that work at the
 * same time: scatter puts the parts where the switch reads them, up reads the sum of its part over
 * the node, down and up write a part to all members through the switch, gather takes the parts
 * home. Between nodes the heads of a part pass sums up and results down a tree. A reduce-scatter
 * ends with the sums, an all-gather begins with what heads write to all; both stay within a node.
 */
#include "gpu_cluster/algorithm.h"

enum lane { SCATTER, UP, DOWN, GATHER, LANES };

/* Of a channel: the first, and how many of them. */
static int32_t first_lane(const struct gpu_call *call)
{
    return call->op == GPU_OP_ALL_GATHER ? DOWN : SCATTER;
}

static int32_t lanes_of_channel(const struct gpu_call *call)
{
    return call->op == GPU_OP_ALL_REDUCE ? LANES : 2;
}

static int32_t lanes(const struct gpu_call *call)
{
    return lanes_of_channel(call) * call->channels;
}

static enum lane kind_of(const struct gpu_call *call, int32_t lane)
{
    return (enum lane)(first_lane(call) + lane % lanes_of_channel(call));
}

static int32_t channel_of(const struct gpu_call *call, int32_t lane)
{
    return lane / lanes_of_channel(call);
}

/* The lane of that kind of the same channel. */
static int32_t beside(const struct gpu_call *call, int32_t lane, enum lane kind)
{
    return channel_of(call, lane) * lanes_of_channel(call) + (int32_t)kind - first_lane(call);
}

static int64_t channel_bytes(const struct gpu_call *call, int32_t lane)
{
    return gpu_call_channel_bytes(call, channel_of(call, lane));
}

static int32_t tree_of(const struct gpu_call *call, int32_t lane)
{
    return gpu_tree_of(call, channel_of(call, lane));
}

static int32_t parent_of(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    int32_t node = gpu_tree_parent(tree_of(call, lane), rank / call->per_node, call->nodes);
    return node == GPU_NOBODY ? GPU_NOBODY : node * call->per_node + rank % call->per_node;
}

/* The head of the same part in the `which`-th node below; GPU_NOBODY: there are fewer. */
static int32_t child_of(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t which)
{
    for (int32_t node = 0; node < call->nodes; node++) {
        bool below =
            gpu_tree_parent(tree_of(call, lane), node, call->nodes) == rank / call->per_node;
        if (below && which-- == 0) {
            return node * call->per_node + rank % call->per_node;
        }
    }
    return GPU_NOBODY;
}

static int32_t children_of(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    int32_t children = 0;
    while (child_of(call, rank, lane, children) != GPU_NOBODY) {
        children++;
    }
    return children;
}

static int32_t moves(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    bool root = parent_of(call, rank, lane) == GPU_NOBODY;
    bool idle = call->op == GPU_OP_ALL_REDUCE && kind_of(call, lane) == DOWN && root;
    int64_t loop = call->chunk_bytes * call->per_node;
    return idle ? 0 : (int32_t)gpu_ceil_div(channel_bytes(call, lane), loop);
}

/* What every head has in a loop. */
static int64_t part_bytes(const struct gpu_call *call, int32_t lane, int32_t index)
{
    int64_t loop = gpu_part(channel_bytes(call, lane), call->chunk_bytes * call->per_node, index);
    return gpu_ceil_div(loop, call->per_node);
}

/* Sums go up, or they are what a head keeps. */
static struct gpu_move up(const struct gpu_call *call, int64_t part, int32_t children, bool root)
{
    int32_t n = call->per_node, sends = root ? n + children : 1;
    return (struct gpu_move){.waits = n + children,
                             .sends = call->op == GPU_OP_REDUCE_SCATTER ? 0 : sends,
                             .bytes = part,
                             .phase = 1};
}

static struct gpu_move move(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index)
{
    int64_t part = part_bytes(call, lane, index);
    int32_t n = call->per_node, children = children_of(call, rank, lane);
    switch (kind_of(call, lane)) {
    case SCATTER:
        return (struct gpu_move){.sends = n, .bytes = part * n, .phase = 0};
    case UP:
        return up(call, part, children, parent_of(call, rank, lane) == GPU_NOBODY);
    case DOWN:
        return (struct gpu_move){.waits = call->op == GPU_OP_ALL_REDUCE,
                                 .sends = n + children,
                                 .bytes = part,
                                 .phase = 2};
    case GATHER:
    case LANES:
        break;
    }
    return (struct gpu_move){.waits = n, .bytes = part * n, .phase = 3};
}

static struct gpu_aim aim(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index,
                          const struct gpu_move *move, int32_t send)
{
    int32_t n = call->per_node, first = rank - rank % n;
    (void)move;
    struct gpu_aim aim = {.move = index, .bytes = part_bytes(call, lane, index)};
    bool root = parent_of(call, rank, lane) == GPU_NOBODY;
    if (kind_of(call, lane) == SCATTER) {
        aim.rank = first + send;
        aim.lane = beside(call, lane, UP);
        aim.share = n;
    } else if (kind_of(call, lane) == UP && !root) {
        aim.rank = parent_of(call, rank, lane);
        aim.lane = beside(call, lane, UP);
    } else if (send < n) {
        aim.rank = first + send;
        aim.lane = beside(call, lane, GATHER);
        aim.share = -n;
    } else {
        aim.rank = child_of(call, rank, lane, send - n);
        aim.lane = beside(call, lane, DOWN);
    }
    return aim;
}

const struct gpu_algorithm_rules gpu_algorithm_nvls = {
    .phase = {"scatter", "add", "copy", "gather"},
    .lanes = lanes,
    .moves = moves,
    .move = move,
    .aim = aim,
};
