/* SPDX-License-Identifier: BSD-3-Clause */
/* The host of a GPU: engine steps, launches eager or captured, and the in-order stream. */
#include <math.h>

#include "gpu_cluster/variation.h"
#include "gpu_cluster/world.h"

const struct gpu_plan_op *gpu_host_op(const struct gpu_world *world, const struct gpu_state *gpu)
{
    return &gpu_plan_step_of(&world->plan, gpu->stage, gpu->step)->op[gpu->sequence];
}

static bool is_captured(const struct gpu_world *world, const struct gpu_state *gpu)
{
    return !gpu->row.prefill && world->job.cluster.captured_graph;
}

/* Parts of the host's work, entities of their own in a draw. */
enum host_part { PART_SCHEDULE, PART_INPUTS, PART_SAMPLING };

static int64_t drawn_ps(const struct gpu_world *world, int64_t mean_ps, const struct gpu_draw *draw)
{
    double factor = world->run_factor * gpu_draw_skewed(&world->job, draw);
    return llround((double)mean_ps * fmax(factor, GPU_LEAST_FACTOR));
}

/* A part of the engine's work before a step. */
static int64_t engine_part_ps(const struct gpu_world *world, enum host_part part, int32_t who,
                              int32_t step, int64_t mean_ps)
{
    struct gpu_draw draw = {.source = GPU_SOURCE_ENGINE,
                            .purpose = BASE_RANDOM_HOST,
                            .cv = world->job.chip.engine_jitter_cv,
                            .entity = (uint64_t)part << 32 | (uint64_t)(uint32_t)who,
                            .index = gpu_draw_index(step, 0)};
    return drawn_ps(world, mean_ps, &draw);
}

/* One scheduler decides for all GPUs of a stage, and tells their workers. */
int64_t gpu_host_call_ps(const struct gpu_world *world, int32_t stage, int32_t step)
{
    const struct gpu_chip *chip = &world->job.chip;
    int64_t tell = world->plan.tensor > 1 ? chip->engine_broadcast_ps : 0;
    return tell + engine_part_ps(world, PART_SCHEDULE, stage, step, chip->engine_schedule_ps);
}

/* What each worker does before its first launch. */
static int64_t worker_ps(const struct gpu_world *world, const struct gpu_state *gpu)
{
    const struct gpu_chip *chip = &world->job.chip;
    int64_t inputs_ps =
        chip->engine_inputs_ps + gpu_batch_sequences(&gpu->batch) * chip->engine_sequence_ps;
    return engine_part_ps(world, PART_INPUTS, gpu->gpu, gpu->step, inputs_ps) +
           engine_part_ps(world, PART_SAMPLING, gpu->gpu, gpu->step, chip->engine_sampling_ps);
}

/* Host time of one launch, and of what the framework does around it. */
static int64_t launch_part_ps(const struct gpu_world *world, const struct gpu_state *gpu,
                              enum base_random_purpose purpose, double cv, int64_t mean_ps)
{
    struct gpu_draw draw = {.source = GPU_SOURCE_LAUNCH,
                            .purpose = purpose,
                            .cv = cv,
                            .entity = (uint64_t)gpu->gpu,
                            .index = gpu_draw_index(gpu->step, gpu->sequence)};
    return drawn_ps(world, mean_ps, &draw);
}

static int64_t eager_ps(const struct gpu_world *world, const struct gpu_state *gpu)
{
    const struct gpu_chip *chip = &world->job.chip;
    int64_t framework = chip->eager_gap_ps - chip->launch_ps;
    return launch_part_ps(world, gpu, BASE_RANDOM_EAGER, chip->eager_jitter_cv, framework) +
           launch_part_ps(world, gpu, BASE_RANDOM_LAUNCH, chip->launch_jitter_cv, chip->launch_ps);
}

static int64_t graph_ps(const struct gpu_world *world, const struct gpu_state *gpu)
{
    const struct gpu_chip *chip = &world->job.chip;
    return launch_part_ps(world, gpu, BASE_RANDOM_LAUNCH, chip->launch_jitter_cv,
                          chip->graph_launch_ps);
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
    bool captured = is_captured(world, gpu);
    if (captured && gpu->sequence > 0) {
        return;
    }
    gpu->launch_ps += captured ? graph_ps(world, gpu) : eager_ps(world, gpu);
    gpu_world_count(world, gpu->step, GPU_DECISION_LAUNCH, 1);
}

static void begin_step(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    const struct gpu_plan_step *step = gpu_plan_step_of(&world->plan, gpu->stage, gpu->step);
    gpu->batch = gpu_job_batch(&world->job, gpu->step);
    gpu->row = (struct gpu_step_row){
        .step = gpu->step,
        .gpu = gpu->gpu,
        .prefill = gpu_batch_has_prompt(&gpu->batch),
        .tokens = (int32_t)step->tokens,
        .kv_positions = (int32_t)gpu_batch_most_keys(&gpu->batch),
        .start_ps = gpu->ended_ps,
    };
    gpu->idle = false;
    gpu->launch_ps = now_ps + worker_ps(world, gpu);
    launch(world, gpu);
    gpu->row.host_ps = gpu->launch_ps - gpu->ended_ps;
    gpu->op_queue_ps = 0;
    gpu_world_count(world, gpu->step, GPU_DECISION_BATCH, gpu->gpu == 0);
    post_op(world, gpu, gpu->launch_ps);
}

void gpu_host_begin_op(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu->op_start_ps = now_ps;
    switch (gpu_host_op(world, gpu)->action) {
    case GPU_ACTION_KERNEL:
        gpu_sm_begin_kernel(world, gpu, now_ps);
        break;
    case GPU_ACTION_COLLECTIVE:
        gpu_collective_begin(world, gpu, now_ps);
        break;
    case GPU_ACTION_SEND:
    case GPU_ACTION_RECEIVE:
        gpu_transfer_begin(world, gpu, now_ps);
        break;
    }
}

/* A worker begins when it is called and through with the step before. */
static void begin_if_called(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    if (gpu->idle && gpu->calls > gpu->step) {
        begin_step(world, gpu, now_ps);
    }
}

void gpu_host_take_call(struct gpu_world *world, struct gpu_state *gpu, int64_t now_ps)
{
    gpu->calls++;
    begin_if_called(world, gpu, now_ps);
}

/* The first worker of a stage has its results: the scheduler forms the next batch. */
static void call_workers(struct gpu_world *world, const struct gpu_state *gpu, int64_t now_ps)
{
    int64_t at_ps = now_ps + gpu_host_call_ps(world, gpu->stage, gpu->step);
    for (int32_t rank = 0; rank < world->plan.tensor; rank++) {
        gpu_world_post(world, (struct gpu_event){.time_ps = at_ps,
                                                 .kind = GPU_EVENT_STEP,
                                                 .target = gpu->gpu + rank,
                                                 .from = gpu->gpu});
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
    gpu->idle = true;
    gpu->ended_ps = now_ps;
    gpu->done = gpu->step == world->plan.steps;
    if (!gpu->done && gpu->rank == 0) {
        call_workers(world, gpu, now_ps);
    }
    begin_if_called(world, gpu, now_ps);
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
