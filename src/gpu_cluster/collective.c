/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives of one GPU: lanes of an algorithm, each doing its moves in order.
 *
 * A move begins when its chunks have come and the lane has done the move before. It takes a step
 * and the time that its block needs for the bytes; chunks leave meanwhile, their tails not before
 * the block has got there and not before the link has served them. GPUs do not wait for each other
 * to begin: chunks that come early are kept. */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "gpu_cluster/world.h"

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static const struct gpu_call *call_of(const struct gpu_world *world, const struct gpu_state *gpu)
{
    return &gpu_host_op(world, gpu)->call;
}

void gpu_collective_end(struct gpu_world *world, struct gpu_state *gpu, int64_t wait_ps,
                        int64_t queue_ps, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    bool transfer = op->action != GPU_ACTION_COLLECTIVE;
    gpu->row.collective_ps += now_ps - gpu->op_start_ps;
    gpu_rows_add_collective(world, &(struct gpu_collective_row){
                                       .step = gpu->step,
                                       .gpu = gpu->gpu,
                                       .sequence = gpu->sequence,
                                       .layer = op->layer,
                                       .op = (int32_t)op->op,
                                       .bytes = transfer ? op->bytes : op->call.bytes,
                                       .start_ps = gpu->op_start_ps,
                                       .end_ps = now_ps,
                                       .wait_ps = wait_ps > 0 ? wait_ps : 0,
                                       .queue_ps = queue_ps,
                                   });
    gpu_host_end_op(world, gpu, now_ps);
}

static void end_run(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu->run.moving = false;
    gpu_collective_end(world, gpu, gpu->run.wait_ps, gpu->run.queue_ps, now_ps);
}

static void note_phase(struct gpu_run *run, const struct gpu_move *move, int64_t start_ps,
                       int64_t end_ps)
{
    struct gpu_phase *phase = &run->phase[move->phase];
    phase->first_ps = phase->moves == 0 ? start_ps : phase->first_ps;
    phase->last_ps = later_of(phase->last_ps, end_ps);
    phase->busy_ps += end_ps - start_ps;
    phase->bytes += move->bytes;
    phase->moves++;
}

static bool crosses_nodes(const struct gpu_world *world, int32_t from, int32_t to)
{
    return from / world->topology.gpus_per_node != to / world->topology.gpus_per_node;
}

/* Returns when the last byte has left. */
static int64_t send(struct gpu_world *world, const struct gpu_state *gpu, const struct gpu_aim *aim,
                    int64_t step_end_ps, int64_t block_end_ps)
{
    const struct gpu_call *call = call_of(world, gpu);
    int32_t to = call->first + aim->rank;
    bool crosses = crosses_nodes(world, gpu->gpu, to);
    int64_t bytes = gpu_call_wire_bytes(call, aim->bytes, crosses);
    int64_t post = crosses ? gpu_call_post_ps(call, bytes) : 0;
    struct gpu_event chunk = {
        .tail_ps = block_end_ps + post,
        .from = gpu->gpu,
        .to = to,
        .bytes = (int32_t)bytes,
        .step = gpu->step,
        .sequence = gpu->sequence,
        .chunk = aim->move,
        .lane = aim->lane,
        .share = aim->share,
    };
    gpu_world_count(world, gpu->step, GPU_DECISION_COLLECTIVE, 1);
    return gpu_network_send(world, &chunk, step_end_ps + post) - post;
}

/* The lane comes to its next move. */
static void look_ahead(const struct gpu_call *call, struct gpu_lane *lane, int32_t rank,
                       int32_t index)
{
    if (lane->next < lane->moves) {
        lane->move = gpu_algorithm_rules_of(call)->move(call, rank, index, lane->next);
    }
}

/* Does the next move of a lane; its end is free_ps. */
static void do_move(struct gpu_world *world, struct gpu_state *gpu, int32_t index, int64_t now_ps)
{
    const struct gpu_call *call = call_of(world, gpu);
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(call);
    struct gpu_lane *lane = &gpu->run.lane[index];
    int32_t rank = gpu->gpu - call->first;
    struct gpu_move move = lane->move;
    int64_t stepped = now_ps + call->cost.step_ps + (move.fence ? call->fence_ps : 0);
    int64_t moved = stepped + gpu_call_block_ps(call, move.bytes);
    lane->free_ps = moved;
    for (int32_t i = 0; i < move.sends; i++) {
        struct gpu_aim aim = rules->aim(call, rank, index, lane->next, &move, i);
        lane->free_ps = later_of(lane->free_ps, send(world, gpu, &aim, stepped, moved));
    }
    note_phase(&gpu->run, &move, now_ps, lane->free_ps);
    gpu->run.end_ps = later_of(gpu->run.end_ps, lane->free_ps);
    lane->next++;
    look_ahead(call, lane, rank, index);
    gpu->run.lanes_left -= lane->next == lane->moves;
}

static bool can_move(const struct gpu_run *run, const struct gpu_lane *lane)
{
    return lane->next < lane->moves && run->arrived[lane->first + lane->next] == lane->move.waits;
}

static void post_lane(struct gpu_world *world, const struct gpu_state *gpu, int32_t lane,
                      int64_t at_ps)
{
    gpu_world_post(world,
                   (struct gpu_event){
                       .time_ps = at_ps, .kind = GPU_EVENT_LANE, .target = gpu->gpu, .lane = lane});
}

