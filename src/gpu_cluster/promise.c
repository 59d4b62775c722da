/* SPDX-License-Identifier: BSD-3-Clause */
/* Lookahead: how long this partition is sure to leave the others in peace.
 *
 * A partition in the middle of a layer will not send before its collective begins, and says so:
 * each pending event is bounded by the latencies of what must follow it before a chunk can reach
 * another partition. The least of the bounds over all partitions is the end of the next window. */
#include <stddef.h>

#include "gpu_cluster/world.h"

static bool is_local(const struct gpu_world *world, int32_t gpu)
{
    return gpu >= world->first_gpu && gpu < world->first_gpu + world->gpus;
}

static int64_t min_ps(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t time_ps, int64_t by_ps)
{
    return by_ps == ENGINE_NEVER ? ENGINE_NEVER : time_ps + by_ps;
}

/* A chunk that enters link `hop` of its path needs so long to what another partition holds; NEVER:
 * stays here. */
static int64_t crossing_ps(const struct gpu_world *world, const struct gpu_path *path, int32_t hop,
                           int32_t to)
{
    int64_t total = 0;
    for (int32_t i = hop; i < path->links; i++) {
        total += world->topology.wires.wire[path->link[i]].latency;
        int32_t home = i + 1 < path->links ? world->topology.home[path->link[i + 1]] : to;
        if (!is_local(world, home)) {
            return total;
        }
    }
    return ENGINE_NEVER;
}

/* The least over those to whom a GPU may send: the members of its tensor group, and its counterpart
 * in the next stage. */
static int64_t least_over_peers(const struct gpu_world *world, int32_t gpu,
                                int64_t (*way_ps)(const struct gpu_world *world,
                                                  const struct gpu_path *path, int32_t to))
{
    int32_t tensor = world->plan.tensor, working = tensor * world->plan.stages;
    int32_t first = gpu / tensor * tensor;
    int64_t least = ENGINE_NEVER;
    for (int32_t i = 0; i <= tensor; i++) {
        int32_t peer = i < tensor ? first + i : (gpu + tensor) % working;
        struct gpu_path path = gpu_topology_path(&world->topology, gpu, peer);
        if (peer != gpu && path.links > 0) {
            least = min_ps(least, way_ps(world, &path, peer));
        }
    }
    return later(world->least_step_ps, least);
}

/* What a chunk needs from its offer to another partition. */
static int64_t way_out_ps(const struct gpu_world *world, const struct gpu_path *path, int32_t to)
{
    return crossing_ps(world, path, 0, to);
}

/* The same for GPUs elsewhere, wherever partitions end: the first link alone. */
static int64_t first_link_ps(const struct gpu_world *world, const struct gpu_path *path, int32_t to)
{
    (void)to;
    return world->topology.wires.wire[path->link[0]].latency;
}

static int64_t least_step_ps(const struct gpu_plan *plan)
{
    int64_t least = ENGINE_NEVER;
    for (int32_t i = 0; i < plan->stages * plan->shapes; i++) {
        for (int32_t k = 0; k < plan->step[i].count; k++) {
            const struct gpu_plan_op *op = &plan->step[i].op[k];
            bool sends = op->action == GPU_ACTION_COLLECTIVE || op->action == GPU_ACTION_SEND;
            least = sends ? min_ps(least, op->call.cost.step_ps) : least;
        }
    }
    return least == ENGINE_NEVER ? 0 : least;
}

/* From the end of a step at the first worker of a stage to the call of one that is elsewhere. */
static int64_t least_call_ps(const struct gpu_world *world)
{
    const struct gpu_chip *chip = &world->job.chip;
    bool calls = world->plan.tensor > 1 && world->plan.steps > 1;
    return calls ? chip->engine_schedule_ps / 2 + chip->engine_broadcast_ps : ENGINE_NEVER;
}

static int64_t least_worker_ps(const struct gpu_world *world)
{
    const struct gpu_chip *chip = &world->job.chip;
    return (chip->engine_inputs_ps + chip->engine_sampling_ps) / 2;
}

static bool calls_away(const struct gpu_world *world, int32_t gpu)
{
    int32_t tensor = world->plan.tensor;
    return gpu % tensor == 0 && is_local(world, gpu) && !is_local(world, gpu + tensor - 1);
}

