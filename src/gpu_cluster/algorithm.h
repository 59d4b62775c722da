/* SPDX-License-Identifier: BSD-3-Clause */
/* Algorithms of collectives as programs: what each lane of each member does, move by move.
 *
 * A lane is a row of threads that does its moves one after the other: waits until the chunks of a
 * move have come, handles the bytes, sends chunks on. Which lanes there are and what a move is are
 * pure functions of the call. */
#ifndef GPU_CLUSTER_ALGORITHM_H
#define GPU_CLUSTER_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu_cluster/call.h"

struct gpu_move {
    int32_t waits; /* chunks that come in for this move */
    int32_t sends; /* chunks that go out */
    int64_t bytes; /* that the block handles */
    int32_t phase; /* index of a name of the algorithm's phases */
    bool fence;    /* what was written must be visible to all before chunks go out */
};

/* A chunk: whose move it is for, and how many bytes it has. */
struct gpu_aim {
    int32_t rank, lane, move;
    int64_t bytes;
    int32_t share; /* n > 1: the switch adds n such chunks, links behind it carry a share of 1 / n;
                      n < -1: the switch copies, the link before it carries 1 / -n; 0: neither */
};

enum { GPU_PHASES = 4 };

struct gpu_algorithm_rules {
    const char *phase[GPU_PHASES];
    int32_t (*lanes)(const struct gpu_call *call);
    int32_t (*moves)(const struct gpu_call *call, int32_t rank, int32_t lane);
    struct gpu_move (*move)(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index);
    struct gpu_aim (*aim)(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index,
                          const struct gpu_move *move, int32_t send);
};

/* Of the algorithm of a call, which must not be AUTO. */
const struct gpu_algorithm_rules *gpu_algorithm_rules_of(const struct gpu_call *call);

/* ceil(a / b) for a >= 0, b > 0. */
static inline int64_t gpu_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Part `index` of `bytes` cut into equal parts, the last of which may be shorter or empty. */
static inline int64_t gpu_part(int64_t bytes, int64_t part, int64_t index)
{
    int64_t rest = bytes - index * part;
    return rest <= 0 ? 0 : rest < part ? rest : part;
}

/* Of a node in tree 0 or its mirror, tree 1, over nodes 0 .. count - 1; GPU_NOBODY: the root. */
enum { GPU_NOBODY = -1 };
int32_t gpu_tree_parent(int32_t tree, int32_t node, int32_t count);

/* Which tree a channel takes: channels with the same head take both in turn. */
int32_t gpu_tree_of(const struct gpu_call *call, int32_t channel);

extern const struct gpu_algorithm_rules gpu_algorithm_ring, gpu_algorithm_tree, gpu_algorithm_nvls,
    gpu_algorithm_one_shot, gpu_algorithm_two_shot, gpu_algorithm_direct;

#endif
