/* SPDX-License-Identifier: BSD-3-Clause */
/* Facts about the variability of GPU clusters as they were published, and as the simulation has
 * them; with a folder of measurements, how these spread. Where the published figures come from is
 * in docs/gpu_model.md. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "gpu_cluster/contention.h"
#include "gpu_cluster/variation.h"
#include "gpu_cluster/world.h"
#include "series.h"
#include "spread.h"

static struct gpu_job job_of(const struct scenario *s, const struct model *model)
{
    struct gpu_job job = {.chip = s->gpu_chip,
                          .cluster = s->gpu_cluster,
                          .model = *model,
                          .bucket = s->bucket,
                          .workload = s->workload,
                          .seed = (uint64_t)s->seed};
    return job;
}

/* All GPUs on one node, nobody beside them, and a context that does not grow. */
static struct gpu_job healthy(const struct gpu_job *job)
{
    struct gpu_job alone = *job;
    alone.cluster.gpus_per_node *= alone.cluster.nodes;
    alone.cluster.nodes = 1;
    alone.cluster.neighbour = false;
    alone.frozen = 1U << GPU_SOURCE_CONTEXT;
    return alone;
}

static void run_to_end(struct gpu_world *world)
{
    if (gpu_world_run(world) != BASE_OK) {
        fprintf(stderr, "variability: the simulation does not come to its end\n");
        exit(1);
    }
}

static struct gpu_world *run(const struct gpu_job *job)
{
    struct gpu_world *world = gpu_world_create(job, 0, 1);
    run_to_end(world);
    return world;
}

static void say(const char *fact, const char *published, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const char *fact, const char *published, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%-56s%-20s", fact, published);
    vprintf(format, args);
    puts("");
    va_end(args);
}

/* Kernels at the same place of decode steps, by GPU and place. */
enum { GPUS = 8, PLACES = 4096 };
struct places {
    struct series at[GPUS][PLACES];
};

static struct places *places_of(const struct gpu_tables *t, int32_t prompt_steps)
{
    struct places *places = base_alloc(1, sizeof *places);
    for (size_t i = 0; i < t->kernels; i++) {
        const struct gpu_kernel_row *row = &t->kernel[i];
        if (row->step >= prompt_steps && row->gpu < GPUS && row->sequence < PLACES) {
            series_add(&places->at[row->gpu][row->sequence], (double)(row->end_ps - row->start_ps));
        }
    }
    return places;
}

static void free_places(struct places *places)
{
    for (int g = 0; g < GPUS; g++) {
        for (int p = 0; p < PLACES; p++) {
            series_release(&places->at[g][p]);
        }
    }
    base_free(places);
}

/* Over time at one place; the mean of a GPU over that of all. */
static void say_ops(struct places *places)
{
    struct series cv = {0}, tail = {0}, rank = {0};
    for (int g = 0; g < GPUS; g++) {
        double sum = 0;
        for (int p = 0; p < PLACES; p++) {
            struct series *v = &places->at[g][p];
            if (v->count > 1) {
                series_add(&cv, series_variation(v));
                series_add(&tail, series_percentile(v, 99) / series_percentile(v, 50));
                sum += series_mean(v);
            }
        }
        series_add(&rank, sum);
    }
    say("one op over time, CV: p10 / median / p90 of ops", "1.5 - 3 %", "%.1f / %.1f / %.1f %%",
        100 * series_percentile(&cv, 10), 100 * series_percentile(&cv, 50),
        100 * series_percentile(&cv, 90));
    say("one op, p99 / p50: median / p90 of ops", "at most 1.08", "%.3f / %.3f",
        series_percentile(&tail, 50), series_percentile(&tail, 90));
    say("ranks of a node, slowest over fastest", "within 1 %", "%.2f %%",
        100 * (series_percentile(&rank, 100) / series_percentile(&rank, 0) - 1));
    series_release(&cv);
    series_release(&tail);
    series_release(&rank);
}

/* Ends of decode steps, one from the other. */
static struct series intervals_of(const struct gpu_job *job, const struct gpu_tables *t)
{
    int32_t steps = gpu_job_steps(job);
    int64_t *start = base_alloc((size_t)steps, sizeof *start);
    int64_t *end = base_alloc((size_t)steps, sizeof *end);
    struct series v = {0};
    gpu_step_span(t->step, t->steps, steps, start, end);
    for (int32_t i = steps - job->workload.decode_tokens; i < steps; i++) {
        series_add(&v, (double)(end[i] - end[i - 1]));
    }
    base_free(start);
    base_free(end);
    return v;
}

static double step_ps(const struct gpu_job *job)
{
    struct gpu_world *world = run(job);
    struct gpu_tables t = gpu_world_tables(world);
    struct series v = intervals_of(job, &t);
    double ps = series_mean(&v);
    series_release(&v);
    gpu_world_free(world);
    return ps;
}

