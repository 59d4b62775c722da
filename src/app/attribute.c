/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests under common random numbers, with one source of variability frozen at a time.
 *
 * Simulations are small and many, so each is one rank's own; what comes out does not depend on who
 * ran it. */
#include "app/attribute.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/gpu.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/parallel.h"
#include "parallel/place.h"
#include "record/layout.h"

void app_attribution_free(struct app_attribution *attribution)
{
    if (!attribution)
        return;
    base_free(attribution->interval_ps);
    base_free(attribution);
}

static void add_run(struct app_attribution *a, const char *name, uint32_t frozen)
{
    a->name[a->all.runs] = name;
    a->frozen[a->all.runs++] = frozen;
}

static struct app_attribution *attribution_of(const struct app_gpu *gpu, int32_t repeats)
{
    struct app_attribution *a = base_alloc(1, sizeof *a);
    uint32_t everything = 0;
    add_run(a, "nothing", 0);
    for (int s = 0; s < GPU_SOURCES; s++) {
        enum gpu_source source = (enum gpu_source)s;
        if (!gpu_source_is_present(&gpu->job, source))
            continue;
        add_run(a, gpu_source_name(source), 1U << s);
        everything |= 1U << s;
    }
    add_run(a, "all of these", everything);
    a->all.repeats = repeats;
    a->all.steps = gpu->steps - gpu->prompt_steps;
    a->interval_ps = base_alloc((size_t)a->all.runs * (size_t)repeats * (size_t)a->all.steps,
                                sizeof *a->interval_ps);
    a->all.interval_ps = a->interval_ps;
    return a;
}

/* From token to token: the end of the prompt gives the first. */
static void take_intervals(const struct app_gpu *gpu, struct gpu_world *world, int64_t *interval_ps)
{
    struct gpu_tables tables = gpu_world_tables(world);
    int64_t *start = base_alloc((size_t)gpu->steps, sizeof *start);
    int64_t *end = base_alloc((size_t)gpu->steps, sizeof *end);
    gpu_step_span(tables.step, tables.steps, gpu->steps, start, end);
    for (int32_t step = gpu->prompt_steps; step < gpu->steps; step++)
        *interval_ps++ = end[step] - end[step - 1];
    base_free(start);
    base_free(end);
}

/* Not collective. Repeat r draws with seed + r, as repeats of an ordinary run do. */
static enum base_status simulate(struct app_run *run, struct app_attribution *a, int64_t number)
{
    struct gpu_job job = run->gpu->job;
    int64_t repeat = number % a->all.repeats;
    job.frozen = a->frozen[number / a->all.repeats];
    job.seed += (uint64_t)repeat;
    job.record_first_step = gpu_job_steps(&job); /* rows of steps only */
    job.record_steps = 1;
    struct gpu_world *world = gpu_world_create(&job, 0, 1);
    enum base_status status = gpu_world_run(world);
    if (status == BASE_OK)
        take_intervals(run->gpu, world, a->interval_ps + number * a->all.steps);
    else
        gpu_world_explain(world, &run->report);
    gpu_world_free(world);
    return status;
}

/* Collective. A round is a simulation on every rank that still has one. */
static enum base_status simulate_all(struct app_run *run, struct app_attribution *a)
{
    int64_t count = (int64_t)a->all.runs * a->all.repeats, size = parallel_size();
    enum base_status status = BASE_OK;
    struct base_progress progress;
    base_progress_begin(&progress, "attribution", "simulations", count,
                        run->scenario.quiet || !parallel_is_first());
    for (int64_t first = 0; first < count && status == BASE_OK && !run->stop_signal;
         first += size) {
        int64_t number = first + parallel_rank();
        status = number < count ? simulate(run, a, number) : BASE_OK;
        status = parallel_agree_status(status);
        run->stop_signal = parallel_stop_requested();
        base_progress_update(&progress, first + size < count ? first + size : count);
    }
    base_progress_end(&progress, count);
    if (status != BASE_OK)
        parallel_agree_report(&run->report, status);
    return run->stop_signal ? BASE_FAILURE : status;
}

static void add_row(struct app_run *run, const char *name, const struct gpu_attribution *from)
{
    struct record_compare_attribution row = {.mean_ps = from->mean_ps,
                                             .p50_ps = from->p50_ps,
                                             .p99_ps = from->p99_ps,
                                             .deviation_ps = from->deviation_ps,
                                             .variance_share = from->variance_share,
                                             .variance_error = from->variance_error,
                                             .tail_share = from->tail_share};
    snprintf(row.frozen, sizeof row.frozen, "%s", name);
    record_append(run->file, record_layout(RECORD_COMPARE_ATTRIBUTION), &row, parallel_is_first());
}

static void add_intervals(struct app_run *run, const struct app_attribution *a, int32_t number)
{
    int32_t steps = a->all.steps;
    size_t count = (size_t)a->all.repeats * (size_t)steps;
    struct record_compare_interval *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++) {
        row[i] = (struct record_compare_interval){
            .repeat = (int32_t)i / steps,
            .step = run->gpu->prompt_steps + (int32_t)i % steps,
            .interval_ps = a->interval_ps[(size_t)number * count + i]};
        snprintf(row[i].frozen, sizeof row[i].frozen, "%s", a->name[number]);
    }
    record_append(run->file, record_layout(RECORD_COMPARE_INTERVALS), row,
                  parallel_is_first() ? count : 0);
    base_free(row);
}

static void record_all(struct app_run *run, const struct app_attribution *a)
{
    for (int32_t i = 0; i < a->all.runs; i++) {
        add_row(run, a->name[i], &a->row[i]);
        add_intervals(run, a, i);
    }
    add_row(run, "interactions", &a->rest);
}

/* A variance wants two intervals at least. */
static enum base_status refuse_short(struct app_run *run)
{
    int32_t tokens = run->scenario.workload.decode_tokens;
    if (tokens < 3)
        base_report_add(&run->report, NULL, 0,
                        "workload.decode_tokens = %" PRId32
                        ": attribute compares times between tokens; 3 or more are wanted",
                        tokens);
    return parallel_agree_report(&run->report, BASE_USAGE);
}

enum base_status app_attribute_run(struct app_run *run)
{
    if (refuse_short(run) != BASE_OK)
        return BASE_USAGE;
    struct app_attribution *a = attribution_of(run->gpu, run->scenario.gpu_attribution_repeats);
    double start_s = parallel_wall_seconds();
    run->attribution = a;
    app_progress(run, "sources of variability are frozen one by one");
    enum base_status status = simulate_all(run, a);
    if (status != BASE_OK)
        return status;
    parallel_sum_i64(a->interval_ps,
                     (size_t)a->all.runs * (size_t)a->all.repeats * (size_t)a->all.steps);
    for (int32_t i = 0; i < a->all.runs; i++)
        a->row[i] = gpu_attribution_of(&a->all, i);
    a->rest = gpu_attribution_rest(a->row, a->all.runs);
    a->seconds = parallel_wall_seconds() - start_s;
    if (run->file)
        record_all(run, a);
    return BASE_OK;
}
