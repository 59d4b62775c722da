/* SPDX-License-Identifier: BSD-3-Clause */
/* Trees: all-reduce up and down two binary trees of nodes, a chain of GPUs in each node.
 *
 * Channels of even number use the one tree, those of odd number its mirror (an inner node of the
 * one is a leaf of the other). A channel has two lanes that work at the same time: up (lane 2 c)
 * adds what comes from below, down (lane 2 c + 1) copies what comes from above. The head of the
 * chain of channel c is place c of each node. */
#include "gpu_cluster/algorithm.h"

enum { MOST_CHILDREN = 3 };

struct family {
    int32_t parent, child[MOST_CHILDREN], children;
};

/* A binary tree over 0 .. count - 1 in order: parents of odd numbers have one bit more cleared. */
static int32_t parent_in_order(int32_t node, int32_t count)
{
    if (node == 0) {
        return GPU_NOBODY;
    }
    int32_t bit = node & -node, parent = (node ^ bit) | bit << 1;
    return parent < count ? parent : node ^ bit;
}

int32_t gpu_tree_parent(int32_t tree, int32_t node, int32_t count)
{
    if (tree == 0) {
        return parent_in_order(node, count);
    }
    if (count % 2 == 0) {
        int32_t parent = parent_in_order(count - 1 - node, count);
        return parent == GPU_NOBODY ? GPU_NOBODY : count - 1 - parent;
    }
    int32_t parent = parent_in_order((node + count - 1) % count, count);
    return parent == GPU_NOBODY ? GPU_NOBODY : (parent + 1) % count;
}

static int32_t channel_of(int32_t lane)
{
    return lane / 2;
}

static int32_t rank_at(const struct gpu_call *call, int32_t node, int32_t place, int32_t channel)
{
    return node * call->per_node + (place + channel) % call->per_node;
}

static int32_t place_of(const struct gpu_call *call, int32_t rank, int32_t channel)
{
    int32_t local = rank % call->per_node, shift = channel % call->per_node;
    return (local - shift + call->per_node) % call->per_node;
}

int32_t gpu_tree_of(const struct gpu_call *call, int32_t channel)
{
    return (channel + channel / call->per_node) % 2;
}

static void add_nodes_below(const struct gpu_call *call, struct family *family, int32_t node,
                            int32_t channel)
{
    for (int32_t other = 0; other < call->nodes; other++) {
        if (gpu_tree_parent(gpu_tree_of(call, channel), other, call->nodes) == node) {
            family->child[family->children++] = rank_at(call, other, 0, channel);
        }
    }
}

static struct family family_of(const struct gpu_call *call, int32_t rank, int32_t channel)
{
    int32_t node = rank / call->per_node, place = place_of(call, rank, channel);
    struct family family = {.parent = GPU_NOBODY};
    if (place + 1 < call->per_node) {
        family.child[family.children++] = rank_at(call, node, place + 1, channel);
    }
    if (place > 0) {
        family.parent = rank_at(call, node, place - 1, channel);
        return family;
    }
    int32_t above = gpu_tree_parent(gpu_tree_of(call, channel), node, call->nodes);
    family.parent = above == GPU_NOBODY ? GPU_NOBODY : rank_at(call, above, 0, channel);
    add_nodes_below(call, &family, node, channel);
    return family;
}

static int32_t lanes(const struct gpu_call *call)
{
    return 2 * call->channels;
}

/* The root turns round in its upward lane and has none downward. */
static int32_t moves(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    int64_t bytes = gpu_call_channel_bytes(call, channel_of(lane));
    bool root = family_of(call, rank, channel_of(lane)).parent == GPU_NOBODY;
    return lane % 2 == 1 && root ? 0 : (int32_t)gpu_ceil_div(bytes, call->chunk_bytes);
}

static int64_t chunk_bytes(const struct gpu_call *call, int32_t lane, int32_t index)
{
    return gpu_part(gpu_call_channel_bytes(call, channel_of(lane)), call->chunk_bytes, index);
}

static struct gpu_move move(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index)
{
    struct family family = family_of(call, rank, channel_of(lane));
    bool down = lane % 2 == 1, root = family.parent == GPU_NOBODY;
    return (struct gpu_move){.waits = down ? 1 : family.children,
                             .sends = down || root ? family.children : 1,
                             .bytes = chunk_bytes(call, lane, index),
                             .phase = down};
}

static struct gpu_aim aim(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index,
                          const struct gpu_move *move, int32_t send)
{
    struct family family = family_of(call, rank, channel_of(lane));
    bool falls = lane % 2 == 1 || family.parent == GPU_NOBODY;
    return (struct gpu_aim){.rank = falls ? family.child[send] : family.parent,
                            .lane = falls ? lane | 1 : lane,
                            .move = index,
                            .bytes = move->bytes};
}

const struct gpu_algorithm_rules gpu_algorithm_tree = {
    .phase = {"up", "down"},
    .lanes = lanes,
    .moves = moves,
    .move = move,
    .aim = aim,
};
