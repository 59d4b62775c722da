/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows that a partition collects, and what it says about GPUs that are stuck. */
#include <stdio.h>

#include "base/memory.h"
#include "gpu_cluster/world.h"

bool gpu_rows_wanted(const struct gpu_world *world, int32_t step)
{
    int32_t first = world->job.record_first_step, steps = world->job.record_steps;
    return steps == 0 || (step >= first && step - first < steps);
}

void gpu_rows_add_step(struct gpu_world *world, const struct gpu_step_row *row)
{
    struct gpu_rows *rows = &world->rows;
    rows->step = base_grow(rows->step, &rows->step_capacity, rows->steps + 1, sizeof *row);
    rows->step[rows->steps++] = *row;
}

void gpu_rows_add_kernel(struct gpu_world *world, const struct gpu_kernel_row *row)
{
    struct gpu_rows *rows = &world->rows;
    rows->totals.kernels++;
    if (gpu_rows_wanted(world, row->step)) {
        rows->kernel =
            base_grow(rows->kernel, &rows->kernel_capacity, rows->kernels + 1, sizeof *row);
        rows->kernel[rows->kernels++] = *row;
    }
}

void gpu_rows_add_collective(struct gpu_world *world, const struct gpu_collective_row *row)
{
    struct gpu_rows *rows = &world->rows;
    rows->totals.collectives++;
    if (gpu_rows_wanted(world, row->step)) {
        rows->collective = base_grow(rows->collective, &rows->collective_capacity,
                                     rows->collectives + 1, sizeof *row);
        rows->collective[rows->collectives++] = *row;
    }
}

static struct gpu_link_row link_row(const struct gpu_world *world, int32_t id)
{
    const struct contended_link *link = &world->link[id];
    return (struct gpu_link_row){
        .link = id,
        .from = link->wire.from,
        .to = link->wire.to,
        .busy_ps = link->count.busy_ps,
        .neighbour_busy_ps = link->count.neighbour_busy_ps,
        .queued_ps = link->count.queued_ps,
        .longest_queue_ps = link->count.longest_queue_ps,
        .bytes = link->count.bytes,
        .neighbour_bytes = link->count.neighbour_bytes,
        .chunks = link->count.chunks,
        .neighbour_messages = link->count.neighbour_messages,
    };
}

static void collect_links(struct gpu_world *world)
{
    struct gpu_rows *rows = &world->rows;
    size_t capacity = (size_t)world->topology.wires.count;
    rows->links = 0;
    if (rows->link == NULL) {
        rows->link = base_alloc(capacity, sizeof *rows->link);
    }
    for (int32_t i = 0; i < world->topology.wires.count; i++) {
        if (world->link[i].wire.bytes_per_s > 0) {
            rows->link[rows->links++] = link_row(world, i);
        }
    }
}

void gpu_world_close(struct gpu_world *world, int64_t end_ps)
{
    for (int32_t i = 0; i < world->topology.wires.count; i++) {
        if (world->link[i].wire.bytes_per_s > 0) {
            contended_link_advance(&world->link[i], end_ps);
        }
    }
}

struct gpu_tables gpu_world_tables(struct gpu_world *world)
{
    collect_links(world);
    struct gpu_rows *rows = &world->rows;
    rows->totals.events = engine_events(world->engine);
    rows->totals.messages = engine_messages(world->engine);
    return (struct gpu_tables){
        .step = rows->step,
        .kernel = rows->kernel,
        .collective = rows->collective,
        .link = rows->link,
        .decisions = rows->decisions,
        .steps = rows->steps,
        .kernels = rows->kernels,
        .collectives = rows->collectives,
        .links = rows->links,
        .totals = rows->totals,
    };
}

void gpu_step_span(const struct gpu_step_row *row, size_t rows, int32_t steps, int64_t *start_ps,
                   int64_t *end_ps)
{
    for (int32_t i = 0; i < steps; i++) {
        start_ps[i] = INT64_MAX;
        end_ps[i] = 0;
    }
    for (size_t i = 0; i < rows; i++) {
        int32_t s = row[i].step;
        start_ps[s] = row[i].start_ps < start_ps[s] ? row[i].start_ps : start_ps[s];
        end_ps[s] = row[i].end_ps > end_ps[s] ? row[i].end_ps : end_ps[s];
    }
}

/* The first lane that waits. */
static void explain_collective(const struct gpu_state *gpu, char *text, size_t bytes)
{
    const struct gpu_run *run = &gpu->run;
    int32_t i = 0;
    while (i + 1 < run->lanes && run->lane[i].next == run->lane[i].moves) {
        i++;
    }
    if (run->moving) {
        snprintf(text, bytes, "%lld chunks have come; lane %d waits in move %d of %d",
                 (long long)run->chunks, (int)i, (int)run->lane[i].next, (int)run->lane[i].moves);
    }
}

static void explain_receive(const struct gpu_world *world, const struct gpu_state *gpu,
                            const struct gpu_plan_op *op, char *text, size_t bytes)
{
    int32_t stages = world->plan.stages;
    int32_t stage = op->channel == GPU_CHANNEL_TOKEN ? stages - 1 : gpu->stage - 1;
    snprintf(text, bytes, "%lld of %lld chunks have come, the next is due from GPU %d",
             (long long)gpu->arrived[op->channel], (long long)gpu->wanted[op->channel],
             (int)(stage * world->plan.tensor + gpu->rank));
}

static void explain(const struct gpu_world *world, const struct gpu_state *gpu,
                    struct base_report *report)
{
    const struct gpu_plan_op *op = gpu_host_op(world, gpu);
    char what[128] = "it has not begun";
    if (op->action == GPU_ACTION_COLLECTIVE) {
        explain_collective(gpu, what, sizeof what);
    } else if (op->action == GPU_ACTION_RECEIVE) {
        explain_receive(world, gpu, op, what, sizeof what);
    }
    base_report_add(report, NULL, 0, "GPU %d waits in step %d, layer %d, %s (op %d): %s",
                    (int)gpu->gpu, (int)gpu->step, (int)op->layer, gpu_op_name(op->op),
                    (int)gpu->sequence, what);
}

void gpu_world_explain(const struct gpu_world *world, struct base_report *report)
{
    for (int32_t i = 0; i < world->gpus; i++) {
        if (!world->gpu[i].done) {
            explain(world, &world->gpu[i], report);
        }
    }
}
