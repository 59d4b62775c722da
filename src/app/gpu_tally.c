/* SPDX-License-Identifier: BSD-3-Clause */
/* Adds up the tables of the GPU cluster over all partitions: integers only, so ranks do not show.
 */
#include <string.h>

#include "app/gpu.h"
#include "base/memory.h"
#include "parallel/parallel.h"

/* Time of one rank's GPUs, summed over steps. */
struct tally {
    int64_t share[2][APP_GPU_SHARES];
    int64_t kernel_ps, kernel_sm_ps;
};

static enum record_phase phase_of(const struct app_gpu *gpu, int32_t step)
{
    return step < gpu->prompt_steps ? RECORD_PREFILL : RECORD_DECODE;
}

static void add_kernels(const struct app_gpu *gpu, const struct gpu_tables *tables,
                        struct tally *tally)
{
    int64_t sms = gpu->job.chip.sms;
    for (size_t i = 0; i < tables->kernels; i++) {
        const struct gpu_kernel_row *row = &tables->kernel[i];
        int64_t *share = tally->share[phase_of(gpu, row->step)], time = row->end_ps - row->start_ps;
        int64_t blocks = row->blocks < sms * row->waves ? row->blocks : sms * row->waves;
        share[row->bound] += time;
        tally->kernel_ps += time;
        tally->kernel_sm_ps += row->waves > 0 ? time / (sms * row->waves) * blocks : 0;
    }
}

static void add_collectives(const struct app_gpu *gpu, const struct gpu_tables *tables,
                            struct tally *tally)
{
    for (size_t i = 0; i < tables->collectives; i++) {
        const struct gpu_collective_row *row = &tables->collective[i];
        int64_t *share = tally->share[phase_of(gpu, row->step)];
        share[APP_GPU_WAIT] += row->wait_ps;
        share[APP_GPU_COLLECTIVE] += row->end_ps - row->start_ps - row->wait_ps;
    }
}

static void add_steps(const struct app_gpu *gpu, const struct gpu_tables *tables,
                      struct tally *tally)
{
    for (size_t i = 0; i < tables->steps; i++) {
        const struct gpu_step_row *row = &tables->step[i];
        int64_t *share = tally->share[phase_of(gpu, row->step)];
        share[APP_GPU_HOST] += row->host_ps;
        share[APP_GPU_LATE] += row->idle_ps;
    }
}

/* From sums over steps and GPUs to the mean of one. */
static void settle_shares(struct app_gpu *gpu, const struct tally *tally)
{
    int64_t steps[2] = {gpu->prompt_steps, gpu->steps - gpu->prompt_steps};
    for (int phase = 0; phase < 2; phase++)
        for (int i = 0; i < APP_GPU_SHARES && steps[phase] > 0; i++)
            gpu->share_ps[phase][i] = tally->share[phase][i] / (steps[phase] * gpu->working);
}

/* Links between a GPU and its switch are NVLink, the others the fabric between nodes. */
static void add_links(struct app_gpu *gpu, const struct gpu_tables *tables)
{
    char name[RECORD_NAME_BYTES], other[RECORD_NAME_BYTES];
    for (size_t i = 0; i < tables->links; i++) {
        const struct gpu_link_row *row = &tables->link[i];
        gpu_endpoint_name(&gpu->job, row->from, name, sizeof name);
        gpu_endpoint_name(&gpu->job, row->to, other, sizeof other);
        bool fabric = strncmp(name, "gpu", 3) != 0 && strncmp(other, "gpu", 3) != 0;
        struct app_gpu_links *links = fabric ? &gpu->nic : &gpu->nvlink;
        int64_t longest = links->longest_busy_ps, queue = links->longest_queue_ps;
        links->links++;
        links->busy_ps += row->busy_ps;
        links->neighbour_ps += row->neighbour_busy_ps;
        links->queued_ps += row->queued_ps;
        links->chunks += row->chunks;
        links->longest_busy_ps = row->busy_ps > longest ? row->busy_ps : longest;
        links->longest_queue_ps = row->longest_queue_ps > queue ? row->longest_queue_ps : queue;
    }
}

static void agree_links(struct app_gpu_links *links)
{
    int64_t sum[] = {links->links, links->busy_ps, links->neighbour_ps, links->queued_ps,
                     links->chunks};
    int64_t most[] = {links->longest_busy_ps, links->longest_queue_ps};
    parallel_sum_i64(sum, sizeof sum / sizeof sum[0]);
    parallel_max_i64(most, sizeof most / sizeof most[0]);
    *links = (struct app_gpu_links){.links = sum[0],
                                    .busy_ps = sum[1],
                                    .neighbour_ps = sum[2],
                                    .queued_ps = sum[3],
                                    .chunks = sum[4],
                                    .longest_busy_ps = most[0],
                                    .longest_queue_ps = most[1]};
}

static void agree_totals(struct gpu_totals *totals)
{
    int64_t sum[4] = {totals->events, totals->kernels, totals->collectives, totals->messages};
    parallel_sum_i64(sum, 4);
    parallel_sum_i64(totals->decisions, GPU_DECISION_CLASSES);
    totals->events = sum[0];
    totals->kernels = sum[1];
    totals->collectives = sum[2];
    totals->messages = sum[3];
}

static void agree_decisions(struct app_gpu *gpu, const struct gpu_tables *tables)
{
    size_t count = (size_t)gpu->steps * GPU_DECISION_CLASSES;
    gpu->decisions = base_alloc(count, sizeof *gpu->decisions);
    if (tables->decisions)
        memcpy(gpu->decisions, tables->decisions, count * sizeof *gpu->decisions);
    parallel_sum_i64(gpu->decisions, count);
}

void app_gpu_tally(struct app_gpu *gpu, struct gpu_world *world)
{
    struct gpu_tables tables = world ? gpu_world_tables(world) : (struct gpu_tables){0};
    struct tally tally = {0};
    add_kernels(gpu, &tables, &tally);
    add_collectives(gpu, &tables, &tally);
    add_steps(gpu, &tables, &tally);
    add_links(gpu, &tables);
    parallel_sum_i64(tally.share[0], 2 * APP_GPU_SHARES);
    parallel_sum_i64(&tally.kernel_ps, 1);
    parallel_sum_i64(&tally.kernel_sm_ps, 1);
    gpu->kernel_ps = tally.kernel_ps;
    gpu->kernel_sm_ps = tally.kernel_sm_ps;
    settle_shares(gpu, &tally);
    agree_links(&gpu->nvlink);
    agree_links(&gpu->nic);
    gpu->totals = tables.totals;
    agree_totals(&gpu->totals);
    agree_decisions(gpu, &tables);
}
