/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of the GPU cluster, GPU by GPU: the order of partitions, and of any number of them. */
#include <stdlib.h>
#include <string.h>

#include "app/gpu.h"
#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int by_gpu(const int32_t a[3], const int32_t b[3])
{
    for (int i = 0; i < 2; i++)
        if (a[i] != b[i])
            return ORDER(a[i], b[i]);
    return ORDER(a[2], b[2]);
}

static int compare_steps(const void *a, const void *b)
{
    const struct record_gpu_step *x = a, *y = b;
    return by_gpu((int32_t[]){x->gpu, x->step, 0}, (int32_t[]){y->gpu, y->step, 0});
}

static int compare_kernels(const void *a, const void *b)
{
    const struct record_gpu_kernel *x = a, *y = b;
    return by_gpu((int32_t[]){x->gpu, x->step, x->sequence},
                  (int32_t[]){y->gpu, y->step, y->sequence});
}

static int compare_collectives(const void *a, const void *b)
{
    const struct record_gpu_collective *x = a, *y = b;
    return by_gpu((int32_t[]){x->gpu, x->step, x->sequence},
                  (int32_t[]){y->gpu, y->step, y->sequence});
}

static int compare_links(const void *a, const void *b)
{
    const struct record_gpu_link *x = a, *y = b;
    return ORDER(x->link, y->link);
}

static struct record_gpu_step step_row(const struct gpu_step_row *row, int32_t repeat)
{
    return (struct record_gpu_step){.repeat = repeat,
                                    .step = row->step,
                                    .gpu = row->gpu,
                                    .phase = row->prefill ? RECORD_PREFILL : RECORD_DECODE,
                                    .tokens = row->tokens,
                                    .kv_positions = row->kv_positions,
                                    .start_ps = row->start_ps,
                                    .end_ps = row->end_ps,
                                    .host_ps = row->host_ps,
                                    .compute_ps = row->compute_ps,
                                    .collective_ps = row->collective_ps,
                                    .idle_ps = row->idle_ps};
}

static struct record_gpu_kernel kernel_row(const struct gpu_kernel_row *row, int32_t repeat)
{
    return (struct record_gpu_kernel){.repeat = repeat,
                                      .step = row->step,
                                      .gpu = row->gpu,
                                      .sequence = row->sequence,
                                      .layer = row->layer,
                                      .op = (uint8_t)row->op,
                                      .bound = (uint8_t)row->bound,
                                      .blocks = row->blocks,
                                      .waves = row->waves,
                                      .split_k = row->split_k,
                                      .start_ps = row->start_ps,
                                      .end_ps = row->end_ps,
                                      .queue_ps = row->queue_ps};
}

static struct record_gpu_collective collective_row(const struct gpu_collective_row *row,
                                                   int32_t repeat)
{
    return (struct record_gpu_collective){.repeat = repeat,
                                          .step = row->step,
                                          .gpu = row->gpu,
                                          .sequence = row->sequence,
                                          .layer = row->layer,
                                          .op = (uint8_t)row->op,
                                          .bytes = row->bytes,
                                          .start_ps = row->start_ps,
                                          .end_ps = row->end_ps,
                                          .wait_ps = row->wait_ps,
                                          .queue_ps = row->queue_ps};
}

static struct record_gpu_link link_row(const struct gpu_job *job, const struct gpu_link_row *row,
                                       int32_t repeat)
{
    struct record_gpu_link out = {.repeat = repeat,
                                  .link = row->link,
                                  .busy_ps = row->busy_ps,
                                  .neighbour_busy_ps = row->neighbour_busy_ps,
                                  .queued_ps = row->queued_ps,
                                  .longest_queue_ps = row->longest_queue_ps,
                                  .bytes = row->bytes,
                                  .neighbour_bytes = row->neighbour_bytes,
                                  .chunks = row->chunks,
                                  .neighbour_messages = row->neighbour_messages};
    gpu_endpoint_name(job, row->from, out.from, sizeof out.from);
    gpu_endpoint_name(job, row->to, out.to, sizeof out.to);
    return out;
}

static void record_steps(struct app_run *run, const struct gpu_tables *tables, int32_t repeat)
{
    struct record_gpu_step *row = base_alloc(tables->steps, sizeof *row);
    for (size_t i = 0; i < tables->steps; i++)
        row[i] = step_row(&tables->step[i], repeat);
    qsort(row, tables->steps, sizeof *row, compare_steps);
    record_append(run->file, record_layout(RECORD_GPU_STEPS), row, tables->steps);
    base_free(row);
}

static void record_kernels(struct app_run *run, const struct gpu_tables *tables, int32_t repeat)
{
    struct record_gpu_kernel *row = base_alloc(tables->kernels, sizeof *row);
    for (size_t i = 0; i < tables->kernels; i++)
        row[i] = kernel_row(&tables->kernel[i], repeat);
    qsort(row, tables->kernels, sizeof *row, compare_kernels);
    record_append(run->file, record_layout(RECORD_GPU_KERNELS), row, tables->kernels);
    base_free(row);
}

static void record_collectives(struct app_run *run, const struct gpu_tables *tables, int32_t repeat)
{
    struct record_gpu_collective *row = base_alloc(tables->collectives, sizeof *row);
    for (size_t i = 0; i < tables->collectives; i++)
        row[i] = collective_row(&tables->collective[i], repeat);
    qsort(row, tables->collectives, sizeof *row, compare_collectives);
    record_append(run->file, record_layout(RECORD_GPU_COLLECTIVES), row, tables->collectives);
    base_free(row);
}

/* Links belong to GPUs, not to blocks of numbers: the first rank brings them into order. */
static void record_links(struct app_run *run, const struct gpu_tables *tables, int32_t repeat)
{
    size_t total;
    struct record_gpu_link *row = base_alloc(tables->links, sizeof *row);
    for (size_t i = 0; i < tables->links; i++)
        row[i] = link_row(&run->gpu->job, &tables->link[i], repeat);
    struct record_gpu_link *all = parallel_gather(row, tables->links * sizeof *row, &total);
    size_t links = total / sizeof *all;
    if (links > 0)
        qsort(all, links, sizeof *all, compare_links);
    record_append(run->file, record_layout(RECORD_GPU_LINKS), all, links);
    base_free(all);
    base_free(row);
}

/* All ranks have the sums of all. */
static void record_decisions(struct app_run *run)
{
    size_t count = (size_t)run->gpu->steps * GPU_DECISION_CLASSES;
    struct record_gpu_decision *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++)
        row[i] = (struct record_gpu_decision){.step = (int32_t)(i / GPU_DECISION_CLASSES),
                                              .decision = (uint8_t)(i % GPU_DECISION_CLASSES),
                                              .count = run->gpu->decisions[i]};
    record_append(run->file, record_layout(RECORD_GPU_DECISIONS), row,
                  parallel_is_first() ? count : 0);
    base_free(row);
}

enum base_status app_gpu_record(struct app_run *run, struct gpu_world *world, int32_t repeat)
{
    if (!run->file)
        return BASE_OK;
    struct gpu_tables tables = world ? gpu_world_tables(world) : (struct gpu_tables){0};
    record_steps(run, &tables, repeat);
    if (repeat == 0) {
        record_kernels(run, &tables, repeat);
        record_collectives(run, &tables, repeat);
        record_links(run, &tables, repeat);
        record_decisions(run);
    }
    return record_flush_if_due(run->file, run->progress, 5.0);
}
