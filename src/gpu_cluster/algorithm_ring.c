/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings: all-reduce, all-gather, reduce-scatter and broadcast, one ring a channel.
 *
 * A channel's bytes are passed round in loops of one chunk a member, a chunk in slices. In step s
 * of a loop a member hands on what came in step s - 1; the last step only takes. Across nodes the
 * ring of channel c enters every node at place c and leaves it one place before, so that channels
 * use different NICs. */
#include "gpu_cluster/algorithm.h"

static int32_t lanes(const struct gpu_call *call)
{
    return call->channels;
}

static int32_t chunks_a_loop(const struct gpu_call *call)
{
    return call->op == GPU_OP_BROADCAST ? 1 : call->ranks;
}

static int32_t steps_a_loop(const struct gpu_call *call)
{
    switch (call->op) {
    case GPU_OP_ALL_REDUCE:
        return 2 * call->ranks - 1;
    case GPU_OP_BROADCAST:
        return 1;
    default:
        return call->ranks;
    }
}

static int64_t loop_bytes(const struct gpu_call *call)
{
    return call->chunk_bytes * chunks_a_loop(call);
}

static int32_t moves(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    (void)rank;
    int64_t loops = gpu_ceil_div(gpu_call_channel_bytes(call, lane), loop_bytes(call));
    return (int32_t)loops * steps_a_loop(call) * call->slices;
}

/* The place of a member on the way through a loop of broadcast: 0 has it first. */
static int32_t place_of(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    int32_t shift = lane % call->per_node, local = rank % call->per_node;
    return rank - local + (local - shift + call->per_node) % call->per_node;
}

static int32_t next_of(const struct gpu_call *call, int32_t rank, int32_t lane)
{
    if (call->nodes == 1) {
        return rank + 1 < call->ranks ? rank + 1 : 0;
    }
    int32_t shift = lane % call->per_node, place = place_of(call, rank, lane);
    int32_t next = (place + 1) % call->ranks, local = next % call->per_node;
    return next - local + (local + shift) % call->per_node;
}

/* What a member hands on in a step; only the last loop may have less than the others. */
static int64_t chunk_bytes(const struct gpu_call *call, int32_t lane, int32_t loop)
{
    int64_t rest = gpu_call_channel_bytes(call, lane) - loop * loop_bytes(call);
    return rest >= loop_bytes(call) ? call->chunk_bytes : gpu_ceil_div(rest, chunks_a_loop(call));
}

static int64_t slice_bytes(const struct gpu_call *call, int64_t chunk, int32_t slice)
{
    if (call->slices == 1) {
        return chunk;
    }
    int64_t part = gpu_ceil_div(chunk, call->slices), least = call->least_slice_bytes;
    return gpu_part(chunk, part < least ? least : part, slice);
}

static struct gpu_move move(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index)
{
    int32_t steps = steps_a_loop(call), of_lane = index / call->slices, loop = of_lane / steps;
    int32_t step = of_lane - loop * steps, slice = index - of_lane * call->slices;
    bool begins = step == 0, ends = step == steps - 1;
    if (call->op == GPU_OP_BROADCAST) {
        /* Everybody's only step; the root is rank 0 of every channel's ring. */
        int32_t place =
            (place_of(call, rank, lane) - place_of(call, 0, lane) + call->ranks) % call->ranks;
        begins = place == 0;
        ends = place == call->ranks - 1;
    }
    return (struct gpu_move){.waits = !begins,
                             .sends = !ends,
                             .bytes = slice_bytes(call, chunk_bytes(call, lane, loop), slice),
                             .phase = call->op == GPU_OP_ALL_REDUCE && step >= call->ranks};
}

static struct gpu_aim aim(const struct gpu_call *call, int32_t rank, int32_t lane, int32_t index,
                          const struct gpu_move *move, int32_t send)
{
    (void)send;
    int32_t further = call->op == GPU_OP_BROADCAST ? 0 : call->slices;
    return (struct gpu_aim){.rank = next_of(call, rank, lane),
                            .lane = lane,
                            .move = index + further,
                            .bytes = move->bytes};
}

const struct gpu_algorithm_rules gpu_algorithm_ring = {
    .phase = {"first round", "second round"},
    .lanes = lanes,
    .moves = moves,
    .move = move,
    .aim = aim,
};
