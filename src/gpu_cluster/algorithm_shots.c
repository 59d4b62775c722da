/* SPDX-License-Identifier: BSD-3-Clause */
/* All-reduce of serving engines: memory of peers is read where it lies, flags tell when.
 *
 * One shot: everybody reads the whole of everybody else. Two shots: everybody reads and adds one
 * part in n, then reads the sums of the others. A read is simulated as sent by its owner once both
 * are past the flag; that the request travels the other way is in the cost of a step. */
#include "gpu_cluster/algorithm.h"

enum { FLAG_BYTES = 16 }; /* one write, padded */
enum one_shot { ONE_FLAG, ONE_READ, ONE_ADD, ONE_END, ONE_MOVES };
enum two_shot { TWO_FLAG, TWO_READ, TWO_ADD, TWO_SHARE, TWO_END, TWO_MOVES };

static int32_t lanes(const struct gpu_call *call)
{
    return call->channels;
}

static int32_t one_moves(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    (void)rank;
    return gpu_call_channel_bytes(call, lane) > 0 ? ONE_MOVES : 0;
}

static int32_t two_moves(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    (void)rank;
    return gpu_call_channel_bytes(call, lane) > 0 ? TWO_MOVES : 0;
}

/* The `send`-th peer: the next members first, so that not all ask the same one. */
static int32_t peer_of(const struct gpu_call *call, int32_t rank, int32_t send)
{
    return (rank + 1 + send) % call->ranks;
}

static struct gpu_move one_move(const struct gpu_call *call, int32_t rank, int32_t lane,
                                int32_t index)
{
    (void)rank;
    int32_t peers = call->ranks - 1;
    int64_t bytes = gpu_call_channel_bytes(call, lane);
    return (struct gpu_move){.waits = index == ONE_FLAG ? 0 : peers,
                             .sends = index == ONE_END ? 0 : peers,
                             .bytes = index == ONE_READ ? peers * bytes : 0,
                             .phase = index};
}

static struct gpu_aim one_aim(const struct gpu_call *call, int32_t rank, int32_t lane,
                              int32_t index, const struct gpu_move *move, int32_t send)
{
    (void)move;
    int64_t bytes = gpu_call_channel_bytes(call, lane);
    return (struct gpu_aim){.rank = peer_of(call, rank, send),
                            .lane = lane,
                            .move = index + 1,
                            .bytes = index == ONE_READ ? bytes : FLAG_BYTES};
}

static int64_t part_bytes(const struct gpu_call *call, int32_t lane)
{
    return gpu_ceil_div(gpu_call_channel_bytes(call, lane), call->ranks);
}

static struct gpu_move two_move(const struct gpu_call *call, int32_t rank, int32_t lane,
                                int32_t index)
{
    (void)rank;
    int32_t peers = call->ranks - 1;
    bool moves_bytes = index == TWO_READ || index == TWO_SHARE;
    return (struct gpu_move){.waits = index == TWO_FLAG ? 0 : peers,
                             .sends = index == TWO_END ? 0 : peers,
                             .bytes = moves_bytes ? peers * part_bytes(call, lane) : 0,
                             .fence = index == TWO_ADD,
                             .phase = index < TWO_END ? index : TWO_SHARE};
}

static struct gpu_aim two_aim(const struct gpu_call *call, int32_t rank, int32_t lane,
                              int32_t index, const struct gpu_move *move, int32_t send)
{
    (void)move;
    bool moves_bytes = index == TWO_READ || index == TWO_SHARE;
    return (struct gpu_aim){.rank = peer_of(call, rank, send),
                            .lane = lane,
                            .move = index + 1,
                            .bytes = moves_bytes ? part_bytes(call, lane) : FLAG_BYTES};
}

const struct gpu_algorithm_rules gpu_algorithm_one_shot = {
    .phase = {"flags", "read", "add", "flags"},
    .lanes = lanes,
    .moves = one_moves,
    .move = one_move,
    .aim = one_aim,
};

const struct gpu_algorithm_rules gpu_algorithm_two_shot = {
    .phase = {"flags", "read", "add", "share"},
    .lanes = lanes,
    .moves = two_moves,
    .move = two_move,
    .aim = two_aim,
};
