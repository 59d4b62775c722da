/* SPDX-License-Identifier: BSD-3-Clause */
/* One partition of the cluster: set-up, the event loop, and who gets which event. */
#include "gpu_cluster/world.h"

#include <assert.h>

#include "base/memory.h"
#include "engine/blocks.h"
#include "gpu_cluster/variation.h"

void gpu_world_count(struct gpu_world *world, int32_t step, enum gpu_decision decision,
                     int64_t times)
{
    world->rows.decisions[(size_t)step * GPU_DECISION_CLASSES + (size_t)decision] += times;
    world->rows.totals.decisions[decision] += times;
}

static int32_t home_of(const struct gpu_world *world, const struct gpu_event *event)
{
    return event->kind == GPU_EVENT_LINK ? world->topology.home[event->target] : event->target;
}

void gpu_world_post(struct gpu_world *world, struct gpu_event event)
{
    event.key = gpu_event_key(&event);
    int32_t home = home_of(world, &event);
    bool here = home >= world->first_gpu && home < world->first_gpu + world->gpus;
    int32_t partition =
        here ? world->partition : engine_block_owner(world->topology.gpus, world->partitions, home);
    engine_post(world->engine, partition, &event);
}

static void deliver(struct gpu_world *world, const struct gpu_event *chunk)
{
    if (chunk->lane < 0) {
        gpu_transfer_deliver(world, chunk);
    } else {
        gpu_collective_deliver(world, chunk);
    }
}

static void move_bytes(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    if (gpu_host_op(world, gpu)->action == GPU_ACTION_COLLECTIVE) {
        gpu_collective_move(world, gpu, now_ps);
    } else {
        gpu_transfer_move(world, gpu, now_ps);
    }
}

static void handle(void *self, const void *what)
{
    struct gpu_world *world = self;
    const struct gpu_event *event = what;
    int64_t now = event->time_ps;
    switch ((enum gpu_event_kind)event->kind) {
    case GPU_EVENT_LINK:
        gpu_network_arrive(world, event);
        break;
    case GPU_EVENT_DELIVER:
        deliver(world, event);
        break;
    case GPU_EVENT_WAVE:
        gpu_sm_end_wave(world, gpu_world_gpu(world, event->target), now);
        break;
    case GPU_EVENT_COLLECTIVE:
        move_bytes(world, gpu_world_gpu(world, event->target), now);
        break;
    case GPU_EVENT_LANE:
        gpu_collective_go_on(world, event);
        break;
    case GPU_EVENT_OP:
        gpu_host_begin_op(world, gpu_world_gpu(world, event->target), now);
        break;
    case GPU_EVENT_STEP:
        gpu_host_take_call(world, gpu_world_gpu(world, event->target), now);
        break;
    }
}

static int64_t promise(const void *self)
{
    return gpu_promise(self);
}

static bool finished(const void *self)
{
    return gpu_world_finished(self);
}

struct engine *gpu_world_engine(struct gpu_world *world)
{
    return world->engine;
}

bool gpu_world_finished(const struct gpu_world *world)
{
    for (int32_t i = 0; i < world->gpus; i++) {
        if (!world->gpu[i].done) {
            return false;
        }
    }
    return true;
}

enum base_status gpu_world_run(struct gpu_world *world)
{
    assert(world->partitions == 1);
    engine_advance(world->engine, ENGINE_NEVER);
    return gpu_world_finished(world) ? BASE_OK : BASE_NO_PROGRESS;
}

static void set_up_gpu(struct gpu_world *world, struct gpu_state *gpu, int32_t id)
{
    int32_t tensor = world->plan.tensor;
    *gpu = (struct gpu_state){.gpu = id, .stage = id / tensor, .rank = id % tensor};
    gpu->slowdown = gpu_slowdown(&world->job, id);
    gpu->done = id >= tensor * world->plan.stages || world->plan.steps == 0;
    gpu->idle = true;
    if (!gpu->done) {
        gpu_world_post(world, (struct gpu_event){.time_ps = gpu_host_call_ps(world, gpu->stage, 0),
                                                 .kind = GPU_EVENT_STEP,
                                                 .target = id});
    }
}

