/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs an agenda of one step and reads the rows of the GPU that ends last. */
#include "gpu_cluster/step.h"

#include <assert.h>

#include "gpu_cluster/world.h"

static const struct gpu_step_row *last_of(const struct gpu_tables *tables)
{
    const struct gpu_step_row *last = &tables->step[0];
    for (size_t i = 1; i < tables->steps; i++) {
        last = tables->step[i].end_ps > last->end_ps ? &tables->step[i] : last;
    }
    return last;
}

static bool is_small(enum gpu_op op)
{
    return op == GPU_OP_EMBED || op == GPU_OP_NORM || op == GPU_OP_ROPE_KV ||
           op == GPU_OP_ACTIVATE || op == GPU_OP_QUANTIZE || op == GPU_OP_CHOOSE ||
           op == GPU_OP_COMBINE || op == GPU_OP_SAMPLE;
}

static void add_kernels(struct gpu_step_time *time, const struct gpu_world *world, int32_t gpu)
{
    const struct gpu_chip *chip = &world->job.chip;
    int32_t stage = gpu / world->plan.tensor;
    const struct gpu_plan_step *step = gpu_plan_step_of(&world->plan, stage, 0);
    for (int32_t i = 0; i < step->count; i++) {
        const struct gpu_plan_op *op = &step->op[i];
        if (op->action == GPU_ACTION_KERNEL) {
            int64_t ps = gpu_kernel_ps(chip, &op->kernel, chip->sms);
            time->kernels++;
            time->isolated_ps += ps;
            time->small_ps += is_small(op->op) ? ps : 0;
        }
    }
}

static void add_waits(struct gpu_step_time *time, const struct gpu_tables *tables, int32_t gpu)
{
    for (size_t i = 0; i < tables->collectives; i++) {
        time->wait_ps += tables->collective[i].gpu == gpu ? tables->collective[i].wait_ps : 0;
    }
}

struct gpu_step_time gpu_step_simulate(const struct gpu_job *job, const struct gpu_batch *batch)
{
    struct gpu_job alone = *job;
    alone.agenda = batch;
    alone.agenda_steps = 1;
    alone.record_steps = 0;
    struct gpu_world *world = gpu_world_create(&alone, 0, 1);
    enum base_status status = gpu_world_run(world);
    assert(status == BASE_OK);
    (void)status;
    struct gpu_tables tables = gpu_world_tables(world);
    const struct gpu_step_row *row = last_of(&tables);
    struct gpu_step_time time = {.ps = row->end_ps,
                                 .host_ps = row->host_ps,
                                 .compute_ps = row->compute_ps,
                                 .collective_ps = row->collective_ps,
                                 .idle_ps = row->idle_ps};
    add_kernels(&time, world, row->gpu);
    add_waits(&time, &tables, row->gpu);
    gpu_world_free(world);
    return time;
}

/* The line through both counts of layers, at `layers`. */
struct line {
    int64_t few, more, layers;
};

static int64_t at(const struct line *line, int64_t few, int64_t more)
{
    return more + (more - few) * (line->layers - line->more) / (line->more - line->few);
}

static struct gpu_step_time of_layers(const struct gpu_job *job, const struct gpu_batch *batch,
                                      int64_t layers)
{
    struct gpu_job less = *job;
    less.model.layers = layers;
    return gpu_step_simulate(&less, batch);
}

/* After so many layers windows come again as they were. */
static int64_t window_period(const struct model *model)
{
    int64_t period = 1;
    for (int64_t i = 1; i < model->layers; i++) {
        if (model_window(model, i) != model_window(model, i % period)) {
            period++;
            i = 0;
        }
    }
    return period;
}

struct gpu_step_time gpu_step_extrapolate(const struct gpu_job *job, const struct gpu_batch *batch)
{
    int64_t layers = job->model.layers, period = window_period(&job->model);
    int64_t first = period + layers % period;
    struct line line = {first, first + period, layers};
    struct gpu_job still = *job;
    still.frozen = GPU_ALL_FROZEN;
    if (line.layers <= line.more) {
        return of_layers(&still, batch, line.layers);
    }
    struct gpu_step_time few = of_layers(&still, batch, line.few),
                         more = of_layers(&still, batch, line.more);
    return (struct gpu_step_time){
        .ps = at(&line, few.ps, more.ps),
        .host_ps = at(&line, few.host_ps, more.host_ps),
        .compute_ps = at(&line, few.compute_ps, more.compute_ps),
        .collective_ps = at(&line, few.collective_ps, more.collective_ps),
        .idle_ps = at(&line, few.idle_ps, more.idle_ps),
        .kernels = at(&line, few.kernels, more.kernels),
        .isolated_ps = at(&line, few.isolated_ps, more.isolated_ps),
        .small_ps = at(&line, few.small_ps, more.small_ps),
        .wait_ps = at(&line, few.wait_ps, more.wait_ps),
    };
}

int64_t gpu_step_estimate_ps(const struct gpu_job *job, const struct gpu_batch *batch)
{
    const int64_t least = 2, apart = 8;
    int64_t layers = job->model.layers, period = window_period(&job->model);
    int64_t few = period + layers % period;
    few += few < least ? period : 0;
    struct line line = {few, few + (apart + period - 1) / period * period, layers};
    if (line.layers <= line.more) {
        return of_layers(job, batch, line.layers).ps;
    }
    return at(&line, of_layers(job, batch, line.few).ps, of_layers(job, batch, line.more).ps);
}
