/* SPDX-License-Identifier: BSD-3-Clause */
/* Simulates the request on the GPU cluster, with the neighbour as configured and then without. */
#include "app/gpu.h"

#include <inttypes.h>

#include "base/memory.h"
#include "base/progress.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

struct app_gpu *app_gpu_create(void)
{
    return base_alloc(1, sizeof(struct app_gpu));
}

static void span_free(struct app_gpu_span *span)
{
    base_free(span->start_ps);
    base_free(span->end_ps);
}

void app_gpu_free(struct app_gpu *gpu)
{
    if (!gpu)
        return;
    for (int32_t i = 0; gpu->span && i < gpu->repeats; i++)
        span_free(&gpu->span[i]);
    span_free(&gpu->quiet);
    base_free(gpu->span);
    base_free(gpu->decisions);
    base_free(gpu);
}

const char *app_gpu_share_name(enum app_gpu_share share)
{
    static const char *const name[APP_GPU_SHARES] = {
        [GPU_BOUND_TENSOR] = "kernels (tensor cores)",
        [GPU_BOUND_HBM] = "kernels (HBM)",
        [GPU_BOUND_L2] = "kernels (L2)",
        [GPU_BOUND_LATENCY] = "kernels (latency)",
        [GPU_BOUND_LAUNCH] = "kernels (launched late)",
        [APP_GPU_HOST] = "host before launch",
        [APP_GPU_LATE] = "late launches",
        [APP_GPU_WAIT] = "waiting in collectives",
        [APP_GPU_COLLECTIVE] = "collective transfers",
    };
    return name[share];
}

/* The end of the prompt gives the first token here, so one decode step less gives them all. */
static struct gpu_job job_of(const struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct gpu_job job = {.chip = s->gpu_chip,
                          .cluster = s->gpu_cluster,
                          .model = run->model,
                          .bucket = s->bucket,
                          .workload = s->workload,
                          .seed = (uint64_t)s->seed};
    job.workload.decode_tokens--;
    return job;
}

enum base_status app_gpu_check(struct app_run *run)
{
    struct app_gpu *gpu = run->gpu;
    gpu->job = job_of(run);
    bool fits = gpu_job_bytes_per_gpu(&gpu->job) <= gpu->job.chip.hbm_bytes;
    gpu_job_is_valid(&gpu->job, &run->report);
    enum base_status status =
        parallel_agree_report(&run->report, fits ? BASE_USAGE : BASE_DOES_NOT_FIT);
    gpu->steps = gpu_job_steps(&gpu->job);
    gpu->prompt_steps = gpu->steps - gpu->job.workload.decode_tokens;
    gpu->working = gpu_job_working_gpus(&gpu->job);
    gpu->repeats = run->scenario.gpu_repeats;
    gpu->span = base_alloc((size_t)gpu->repeats, sizeof *gpu->span);
    return status;
}

static void show(void *progress, int64_t now_ps)
{
    base_progress_update(progress, now_ps / 1000000000);
}

/* Collective. The first and last time of each step over all ranks. */
static struct app_gpu_span span_of(const struct app_gpu *gpu, struct gpu_world *world)
{
    size_t steps = (size_t)gpu->steps;
    struct gpu_tables tables = world ? gpu_world_tables(world) : (struct gpu_tables){0};
    struct app_gpu_span span = {base_alloc(steps, sizeof(int64_t)),
                                base_alloc(steps, sizeof(int64_t))};
    gpu_step_span(tables.step, tables.steps, gpu->steps, span.start_ps, span.end_ps);
    parallel_min_i64(span.start_ps, steps);
    parallel_max_i64(span.end_ps, steps);
    return span;
}

/* Collective. What keeps the run from its end, said once. */
static enum base_status complain(struct app_run *run, struct gpu_world *world,
                                 enum base_status status)
{
    if (world && status == BASE_NO_PROGRESS)
        gpu_world_explain(world, &run->report);
    if (status == BASE_NO_PROGRESS)
        parallel_agree_report(&run->report, status);
    return status;
}

/* Collective. One simulation from its start to its end, on as many ranks as pay off. */
static enum base_status simulate(struct app_run *run, const struct gpu_job *job, const char *what,
                                 struct gpu_world **world, struct parallel_windows_report *report)
{
    int partitions = parallel_windows_partitions(
        (struct parallel_windows_share){.items = gpu_job_gpus(job),
                                        .window_events = gpu_job_window_events(job),
                                        .wanted = run->scenario.gpu_partitions});
    bool active = parallel_rank() < partitions;
    *world = active ? gpu_world_create(job, parallel_rank(), partitions) : NULL;
    struct engine *engine = active ? gpu_world_engine(*world) : NULL;
    struct base_progress progress;
    base_progress_begin(&progress, what, "ms simulated", 0,
                        run->scenario.quiet || !parallel_is_first());
    struct parallel_windows_watch watch = {.progress = show, .context = &progress};
    enum base_status status = parallel_windows_run(engine, partitions, &watch, report);
    base_progress_end(&progress, report->end_ps / 1000000000);
    run->stop_signal = report->stop_signal;
    return complain(run, *world, status);
}

/* Collective. Links are told of the end of the last step, wherever their partition stopped. */
static void close_world(const struct app_gpu *gpu, struct gpu_world *world,
                        const struct app_gpu_span *span)
{
    if (world)
        gpu_world_close(world, span->end_ps[gpu->steps - 1]);
}

/* Repeat r draws with seed + r. */
static enum base_status simulate_repeat(struct app_run *run, int32_t repeat)
{
    struct app_gpu *gpu = run->gpu;
    struct gpu_job job = gpu->job;
    struct parallel_windows_report report;
    struct gpu_world *world;
    double start_s = parallel_wall_seconds();
    app_progress(run, "GPU cluster, simulation %" PRId32 " of %" PRId32, repeat + 1, gpu->repeats);
    job.seed += (uint64_t)repeat;
    enum base_status status = simulate(run, &job, "GPU cluster", &world, &report);
    if (status == BASE_OK) {
        gpu->span[repeat] = span_of(gpu, world);
        close_world(gpu, world, &gpu->span[repeat]);
        if (repeat == 0) {
            gpu->seconds = parallel_wall_seconds() - start_s;
            gpu->windows = report;
            app_gpu_tally(gpu, world);
        }
        status = app_gpu_record(run, world, repeat);
    }
    gpu_world_free(world);
    return status;
}

static enum base_status simulate_quiet(struct app_run *run)
{
    struct gpu_job job = run->gpu->job;
    struct parallel_windows_report report;
    struct gpu_world *world;
    job.cluster.neighbour = false;
    enum base_status status =
        simulate(run, &job, "GPU cluster without the neighbour", &world, &report);
    if (status == BASE_OK)
        run->gpu->quiet = span_of(run->gpu, world);
    gpu_world_free(world);
    return status;
}

enum base_status app_gpu_simulate(struct app_run *run)
{
    if (!run->gpu)
        return BASE_OK;
    enum base_status status = BASE_OK;
    for (int32_t i = 0; i < run->gpu->repeats && status == BASE_OK; i++)
        status = simulate_repeat(run, i);
    if (status == BASE_OK && run->gpu->job.cluster.neighbour)
        status = simulate_quiet(run);
    return status;
}