/* As far as the lane gets now; where it has to wait for itself, it is called again. */
static void advance_lane(struct gpu_world *world, struct gpu_state *gpu, int32_t index,
                         int64_t now_ps)
{
    struct gpu_lane *lane = &gpu->run.lane[index];
    while (!lane->posted && can_move(&gpu->run, lane)) {
        if (lane->free_ps > now_ps) {
            lane->posted = true;
            post_lane(world, gpu, index, lane->free_ps);
        } else {
            do_move(world, gpu, index, now_ps);
        }
    }
}

/* The call is over when its latest move is; lane -1 stands for that. */
static void finish(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    if (gpu->run.lanes_left > 0) {
        return;
    }
    if (gpu->run.end_ps > now_ps) {
        post_lane(world, gpu, -1, gpu->run.end_ps);
    } else {
        end_run(world, gpu, now_ps);
    }
}

void gpu_collective_go_on(struct gpu_world *world, const struct gpu_event *event)
{
    struct gpu_state *gpu = gpu_world_gpu(world, event->target);
    if (event->lane < 0) {
        end_run(world, gpu, event->time_ps);
        return;
    }
    gpu->run.lane[event->lane].posted = false;
    advance_lane(world, gpu, event->lane, event->time_ps);
    finish(world, gpu, event->time_ps);
}

/* The first chunk tells how long its sender has kept everybody waiting. */
static void note_wait(const struct gpu_world *world, struct gpu_state *gpu,
                      const struct gpu_event *chunk)
{
    const struct gpu_call *call = call_of(world, gpu);
    int64_t idle = call->cost.step_ps + gpu_network_idle_ps(world, chunk);
    gpu->run.has_waited = true;
    gpu->run.wait_ps = later_of(0, chunk->time_ps - gpu->run.ready_ps - idle);
}

static void take(struct gpu_world *world, struct gpu_state *gpu, const struct gpu_event *chunk)
{
    struct gpu_run *run = &gpu->run;
    const struct gpu_lane *lane = &run->lane[chunk->lane];
    assert(chunk->chunk >= lane->next && chunk->chunk < lane->moves);
    if (!run->has_waited) {
        note_wait(world, gpu, chunk);
    }
    run->arrived[lane->first + chunk->chunk]++;
    run->chunks++;
    run->queue_ps += chunk->queued_ps;
}

static void lay_lanes(struct gpu_world *world, struct gpu_state *gpu)
{
    const struct gpu_call *call = call_of(world, gpu);
    const struct gpu_algorithm_rules *rules = gpu_algorithm_rules_of(call);
    struct gpu_run *run = &gpu->run;
    int32_t rank = gpu->gpu - call->first, moves = 0;
    run->lanes = rules->lanes(call);
    run->lane = base_grow(run->lane, &run->lane_capacity, (size_t)run->lanes, sizeof *run->lane);
    run->lanes_left = 0;
    for (int32_t i = 0; i < run->lanes; i++) {
        run->lane[i] = (struct gpu_lane){.moves = rules->moves(call, rank, i), .first = moves};
        look_ahead(call, &run->lane[i], rank, i);
        moves += run->lane[i].moves;
        run->lanes_left += run->lane[i].moves > 0;
    }
    run->arrived =
        base_grow(run->arrived, &run->arrived_capacity, (size_t)moves + 1, sizeof *run->arrived);
    memset(run->arrived, 0, ((size_t)moves + 1) * sizeof *run->arrived);
}

bool gpu_collective_takes(const struct gpu_state *gpu, const struct gpu_event *chunk)
{
    return gpu->run.moving && chunk->step == gpu->step && chunk->sequence == gpu->sequence;
}

static void take_early(struct gpu_world *world, struct gpu_state *gpu)
{
    struct gpu_run *run = &gpu->run;
    size_t kept = 0;
    for (size_t i = 0; i < run->earlies; i++) {
        struct gpu_event chunk = run->early[i];
        if (gpu_collective_takes(gpu, &chunk)) {
            take(world, gpu, &chunk);
        } else {
            run->early[kept++] = chunk;
        }
    }
    run->earlies = kept;
}

static void start_run(struct gpu_run *run, int64_t now_ps)
{
    memset(run->phase, 0, sizeof run->phase);
    run->moving = true;
    run->ready_ps = now_ps;
    run->end_ps = now_ps;
    run->wait_ps = 0;
    run->has_waited = false;
    run->queue_ps = 0;
    run->chunks = 0;
}

void gpu_collective_move(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    start_run(&gpu->run, now_ps);
    lay_lanes(world, gpu);
    take_early(world, gpu);
    for (int32_t i = 0; i < gpu->run.lanes; i++) {
        advance_lane(world, gpu, i, now_ps);
    }
    finish(world, gpu, now_ps);
}

void gpu_collective_begin(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu_world_post(world, (struct gpu_event){.time_ps = now_ps + call_of(world, gpu)->cost.base_ps,
                                             .kind = GPU_EVENT_COLLECTIVE,
                                             .target = gpu->gpu});
}

void gpu_collective_deliver(struct gpu_world *world, const struct gpu_event *chunk)
{
    struct gpu_state *gpu = gpu_world_gpu(world, chunk->target);
    struct gpu_run *run = &gpu->run;
    if (!gpu_collective_takes(gpu, chunk)) {
        run->early =
            base_grow(run->early, &run->early_capacity, run->earlies + 1, sizeof *run->early);
        run->early[run->earlies++] = *chunk;
        return;
    }
    take(world, gpu, chunk);
    advance_lane(world, gpu, chunk->lane, chunk->time_ps);
    finish(world, gpu, chunk->time_ps);
}

void gpu_collective_release(struct gpu_state *gpu)
{
    base_free(gpu->run.lane);
    base_free(gpu->run.arrived);
    base_free(gpu->run.early);
}
