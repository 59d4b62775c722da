/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives of one GPU: rings chunk by chunk, sends and receives between stages.
 *
 * A vector of B bytes on n GPUs is cut into n segments, a segment into pieces of at most one chunk.
 * In step s a GPU sends one segment to the next; a piece of step s + 1 goes out when the same piece
 * of step s has come in, so pieces follow each other through the ring. Chunks of one sender arrive
 * in order because its path is always the same. */
#include <assert.h>

#include "gpu_cluster/world.h"

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* The GPU `by` places on in the ring of its tensor group. */
static int32_t ring_place(const struct gpu_world *world, int32_t gpu, int32_t by)
{
    int32_t tensor = world->plan.tensor;
    return gpu / tensor * tensor + (gpu % tensor + by + tensor) % tensor;
}

int32_t gpu_collective_peers(const struct gpu_world *world, int32_t gpu, int32_t peer[GPU_PEERS])
{
    int32_t tensor = world->plan.tensor, stages = world->plan.stages, count = 0;
    if (tensor > 1) {
        peer[count++] = ring_place(world, gpu, 1);
    }
    if (stages > 1) {
        peer[count++] = (gpu / tensor + 1) % stages * tensor + gpu % tensor;
    }
    return count;
}

/* What one GPU hands to the next in one ring step, or to its peer in a send. */
static int64_t part_bytes(const struct gpu_world *world, const struct gpu_plan_op *op)
{
    return op->action == GPU_ACTION_RING ? ceil_div(op->bytes, world->plan.tensor) : op->bytes;
}

static int32_t pieces_of(const struct gpu_world *world, const struct gpu_plan_op *op)
{
    return (int32_t)ceil_div(part_bytes(world, op), world->job.cluster.collective_chunk_bytes);
}

static int64_t piece_bytes(const struct gpu_world *world, const struct gpu_plan_op *op,
                           int32_t piece)
{
    int64_t chunk = world->job.cluster.collective_chunk_bytes;
    int64_t rest = part_bytes(world, op) - piece * chunk;
    return rest < chunk ? rest : chunk;
}

static struct gpu_event chunk_of(const struct gpu_world *world, const struct gpu_state *gpu,
                                 const struct gpu_plan_op *op, int32_t index)
{
    return (struct gpu_event){
        .from = gpu->gpu,
        .bytes = (int32_t)piece_bytes(world, op, index % pieces_of(world, op)),
        .step = gpu->step,
        .sequence = gpu->sequence,
        .chunk = index,
        .channel = -1,
    };
}

static void send_ring_chunk(struct gpu_world *world, const struct gpu_state *gpu,
                            const struct gpu_plan_op *op, int32_t index, int64_t now_ps)
{
    struct gpu_event chunk = chunk_of(world, gpu, op, index);
    chunk.to = ring_place(world, gpu->gpu, 1);
    gpu_world_count(world, gpu->step, GPU_DECISION_COLLECTIVE, 1);
    gpu_network_send(world, chunk, now_ps);
}

/* From the moment both sides are ready to the first chunk, with every link idle. */
static int64_t ideal_hop_ps(const struct gpu_world *world, const struct gpu_state *gpu,
                            const struct gpu_plan_op *op)
{
    struct gpu_path path =
        gpu_topology_path(&world->topology, ring_place(world, gpu->gpu, -1), gpu->gpu);
    int64_t total = world->job.cluster.collective_step_ps, longest = 0;
    for (int32_t i = 0; i < path.links; i++) {
        const struct wire *wire = &world->topology.wires.wire[path.link[i]];
        int64_t transfer = wire_transfer_ps(wire, piece_bytes(world, op, 0));
        longest = transfer > longest ? transfer : longest;
        total += wire->latency;
    }
    return total + longest;
}

static void end_collective(struct gpu_world *world, struct gpu_state *gpu,
                           const struct gpu_plan_op *op, int64_t wait_ps, int64_t now_ps)
{
    gpu->row.collective_ps += now_ps - gpu->op_start_ps;
    gpu_rows_add_collective(world, &(struct gpu_collective_row){
                                       .step = gpu->step,
                                       .gpu = gpu->gpu,
                                       .sequence = gpu->sequence,
                                       .layer = op->layer,
                                       .op = (int32_t)op->op,
                                       .bytes = op->bytes,
                                       .start_ps = gpu->op_start_ps,
                                       .end_ps = now_ps,
                                       .wait_ps = wait_ps > 0 ? wait_ps : 0,
                                       .queue_ps = gpu->chunk_queue_ps,
                                   });
    gpu->chunk_queue_ps = 0;
    gpu_host_end_op(world, gpu, now_ps);
}