/* Means of runs that differ in their draws alone. */
static void say_runs(const struct gpu_job *job)
{
    struct gpu_job other = *job;
    struct series v = {0};
    for (int i = 0; i < 20; i++, other.seed++) {
        series_add(&v, step_ps(&other));
    }
    say("mean step from run to run, CV", "0.4 %, p90 0.9 %", "%.2f %%", 100 * series_variation(&v));
    series_release(&v);
}

static void say_steps(const struct gpu_job *job)
{
    struct gpu_world *world = run(job);
    struct gpu_tables t = gpu_world_tables(world);
    struct series v = intervals_of(job, &t);
    struct places *places = places_of(&t, gpu_job_steps(job) - job->workload.decode_tokens);
    say_ops(places);
    say("steps of one run, CV", "", "%.2f %%", 100 * series_variation(&v));
    free_places(places);
    series_release(&v);
    gpu_world_free(world);
}

/* Steps of nothing but all-reduces, at most so many of those that a decode step has. */
static struct gpu_plan all_reduces_of(const struct gpu_job *job, int32_t most)
{
    struct gpu_plan plan = gpu_plan_build(job);
    for (int32_t shape = 0; shape < plan.shapes; shape++) {
        struct gpu_plan_step *step = &plan.step[shape];
        int32_t kept = 0;
        for (int32_t i = 0; i < step->count; i++) {
            if (step->op[i].op == GPU_OP_ALL_REDUCE && kept < most) {
                step->op[kept++] = step->op[i];
            }
        }
        step->count = kept;
    }
    gpu_plan_bound(&plan);
    return plan;
}

/* One all-reduce after the other, each launched when all are through with the last: from end to
 * end. */
static struct series eager_all_reduces(const struct gpu_job *job)
{
    struct gpu_job bare = *job;
    bare.cluster.captured_graph = false;
    bare.workload.decode_tokens = 500;
    bare.bucket.max_sequence = bare.workload.prompt_tokens + 500;
    bare.chip.engine_schedule_ps = bare.chip.engine_inputs_ps = bare.chip.engine_sampling_ps = 0;
    bare.chip.engine_sequence_ps = 0;
    bare.chip.engine_broadcast_ps = 1;
    struct gpu_world *world = gpu_world_create_from(&bare, all_reduces_of(&bare, 1),
                                                    gpu_topology_fat_tree(&bare.cluster), 0, 1);
    run_to_end(world);
    struct gpu_tables t = gpu_world_tables(world);
    struct series v = intervals_of(&bare, &t);
    gpu_world_free(world);
    return v;
}

/* All of a step in one graph: from when a GPU comes to one to its end there. */
static struct series captured_all_reduces(const struct gpu_job *job)
{
    struct gpu_world *world = gpu_world_create_from(job, all_reduces_of(job, INT32_MAX),
                                                    gpu_topology_fat_tree(&job->cluster), 0, 1);
    run_to_end(world);
    struct gpu_tables t = gpu_world_tables(world);
    struct series v = {0};
    int32_t prompt = gpu_job_steps(job) - job->workload.decode_tokens;
    for (size_t i = 0; i < t.collectives; i++) {
        const struct gpu_collective_row *row = &t.collective[i];
        if (row->step >= prompt && row->sequence > 0) {
            series_add(&v, (double)(row->end_ps - row->start_ps));
        }
    }
    gpu_world_free(world);
    return v;
}

static void say_all_reduce(const struct gpu_job *job)
{
    static const double us = 1e6;
    struct series eager = eager_all_reduces(job), graph = captured_all_reduces(job);
    say("eager all-reduce, 8 GPUs: min / median / max", "20 / 30 / 38 us", "%.1f / %.1f / %.1f us",
        series_percentile(&eager, 0) / us, series_percentile(&eager, 50) / us,
        series_percentile(&eager, 100) / us);
    say("the same in a graph", "5 - 6 us", "%.1f / %.1f / %.1f us",
        series_percentile(&graph, 0) / us, series_percentile(&graph, 50) / us,
        series_percentile(&graph, 100) / us);
    series_release(&eager);
    series_release(&graph);
}

/* A prompt of one chunk, by all GPUs of the node: the end of the first step. */
static double prompt_ps(const struct gpu_job *job)
{
    struct gpu_world *world = run(job);
    struct gpu_tables t = gpu_world_tables(world);
    int32_t steps = gpu_job_steps(job);
    int64_t *start = base_alloc((size_t)steps, sizeof *start);
    int64_t *end = base_alloc((size_t)steps, sizeof *end);
    gpu_step_span(t.step, t.steps, steps, start, end);
    double ps = (double)end[0];
    base_free(start);
    base_free(end);
    gpu_world_free(world);
    return ps;
}

static struct gpu_job prompt_job(const struct gpu_job *job, const struct model *busy,
                                 int32_t tokens)
{
    struct gpu_job other = *job;
    other.model = *busy;
    other.bucket.prefill_chunk = other.bucket.max_sequence = tokens;
    other.workload = (struct workload){.prompt_tokens = tokens, .decode_tokens = 1};
    return other;
}

