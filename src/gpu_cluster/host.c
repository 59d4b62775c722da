/* SPDX-License-Identifier: BSD-3-Clause */
/* The host of a GPU: engine steps, launches eager or captured, and the in-order stream. */
#include <math.h>

#include "gpu_cluster/world.h"

const struct gpu_plan_op *gpu_host_op(const struct gpu_world *world, const struct gpu_state *gpu)
{
    return &gpu_plan_step_of(&world->plan, gpu->stage, gpu->step)->op[gpu->sequence];
}

/* Draws of one step do not run into those of the next. */
static const uint64_t draws_per_step = UINT64_C(1) << 20;

double gpu_host_factor(const struct gpu_world *world, enum base_random_purpose purpose,
                       const struct gpu_state *gpu, double cv)
{
    if (cv <= 0) {
        return 1.0;
    }
    uint64_t index = (uint64_t)gpu->step * draws_per_step + (uint64_t)gpu->sequence;
    double factor =
        1.0 + cv * base_random_normal(world->job.seed, purpose, (uint64_t)gpu->gpu, index);
    return factor > 0.5 ? factor : 0.5;
}

static bool is_captured(const struct gpu_world *world, const struct gpu_state *gpu)
{
    bool decode = gpu_plan_shape(&world->plan, gpu->step) == GPU_SHAPE_DECODE;
    return decode && world->job.cluster.captured_graph;
}

static int64_t draw_ps(const struct gpu_world *world, const struct gpu_state *gpu,
                       enum base_random_purpose purpose, int64_t mean_ps)
{
    double cv = world->job.chip.launch_jitter_cv;
    return llround((double)mean_ps * gpu_host_factor(world, purpose, gpu, cv));
}

static void post_op(struct gpu_world *world, const struct gpu_state *gpu, int64_t at_ps)
{
    gpu_world_post(world,
                   (struct gpu_event){.time_ps = at_ps, .kind = GPU_EVENT_OP, .target = gpu->gpu});
}

/* Eager: the host launches op by op and runs ahead of the stream. Captured: all ops are launched at
 * once. */
static void launch(struct gpu_world *world, struct gpu_state *gpu)
{
    const struct gpu_chip *chip = &world->job.chip;
    bool captured = is_captured(world, gpu);
    if (captured && gpu->sequence > 0) {
        return;
    }
    int64_t mean = captured ? chip->graph_launch_ps : chip->eager_gap_ps;
    gpu->launch_ps += draw_ps(world, gpu, BASE_RANDOM_LAUNCH, mean);
    gpu_world_count(world, gpu->step, GPU_DECISION_LAUNCH, 1);
}

void gpu_host_begin_step(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_step *step = gpu_plan_step_of(&world->plan, gpu->stage, gpu->step);
    gpu->row = (struct gpu_step_row){
        .step = gpu->step,
        .gpu = gpu->gpu,
        .prefill = gpu->step < world->plan.prompt_steps,
        .tokens = (int32_t)step->tokens,
        .kv_positions = (int32_t)gpu_plan_positions(&world->job, &world->plan, gpu->step),
        .start_ps = now_ps,
    };
    gpu->sequence = 0;
    gpu->launch_ps =
        now_ps + draw_ps(world, gpu, BASE_RANDOM_HOST, world->job.chip.step_overhead_ps);
    launch(world, gpu);
    gpu->row.host_ps = gpu->launch_ps - now_ps;
    gpu->op_queue_ps = 0;
    gpu_world_count(world, gpu->step, GPU_DECISION_BATCH, gpu->gpu == 0);
    post_op(world, gpu, gpu->launch_ps);
}

void gpu_host_begin_op(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu->op_start_ps = now_ps;
    if (gpu_host_op(world, gpu)->action == GPU_ACTION_KERNEL) {
        gpu_sm_begin_kernel(world, gpu, now_ps);
    } else {
        gpu_collective_begin(world, gpu, now_ps);
    }
}

static void end_step(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    struct gpu_step_row *row = &gpu->row;
    row->end_ps = now_ps;
    row->idle_ps = now_ps - row->start_ps - row->host_ps - row->compute_ps - row->collective_ps;
    gpu_rows_add_step(world, row);
    gpu->step++;
    gpu->sequence = 0;
    if (gpu->step == world->plan.steps) {
        gpu->done = true;
    } else {
        gpu_host_begin_step(world, gpu, now_ps);
    }
}

void gpu_host_end_op(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu->sequence++;
    if (gpu->sequence == gpu_plan_step_of(&world->plan, gpu->stage, gpu->step)->count) {
        end_step(world, gpu, now_ps);
        return;
    }
    launch(world, gpu);
    gpu->op_queue_ps = gpu->launch_ps > now_ps ? gpu->launch_ps - now_ps : 0;
    if (gpu->op_queue_ps > 0) {
        post_op(world, gpu, gpu->launch_ps);
    } else {
        gpu_host_begin_op(world, gpu, now_ps);
    }
}
