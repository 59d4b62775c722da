/* SPDX-License-Identifier: BSD-3-Clause */
/* What the GPU cluster brings to the comparison. */
#include "app/compare.h"
#include "app/gpu.h"
#include "base/memory.h"

/* KV position of a step's first token. */
static int32_t position_of(const struct app_gpu *gpu, int32_t step)
{
    int32_t decode = step - gpu->prompt_steps;
    return decode < 0 ? step * gpu->job.bucket.prefill_chunk
                      : gpu->job.workload.prompt_tokens + decode;
}

static void add_steps(struct app_compare *compare, const struct app_gpu *gpu, int32_t repeat)
{
    const struct app_gpu_span *span = &gpu->span[repeat];
    for (int32_t i = 0; i < gpu->steps; i++)
        app_compare_step(compare, (struct record_compare_step){.machine = RECORD_GPU,
                                                               .repeat = repeat,
                                                               .step = i,
                                                               .phase = i < gpu->prompt_steps
                                                                            ? RECORD_PREFILL
                                                                            : RECORD_DECODE,
                                                               .position = position_of(gpu, i),
                                                               .start_ps = span->start_ps[i],
                                                               .end_ps = span->end_ps[i]});
}

/* From token to token: the end of the prompt gives the first. */
static struct app_intervals intervals_of(const struct app_gpu *gpu, const struct app_gpu_span *span,
                                         int32_t spans)
{
    size_t count = 0, most = (size_t)(gpu->steps - gpu->prompt_steps) * (size_t)spans;
    int64_t *interval = base_alloc(most, sizeof *interval);
    for (int32_t i = 0; i < spans; i++)
        for (int32_t step = gpu->prompt_steps; step < gpu->steps; step++)
            interval[count++] = span[i].end_ps[step] - span[i].end_ps[step - 1];
    struct app_intervals intervals = app_intervals_of(interval, count);
    base_free(interval);
    return intervals;
}

static struct app_figures figures_of(const struct app_gpu *gpu, const struct app_gpu_span *span,
                                     int32_t spans)
{
    struct app_served served = {.request = {.output_tokens = gpu->steps - gpu->prompt_steps + 1},
                                .times = {.first_token_ps = span->end_ps[gpu->prompt_steps - 1],
                                          .finished_ps = span->end_ps[gpu->steps - 1]}};
    struct app_figures figures = {.runs = true,
                                  .ttft_ps = served.times.first_token_ps,
                                  .finished_ps = served.times.finished_ps,
                                  .tokens_per_s = app_served_rate(&served),
                                  .tpot = intervals_of(gpu, span, spans)};
    return figures;
}

/* Counts of the whole first simulation; a token's share is that of a mean decode step. */
static void add_decisions(struct app_compare *compare, const struct app_gpu *gpu)
{
    int32_t decode = gpu->steps - gpu->prompt_steps;
    for (int class = 0; class < GPU_DECISION_CLASSES; class ++) {
        int64_t sum = 0;
        for (int32_t step = gpu->prompt_steps; step < gpu->steps; step++)
            sum += gpu->decisions[step * GPU_DECISION_CLASSES + class];
        app_compare_decision(compare, RECORD_GPU, RECORD_RUN_TIME,
                             gpu_decision_name((enum gpu_decision) class),
                             gpu->totals.decisions[class], decode > 0 ? (double)sum / decode : 0);
        if (compare->machine[RECORD_LPU].runs) /* no instruction of a program decides anything */
            app_compare_decision(compare, RECORD_LPU, RECORD_RUN_TIME,
                                 gpu_decision_name((enum gpu_decision) class), 0, 0);
    }
}

static void add_shares(struct app_compare *compare, const struct app_gpu *gpu)
{
    for (int phase = 0; phase < 2; phase++)
        for (int share = 0; share < APP_GPU_SHARES; share++)
            app_compare_share(compare, RECORD_GPU, (enum record_phase)phase,
                              app_gpu_share_name((enum app_gpu_share)share),
                              gpu->share_ps[phase][share]);
}

static double share_of(int64_t part, int64_t count, int64_t span)
{
    return count > 0 && span > 0 ? (double)part / ((double)count * (double)span) : 0;
}

/* Over the whole first simulation. */
static void add_utilisation(struct app_compare *compare, const struct app_gpu *gpu)
{
    int64_t span = gpu->span[0].end_ps[gpu->steps - 1];
    const struct app_gpu_links *nvlink = &gpu->nvlink, *nic = &gpu->nic;
    app_compare_metric(compare, RECORD_GPU, "kernels_running",
                       share_of(gpu->kernel_ps, gpu->working, span), "1");
    app_compare_metric(compare, RECORD_GPU, "sms_busy",
                       share_of(gpu->kernel_sm_ps, gpu->working, span), "1");
    app_compare_metric(compare, RECORD_GPU, "links_busy",
                       share_of(nvlink->busy_ps, nvlink->links, span), "1");
    app_compare_metric(compare, RECORD_GPU, "fabric_busy", share_of(nic->busy_ps, nic->links, span),
                       "1");
    app_compare_metric(compare, RECORD_GPU, "fabric_busy_neighbour",
                       share_of(nic->neighbour_ps, nic->links, span), "1");
    app_compare_metric(compare, RECORD_GPU, "events", (double)gpu->totals.events, "1");
}

static void add_quiet(struct app_compare *compare, const struct app_gpu *gpu)
{
    if (!gpu->quiet.end_ps)
        return;
    compare->quiet = figures_of(gpu, &gpu->quiet, 1);
    const struct app_intervals *tpot = &compare->quiet.tpot;
    app_compare_metric(compare, RECORD_GPU, "ttft_without_neighbour",
                       (double)compare->quiet.ttft_ps / 1e6, "us");
    if (tpot->count == 0)
        return;
    app_compare_metric(compare, RECORD_GPU, "tpot_p50_without_neighbour",
                       (double)tpot->p50_ps / 1e6, "us");
    app_compare_metric(compare, RECORD_GPU, "tpot_p99_without_neighbour",
                       (double)tpot->p99_ps / 1e6, "us");
}

void app_compare_add_gpu(struct app_compare *compare, const struct app_run *run)
{
    const struct app_gpu *gpu = run->gpu;
    compare->machine[RECORD_GPU] = figures_of(gpu, gpu->span, gpu->repeats);
    for (int32_t i = 0; i < gpu->repeats; i++)
        add_steps(compare, gpu, i);
    add_decisions(compare, gpu);
    add_shares(compare, gpu);
    add_utilisation(compare, gpu);
    add_quiet(compare, gpu);
}
