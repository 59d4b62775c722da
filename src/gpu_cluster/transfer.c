/* SPDX-License-Identifier: BSD-3-Clause */
/* Transfers between pipeline stages: sends that the stream does not wait for, and receives. */
#include "gpu_cluster/world.h"

enum { DEFAULT_PIECE = 524288 }; /* NCCL: a point-to-point chunk over NVLink */

static int64_t piece_bytes(const struct gpu_world *world)
{
    int64_t wish = world->job.cluster.collective_chunk_bytes;
    return wish > 0 ? wish : DEFAULT_PIECE;
}

int64_t gpu_transfer_pieces(const struct gpu_world *world, const struct gpu_plan_op *op)
{
    return gpu_ceil_div(op->bytes, piece_bytes(world));
}

/* The stream goes on at once; the blocks hold their SMs until the last byte has left. */
void gpu_transfer_move(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    int32_t stage = op->channel == GPU_CHANNEL_HIDDEN ? gpu->stage + 1 : 0;
    int64_t offered = now_ps + op->call.cost.step_ps;
    for (int64_t i = 0; i < gpu_transfer_pieces(world, op); i++) {
        struct gpu_event chunk = {
            .tail_ps = offered,
            .from = gpu->gpu,
            .to = stage * world->plan.tensor + gpu->rank,
            .bytes = (int32_t)gpu_part(op->bytes, piece_bytes(world), i),
            .step = gpu->step,
            .sequence = gpu->sequence,
            .chunk = (int32_t)i,
            .lane = -1,
            .channel = (int32_t)op->channel,
        };
        gpu_world_count(world, gpu->step, GPU_DECISION_COLLECTIVE, 1);
        gpu->sms_free_ps = gpu_network_send(world, &chunk, offered);
    }
    gpu->sms_taken = op->call.channels;
    gpu_collective_end(world, gpu, 0, 0, now_ps);
}

static void end_receive(struct gpu_world *world, struct gpu_state *gpu, int64_t wait_ps,
                        int64_t now_ps)
{
    int64_t queue_ps = gpu->transfer_queue_ps;
    gpu->transfer_queue_ps = 0;
    gpu_collective_end(world, gpu, wait_ps, queue_ps, now_ps);
}

void gpu_transfer_begin(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    if (op->action == GPU_ACTION_SEND) {
        gpu_world_post(world, (struct gpu_event){.time_ps = now_ps + op->call.cost.base_ps,
                                                 .kind = GPU_EVENT_COLLECTIVE,
                                                 .target = gpu->gpu});
        return;
    }
    gpu->wanted[op->channel] += gpu_transfer_pieces(world, op);
    if (gpu->arrived[op->channel] >= gpu->wanted[op->channel]) {
        end_receive(world, gpu, 0, now_ps);
    }
}

void gpu_transfer_deliver(struct gpu_world *world, const struct gpu_event *chunk)
{
    struct gpu_state *gpu = gpu_world_gpu(world, chunk->target);
    gpu->arrived[chunk->channel]++;
    gpu->transfer_queue_ps += chunk->queued_ps;
    if (gpu->done) {
        return;
    }
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    bool waiting = op->action == GPU_ACTION_RECEIVE && (int32_t)op->channel == chunk->channel &&
                   gpu->wanted[op->channel] == gpu->arrived[op->channel];
    if (waiting) {
        end_receive(world, gpu, chunk->time_ps - gpu->op_start_ps, chunk->time_ps);
    }
}
