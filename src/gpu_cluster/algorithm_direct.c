/* SPDX-License-Identifier: BSD-3-Clause */
/* Point to point: all-to-all, and a transfer from member 0 to member 1.
 *
 * Towards each peer go `parts` channels. A channel has a lane that sends and one that takes, which
 * work at the same time. What a member keeps of an all-to-all it copies. */
#include "gpu_cluster/algorithm.h"

enum { SEND, TAKE, LANES };

static int32_t parts(const struct gpu_call *call)
{
    int32_t peers = call->op == GPU_OP_ALL_TO_ALL ? call->ranks : 1;
    return call->channels > peers ? call->channels / peers : 1;
}

static int32_t lanes(const struct gpu_call *call)
{
    int32_t peers = call->op == GPU_OP_ALL_TO_ALL ? call->ranks : 1;
    return peers * parts(call) * LANES;
}

/* How many members on the peer of a lane is; 0: the member itself. */
static int32_t distance_of(const struct gpu_call *call, int32_t lane)
{
    return call->op == GPU_OP_ALL_TO_ALL ? lane / LANES / parts(call) : 1;
}

static int64_t lane_bytes(const struct gpu_call *call, int32_t lane)
{
    int32_t peers = call->op == GPU_OP_ALL_TO_ALL ? call->ranks : 1;
    int64_t message = gpu_ceil_div(call->bytes, peers);
    return gpu_part(message, gpu_ceil_div(message, parts(call)), lane / LANES % parts(call));
}

static int32_t moves(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    bool all = call->op == GPU_OP_ALL_TO_ALL, takes = lane % LANES == TAKE;
    bool works = all ? distance_of(call, lane) > 0 || !takes : rank == (takes ? 1 : 0);
    return works ? (int32_t)gpu_ceil_div(lane_bytes(call, lane), call->chunk_bytes) : 0;
}

static struct gpu_move move(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index)
{
    (void)rank;
    bool takes = lane % LANES == TAKE, own = distance_of(call, lane) == 0;
    return (struct gpu_move){.waits = takes,
                             .sends = !takes && !own,
                             .bytes = gpu_part(lane_bytes(call, lane), call->chunk_bytes, index),
                             .phase = takes};
}

static struct gpu_aim aim(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index,
                          const struct gpu_move *move, int32_t send)
{
    (void)send;
    return (struct gpu_aim){.rank = (rank + distance_of(call, lane)) % call->ranks,
                            .lane = lane + TAKE - SEND,
                            .move = index,
                            .bytes = move->bytes};
}

const struct gpu_algorithm_rules gpu_algorithm_direct = {
    .phase = {"send", "take"},
    .lanes = lanes,
    .moves = moves,
    .move = move,
    .aim = aim,
};
