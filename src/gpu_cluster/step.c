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

static void add_kernels(struct gpu_step_time *time, const struct gpu_world *world, int32_t gpu)
{
    const struct gpu_chip *chip = &world->job.chip;
    int32_t stage = gpu / world->plan.tensor;
    const struct gpu_plan_step *step = gpu_plan_step_of(&world->plan, stage, 0);
    for (int32_t i = 0; i < step->count; i++) {
        if (step->op[i].action == GPU_ACTION_KERNEL) {
            time->kernels++;
            time->isolated_ps += gpu_kernel_ps(chip, &step->op[i].kernel, chip->sms);
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