static void say_slow(const struct gpu_job *job, const struct model *busy)
{
    struct gpu_job slow = *job, work = prompt_job(job, busy, 8192);
    double step = step_ps(job), prompt = prompt_ps(&work);
    slow.cluster.slow_gpu = work.cluster.slow_gpu = 3;
    slow.cluster.slow_factor = work.cluster.slow_factor = 2.5;
    say("one GPU of 8 slower by 2.5: a step of kernels", "2 times as long", "%.2f times",
        prompt_ps(&work) / prompt);
    say("  a decode step", "", "%.2f times", step_ps(&slow) / step);
}

static void say_spread(const struct gpu_job *job)
{
    struct gpu_job wide = *job;
    struct series v = {0};
    wide.cluster.spread = 0.08;
    wide.frozen = 1U << GPU_SOURCE_RUN;
    for (int32_t gpu = 0; gpu < 4000; gpu++) {
        series_add(&v, gpu_slowdown(&wide, gpu));
    }
    say("GPUs of one model, gpu.spread = 8 %: range", "8 %, at most 22 %", "%.1f %%",
        100 * (series_percentile(&v, 100) - series_percentile(&v, 0)) / series_percentile(&v, 50));
    series_release(&v);
}

static double kernel_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel)
{
    return (double)gpu_kernel_ps(chip, kernel, chip->sms);
}

/* Kernels of a prompt chunk one after the other, beside a collective over alone. */
static double chunk_beside(const struct gpu_job *job, const struct gpu_chip *left)
{
    struct gpu_plan plan = gpu_plan_build(job);
    const struct gpu_plan_step *step = &plan.step[0];
    double alone = 0, beside = 0;
    for (int32_t i = 0; i < step->count; i++) {
        if (step->op[i].action == GPU_ACTION_KERNEL) {
            alone += kernel_ps(&job->chip, &step->op[i].kernel);
            beside += kernel_ps(left, &step->op[i].kernel);
        }
    }
    gpu_plan_release(&plan);
    return beside / alone;
}

/* The first product of a step. */
static struct gpu_kernel product_of(const struct gpu_plan_step *step)
{
    int32_t i = 0;
    while (step->op[i].op != GPU_OP_QKV) {
        i++;
    }
    return step->op[i].kernel;
}

static void say_overlap(const struct gpu_job *job, const struct model *busy)
{
    struct gpu_taken taken = gpu_taken_by_collective(job->chip.collectives.channels,
                                                     (double)job->cluster.nvlink_bytes_per_s);
    struct gpu_chip left = gpu_chip_left(&job->chip, &taken);
    struct series v = {0};
    for (int32_t tokens = 2048; tokens <= 16384; tokens += 256) {
        struct gpu_job work = prompt_job(job, busy, tokens);
        series_add(&v, 100 * (chunk_beside(&work, &left) - 1));
    }
    say("prompt beside a collective, slower by: mean / worst", "18.9 % / 40 %", "%.1f / %.1f %%",
        series_mean(&v), series_percentile(&v, 100));
    struct gpu_job work = prompt_job(job, busy, 8192);
    struct gpu_plan plan = gpu_plan_build(&work);
    struct gpu_kernel full = product_of(&plan.step[0]);
    full.blocks = job->chip.sms;
    full.blocks_per_sm = 1;
    say("a block for each SM, beside it", "nearly 2 times", "%.2f times",
        kernel_ps(&left, &full) / kernel_ps(&job->chip, &full));
    gpu_plan_release(&plan);
    series_release(&v);
}

int main(int argc, char **argv)
{
    struct base_report report = {0};
    struct scenario scenario = {0};
    struct model model, busy;
    bool read =
        (argc == 3 || argc == 4) && config_scenario_read(argv[1], NULL, 0, &scenario, &report) &&
        model_read(scenario.model_path, &model, &report) && model_read(argv[2], &busy, &report);
    struct gpu_job job = read ? job_of(&scenario, &model) : (struct gpu_job){0};
    if (!read || gpu_job_gpus(&job) != GPUS || !gpu_job_is_valid(&job, &report)) {
        base_report_print(&report, stderr);
        fprintf(stderr,
                "usage: variability FILE MODEL [DIR]\n"
                "FILE has a cluster of %d GPUs, MODEL prompts that keep them busy; below DIR are\n"
                "traces and repeated kernels, whose spread is shown too.\n",
                GPUS);
        return 2;
    }
    job = healthy(&job);
    printf("%-56s%-20s%s\n", "", "published", "simulated");
    say_steps(&job);
    say_runs(&job);
    say_all_reduce(&job);
    say_slow(&job, &busy);
    say_spread(&job);
    say_overlap(&job, &busy);
    bool shown = argc == 3 || spread_print(argv[3]);
    config_scenario_release(&scenario);
    base_report_release(&report);
    return shown ? 0 : 1;
}