void gpu_promise_prepare(struct gpu_world *world)
{
    int32_t working = world->plan.tensor * world->plan.stages;
    world->exit_ps = ENGINE_NEVER;
    world->any_exit_ps = least_call_ps(world);
    world->least_step_ps = least_step_ps(&world->plan);
    if (world->partitions == 1) {
        return;
    }
    for (int32_t gpu = 0; gpu < working; gpu++) {
        world->any_exit_ps =
            min_ps(world->any_exit_ps, least_over_peers(world, gpu, first_link_ps));
        if (is_local(world, gpu)) {
            world->exit_ps = min_ps(world->exit_ps, least_over_peers(world, gpu, way_out_ps));
        }
        if (calls_away(world, gpu)) {
            world->exit_ps = min_ps(world->exit_ps, least_call_ps(world));
        }
    }
}

/* From the end of the op at hand to the next chunk that leaves the GPU. */
static int64_t quiet_behind_op(const struct gpu_world *world, const struct gpu_state *gpu)
{
    const struct gpu_plan_step *step = gpu_plan_step_of(&world->plan, gpu->stage, gpu->step);
    bool last = gpu->sequence + 1 == step->count;
    return last ? 0 : step->op[gpu->sequence + 1].quiet_ps;
}

/* A chunk is not at its GPU before. What links take for its bytes is left out: with it there would
 * be three windows fewer in a thousand. */
static int64_t delivery_ps(const struct gpu_world *world, const struct gpu_path *path,
                           const struct gpu_event *chunk)
{
    int64_t at = chunk->time_ps;
    for (int32_t i = chunk->hop; i < path->links; i++) {
        at += world->topology.wires.wire[path->link[i]].latency;
    }
    return at;
}

/* A chunk at a link crosses over on its way, or arrives here at a GPU that may answer. */
static int64_t bound_of_chunk(const struct gpu_world *world, const struct gpu_event *chunk)
{
    struct gpu_path path = gpu_topology_path(&world->topology, chunk->from, chunk->to);
    int64_t crossing = crossing_ps(world, &path, chunk->hop, chunk->to);
    if (crossing != ENGINE_NEVER) {
        return later(chunk->time_ps, crossing);
    }
    return later(delivery_ps(world, &path, chunk), world->exit_ps);
}

static int64_t bound_of_event(const struct gpu_world *world, const struct gpu_event *event)
{
    if (event->kind == GPU_EVENT_LINK) {
        return bound_of_chunk(world, event);
    }
    const struct gpu_state *gpu = gpu_world_gpu(world, event->target);
    int64_t quiet = 0;
    bool kept =
        event->kind == GPU_EVENT_DELIVER && event->lane >= 0 && !gpu_collective_takes(gpu, event);
    if (kept) {
        return ENGINE_NEVER; /* until the GPU gets there, which another event bounds */
    }
    bool ends_op =
        event->kind == GPU_EVENT_WAVE || (event->kind == GPU_EVENT_LANE && event->lane < 0);
    if (ends_op) {
        quiet = quiet_behind_op(world, gpu);
    } else if (event->kind == GPU_EVENT_OP) {
        quiet = gpu_host_op(world, gpu)->quiet_ps;
    } else if (event->kind == GPU_EVENT_STEP) {
        quiet = least_worker_ps(world);
    }
    return later(event->time_ps + quiet, world->exit_ps);
}

/* A message under way is bounded without knowing who else is where it goes: at its next link it may
 * cross again, at its GPU the answer may have the shortest way out of all. */
static int64_t bound_of_message(const struct gpu_world *world, const struct gpu_event *message)
{
    if (message->kind == GPU_EVENT_STEP) {
        return later(message->time_ps + least_worker_ps(world), world->any_exit_ps);
    }
    struct gpu_path path = gpu_topology_path(&world->topology, message->from, message->to);
    if (message->kind == GPU_EVENT_LINK && message->hop + 1 < path.links) {
        return later(message->time_ps, world->topology.wires.wire[message->target].latency);
    }
    return later(delivery_ps(world, &path, message), world->any_exit_ps);
}

struct least {
    const struct gpu_world *world;
    int64_t bound_ps;
};

static void take_event(void *context, const void *event)
{
    struct least *least = context;
    least->bound_ps = min_ps(least->bound_ps, bound_of_event(least->world, event));
}

int64_t gpu_promise(const struct gpu_world *world)
{
    struct least least = {world, ENGINE_NEVER};
    engine_each_pending(world->engine, take_event, &least);
    for (int32_t p = 0; p < world->partitions; p++) {
        size_t count;
        const struct gpu_event *message = engine_outbox(world->engine, p, &count);
        for (size_t i = 0; i < count; i++) {
            least.bound_ps = min_ps(least.bound_ps, bound_of_message(world, &message[i]));
        }
    }
    return least.bound_ps;
}