static bool is_here(const struct gpu_world *world, int32_t link)
{
    int32_t home = world->topology.home[link];
    return home >= world->first_gpu && home < world->first_gpu + world->gpus;
}

/* The neighbour's traffic on a link, or what stands for it while a source is frozen. */
static struct contended_neighbour neighbour_on(struct gpu_world *world, int32_t link)
{
    const struct gpu_job *job = &world->job;
    if (world->source == NULL) {
        return (struct contended_neighbour){0};
    }
    if (gpu_source_is_frozen(job, GPU_SOURCE_NEIGHBOUR)) {
        return neighbour_source_steady(&world->source[link], &world->topology.wires.wire[link]);
    }
    struct contended_neighbour view = neighbour_source_view(&world->source[link]);
    view.mean_turns = gpu_source_is_frozen(job, GPU_SOURCE_ARBITRATION);
    return view;
}

static void open_links(struct gpu_world *world)
{
    const struct gpu_cluster_spec *spec = &world->job.cluster;
    if (spec->neighbour && spec->neighbour_load > 0 && world->topology.gpus > 1) {
        world->exchange = neighbour_exchange_of(spec, world->job.seed);
        world->source = neighbour_sources_create(&world->exchange, &world->topology);
    }
    for (int32_t i = 0; i < world->topology.wires.count; i++) {
        struct contended_neighbour neighbour = neighbour_on(world, i);
        if (is_here(world, i)) {
            contended_link_open(&world->link[i], world->topology.wires.wire[i],
                                spec->link_quantum_bytes, neighbour);
        }
    }
}

static struct engine *open_engine(struct gpu_world *world)
{
    const struct engine_client client = {.self = world,
                                         .event_bytes = sizeof(struct gpu_event),
                                         .handle = handle,
                                         .promise_ps = promise,
                                         .finished = finished};
    return engine_create(&client, world->partition, world->partitions);
}

struct gpu_world *gpu_world_create_from(const struct gpu_job *job, struct gpu_plan plan,
                                        struct gpu_topology topology, int32_t partition,
                                        int32_t partitions)
{
    struct gpu_world *world = base_alloc(1, sizeof *world);
    *world = (struct gpu_world){.job = *job,
                                .plan = plan,
                                .topology = topology,
                                .partition = partition,
                                .partitions = partitions};
    world->first_gpu = engine_block_first(topology.gpus, partitions, partition);
    world->gpus = engine_block_first(topology.gpus, partitions, partition + 1) - world->first_gpu;
    world->gpu = base_alloc((size_t)world->gpus, sizeof *world->gpu);
    world->run_factor = gpu_run_factor(job);
    world->link = base_alloc((size_t)topology.wires.count, sizeof *world->link);
    world->engine = open_engine(world);
    world->routing = base_alloc((size_t)job->model.layers, sizeof *world->routing);
    world->rows.decisions = base_alloc((size_t)plan.steps * GPU_DECISION_CLASSES, sizeof(int64_t));
    open_links(world);
    for (int32_t i = 0; i < world->gpus; i++) {
        set_up_gpu(world, &world->gpu[i], world->first_gpu + i);
    }
    gpu_promise_prepare(world);
    return world;
}

struct gpu_world *gpu_world_create(const struct gpu_job *job, int32_t partition, int32_t partitions)
{
    return gpu_world_create_from(job, gpu_plan_build(job), gpu_topology_fat_tree(&job->cluster),
                                 partition, partitions);
}

static void free_rows(struct gpu_rows *rows)
{
    base_free(rows->step);
    base_free(rows->kernel);
    base_free(rows->collective);
    base_free(rows->link);
    base_free(rows->decisions);
}

void gpu_world_free(struct gpu_world *world)
{
    if (world == NULL) {
        return;
    }
    for (int32_t i = 0; i < world->gpus; i++) {
        gpu_collective_release(&world->gpu[i]);
    }
    neighbour_sources_free(world->source, &world->topology);
    engine_free(world->engine);
    gpu_topology_release(&world->topology);
    gpu_plan_release(&world->plan);
    free_rows(&world->rows);
    for (int64_t i = 0; i < world->job.model.layers; i++) {
        base_free(world->routing[i].rows);
    }
    base_free(world->routing);
    base_free(world->link);
    base_free(world->gpu);
    base_free(world);
}
