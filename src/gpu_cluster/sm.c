/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks to SMs: a grid goes out in waves over the SMs free when each wave starts. */
#include <math.h>

#include "gpu_cluster/cache.h"
#include "gpu_cluster/variation.h"
#include "gpu_cluster/world.h"

/* What leaves for the next stage, while its blocks hold SMs. */
static struct gpu_taken taken_by_send(const struct gpu_world *world, const struct gpu_state *gpu)
{
    int32_t working = world->plan.tensor * world->plan.stages;
    int32_t peer = (gpu->gpu + world->plan.tensor) % working;
    struct gpu_path path = gpu_topology_path(&world->topology, gpu->gpu, peer);
    const struct wire *port = &world->topology.wires.wire[path.link[0]];
    return gpu_taken_by_collective(gpu->sms_taken, (double)port->bytes_per_s);
}

static struct gpu_taken taken_at(struct gpu_world *world, const struct gpu_state *gpu,
                                 int64_t now_ps)
{
    const struct gpu_job *job = &world->job;
    struct gpu_taken taken = {0};
    if (now_ps < gpu->sms_free_ps) {
        taken = taken_by_send(world, gpu);
    }
    if (job->cluster.tenant_load <= 0) {
        return taken;
    }
    if (gpu_source_is_frozen(job, GPU_SOURCE_TENANT)) {
        return gpu_taken_together(taken, gpu_taken_steadily(&job->chip, &job->cluster));
    }
    bool runs = gpu_tenant_runs(&world->tenant, &job->cluster, job->seed, now_ps);
    return gpu_taken_together(taken, gpu_taken_by_tenant(&job->chip, &job->cluster, runs));
}

/* Picks of all SMs: `wave` has those of the fullest. */
static void count_wave(struct gpu_world *world, int32_t step, int32_t blocks,
                       const struct gpu_wave *wave, const struct gpu_cache_outcome *cache)
{
    double picks = (double)wave->time.picks * blocks / wave->resident;
    gpu_world_count(world, step, GPU_DECISION_PICK, llround(picks));
    gpu_world_count(world, step, GPU_DECISION_WAVE, 1);
    gpu_world_count(world, step, GPU_DECISION_DISPATCH, blocks);
    gpu_world_count(world, step, GPU_DECISION_HIT, cache->hits);
    gpu_world_count(world, step, GPU_DECISION_MISS, cache->misses);
}

static void dispatch_wave(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps,
                          int64_t floor_ps)
{
    struct gpu_taken taken = taken_at(world, gpu, now_ps);
    struct gpu_chip chip = gpu_chip_left(&world->job.chip, &taken);
    int32_t slots = gpu_kernel_slots(&gpu->kernel, chip.sms);
    int32_t blocks = gpu->blocks_left < slots ? gpu->blocks_left : slots;
    struct gpu_cache_outcome cache =
        gpu_cache_wave(&world->job, &gpu->kernel, blocks, gpu->gpu, gpu->waves,
                       gpu_draw_index(gpu->step, gpu->sequence));
    struct gpu_kernel kernel = gpu->kernel;
    kernel.block_hbm_bytes = cache.block_hbm_bytes;
    struct gpu_wave wave = gpu_kernel_wave(&chip, &kernel, blocks, chip.sms, gpu->waves == 0);
    gpu->bound = gpu->waves == 0 ? wave.bound : gpu->bound;
    gpu->waves++;
    gpu->blocks_left -= blocks;
    count_wave(world, gpu->step, blocks, &wave, &cache);
    int64_t lasts = llround((double)(wave.ps + floor_ps) * gpu->kernel_factor);
    gpu_world_post(
        world,
        (struct gpu_event){.time_ps = now_ps + lasts, .kind = GPU_EVENT_WAVE, .target = gpu->gpu});
}

static struct gpu_kernel kernel_of_experts(struct gpu_world *world, const struct gpu_state *gpu)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    const struct gpu_experts *shape = &op->experts;
    const int32_t *rows =
        gpu_routing_rows(&world->routing[op->layer], shape, world->job.seed, op->layer, gpu->step);
    return gpu_kernel_grouped(&world->job.chip, shape, rows, gpu_plan_number(&world->job));
}

/* Attention grows with the context and experts are chosen by tokens: their grids are chosen anew in
 * every step. */
static struct gpu_kernel kernel_of(struct gpu_world *world, const struct gpu_state *gpu)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    bool even = gpu_source_is_frozen(&world->job, GPU_SOURCE_ROUTING);
    if (op->experts.rows > 0 && !even) {
        return kernel_of_experts(world, gpu);
    }
    if (op->attention.sequences == 0) {
        return op->kernel;
    }
    struct gpu_attention shape = op->attention;
    shape.keys = gpu->batch.group[op->group].keys;
    return gpu_kernel_attention(&world->job.chip, &shape);
}

/* What clock and memory of this GPU make of the kernel at hand. */
static double kernel_factor(const struct gpu_world *world, const struct gpu_state *gpu)
{
    struct gpu_draw draw = {.source = GPU_SOURCE_KERNEL,
                            .purpose = BASE_RANDOM_KERNEL,
                            .cv = world->job.chip.kernel_jitter_cv,
                            .entity = (uint64_t)gpu->gpu,
                            .index = gpu_draw_index(gpu->step, gpu->sequence)};
    double factor = gpu->slowdown * gpu_draw_normal(&world->job, &draw);
    return factor > GPU_LEAST_FACTOR ? factor : GPU_LEAST_FACTOR;
}

void gpu_sm_begin_kernel(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu->kernel = kernel_of(world, gpu);
    gpu->kernel_factor = kernel_factor(world, gpu);
    gpu->blocks_left = gpu->kernel.blocks;
    gpu->waves = 0;
    dispatch_wave(world, gpu, now_ps, gpu->kernel.floor_ps);
}

static void end_kernel(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    int64_t lasted = now_ps - gpu->op_start_ps;
    gpu->row.compute_ps += lasted;
    gpu_rows_add_kernel(
        world, &(struct gpu_kernel_row){
                   .step = gpu->step,
                   .gpu = gpu->gpu,
                   .sequence = gpu->sequence,
                   .layer = op->layer,
                   .op = (int32_t)op->op,
                   .bound = (int32_t)(gpu->op_queue_ps > lasted ? GPU_BOUND_LAUNCH : gpu->bound),
                   .blocks = gpu->kernel.blocks,
                   .waves = gpu->waves,
                   .split_k = gpu->kernel.split_k,
                   .start_ps = gpu->op_start_ps,
                   .end_ps = now_ps,
                   .queue_ps = gpu->op_queue_ps,
               });
    gpu_host_end_op(world, gpu, now_ps);
}

void gpu_sm_end_wave(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    if (gpu->blocks_left > 0) {
        dispatch_wave(world, gpu, now_ps, 0);
    } else {
        end_kernel(world, gpu, now_ps);
    }
}