static void end_ring(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    int64_t waited = gpu->ring.first_arrival_ps - gpu->ring.ready_ps;
    gpu->ring = (struct gpu_ring){0};
    end_collective(world, gpu, op, waited - ideal_hop_ps(world, gpu, op), now_ps);
}

/* Takes the chunks that have come, passes each on unless it has been all the way. */
static void handle_arrived(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    struct gpu_ring *ring = &gpu->ring;
    while (ring->handled < ring->arrived) {
        int32_t next = ring->handled++ + ring->pieces;
        if (next < ring->total) {
            send_ring_chunk(world, gpu, op, next, now_ps);
        }
    }
    if (ring->handled == ring->total) {
        end_ring(world, gpu, now_ps);
    }
}

static void move_ring(struct gpu_world *world, struct gpu_state *gpu, const struct gpu_plan_op *op,
                      int64_t now_ps)
{
    struct gpu_ring *ring = &gpu->ring;
    ring->pieces = pieces_of(world, op);
    ring->total = ring->pieces * op->ring_steps;
    ring->moving = true;
    ring->ready_ps = now_ps;
    for (int32_t i = 0; i < ring->pieces; i++) {
        send_ring_chunk(world, gpu, op, i, now_ps);
    }
    handle_arrived(world, gpu, now_ps);
}

/* The stream goes on at once; the copy engine's blocks hold their SMs until the last byte has
 * left. */
static void move_send(struct gpu_world *world, struct gpu_state *gpu, const struct gpu_plan_op *op,
                      int64_t now_ps)
{
    int32_t stage = op->channel == GPU_CHANNEL_HIDDEN ? gpu->stage + 1 : 0;
    for (int32_t i = 0; i < pieces_of(world, op); i++) {
        struct gpu_event chunk = chunk_of(world, gpu, op, i);
        chunk.to = stage * world->plan.tensor + gpu->rank;
        chunk.channel = (int32_t)op->channel;
        gpu_world_count(world, gpu->step, GPU_DECISION_COLLECTIVE, 1);
        gpu->sms_free_ps = gpu_network_send(world, chunk, now_ps);
    }
    end_collective(world, gpu, op, 0, now_ps);
}

void gpu_collective_move(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    if (op->action == GPU_ACTION_RING) {
        move_ring(world, gpu, op, now_ps);
    } else {
        move_send(world, gpu, op, now_ps);
    }
}

static bool has_received(const struct gpu_state *gpu, enum gpu_channel channel)
{
    return gpu->arrived[channel] >= gpu->wanted[channel];
}

void gpu_collective_begin(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    if (op->action == GPU_ACTION_RECEIVE) {
        gpu->wanted[op->channel] += pieces_of(world, op);
        if (has_received(gpu, op->channel)) {
            end_collective(world, gpu, op, 0, now_ps);
        }
        return;
    }
    gpu_world_post(world,
                   (struct gpu_event){.time_ps = now_ps + world->job.cluster.collective_base_ps,
                                      .kind = GPU_EVENT_COLLECTIVE,
                                      .target = gpu->gpu});
}

static void deliver_ring(struct gpu_world *world, struct gpu_state *gpu,
                         const struct gpu_event *chunk)
{
    struct gpu_ring *ring = &gpu->ring;
    if (ring->arrived == 0) {
        ring->first_arrival_ps = chunk->time_ps;
        ring->first_step = chunk->step;
        ring->first_sequence = chunk->sequence;
    }
    assert(ring->first_step == chunk->step && ring->first_sequence == chunk->sequence);
    assert(ring->arrived == chunk->chunk);
    ring->arrived++;
    gpu->chunk_queue_ps += chunk->queued_ps;
    if (ring->moving) {
        handle_arrived(world, gpu, chunk->time_ps);
    }
}

static void deliver_transfer(struct gpu_world *world, struct gpu_state *gpu,
                             const struct gpu_event *chunk)
{
    gpu->arrived[chunk->channel]++;
    if (gpu->done) {
        return;
    }
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    bool waiting = op->action == GPU_ACTION_RECEIVE && (int32_t)op->channel == chunk->channel &&
                   gpu->wanted[op->channel] == gpu->arrived[op->channel];
    if (waiting) {
        int64_t waited = chunk->time_ps - gpu->op_start_ps;
        end_collective(world, gpu, op, waited, chunk->time_ps);
    }
}

void gpu_collective_deliver(struct gpu_world *world, const struct gpu_event *chunk)
{
    struct gpu_state *gpu = gpu_world_gpu(world, chunk->target);
    if (chunk->channel < 0) {
        deliver_ring(world, gpu, chunk);
    } else {
        deliver_transfer(world, gpu, chunk);
    }
}
