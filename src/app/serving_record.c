/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and measures of both machines as rows of the file. */
#include <stdio.h>

#include "app/gpu.h"
#include "app/serving.h"
#include "base/memory.h"
#include "parallel/parallel.h"

static struct record_serve_request request_row(const struct app_serving *serving,
                                               enum record_machine machine, size_t i)
{
    const struct serve_request *request = &serving->requests.request[i];
    const struct serve_outcome *outcome = &serving->outcome[machine][i];
    return (struct record_serve_request){.machine = (uint8_t)machine,
                                         .request = (int32_t)i,
                                         .tenant = request->tenant,
                                         .prompt_tokens = request->prompt_tokens,
                                         .output_tokens = request->output_tokens,
                                         .fate = (uint8_t)outcome->fate,
                                         .replica = outcome->replica,
                                         .preemptions = outcome->preemptions,
                                         .arrival_ps = request->arrival_ps,
                                         .admitted_ps = outcome->admitted_ps,
                                         .first_token_ps = outcome->first_token_ps,
                                         .finished_ps = outcome->finished_ps,
                                         .promised_ps = outcome->promised_ps,
                                         .longest_gap_ps = outcome->longest_gap_ps};
}

/* Rows on their way into a list. */
struct rows {
    struct record_serve_measure *row;
    size_t count, capacity;
    uint8_t machine;
};

static void add(struct rows *rows, const char *name, double value, const char *units)
{
    rows->row = base_grow(rows->row, &rows->capacity, rows->count + 1, sizeof *rows->row);
    struct record_serve_measure *row = &rows->row[rows->count++];
    *row = (struct record_serve_measure){.machine = rows->machine, .value = value};
    snprintf(row->measure, sizeof row->measure, "%s", name);
    snprintf(row->units, sizeof row->units, "%s", units);
}

static void add_time(struct rows *rows, const char *name, const char *of, double ps)
{
    char *whole = base_format("%s_%s", name, of);
    add(rows, whole, ps / 1e6, "us");
    base_free(whole);
}

static void add_spread(struct rows *rows, const char *name, const struct serve_spread *spread)
{
    if (spread->count == 0)
        return;
    add_time(rows, name, "mean", spread->mean_ps);
    add_time(rows, name, "p50", (double)spread->p50_ps);
    add_time(rows, name, "p90", (double)spread->p90_ps);
    add_time(rows, name, "p99", (double)spread->p99_ps);
    add_time(rows, name, "max", (double)spread->max_ps);
}

static void add_level(struct rows *rows, const char *name, const struct serve_level *level)
{
    char *mean = base_format("%s_mean", name), *most = base_format("%s_most", name);
    add(rows, mean, level->mean, "1");
    add(rows, most, (double)level->most, "1");
    base_free(mean);
    base_free(most);
}

static void add_counts(struct rows *rows, const struct serve_measures *m)
{
    add(rows, "requests", (double)m->requests, "1");
    add(rows, "admitted", (double)m->queue.count, "1");
    add(rows, "finished", (double)m->fate[SERVE_FINISHED], "1");
    add(rows, "refused_too_long", (double)m->fate[SERVE_TOO_LONG], "1");
    add(rows, "refused_too_late", (double)m->fate[SERVE_TOO_LATE], "1");
    add(rows, "refused_over_budget", (double)m->fate[SERVE_OVER_BUDGET], "1");
    add(rows, "still_waiting", (double)m->fate[SERVE_WAITING], "1");
    add(rows, "preemptions", (double)m->preemptions, "1");
    add(rows, "horizon", (double)m->horizon_ps / 1e12, "s");
    add(rows, "prompt_tokens", (double)m->prompt_tokens, "tokens");
    add(rows, "output_tokens", (double)m->output_tokens, "tokens");
    add(rows, "output_tokens_per_second", m->output_tokens_per_s, "1/s");
    add(rows, "good", (double)m->good, "1");
    add(rows, "good_share", m->good_share, "1");
    add(rows, "good_per_second", m->good_per_s, "1/s");
}

/* Of the LPU: its frame, and what became of the slots. */
static void add_timetable(struct rows *rows, const struct app_serving_timetable *t)
{
    add(rows, "capacity_requests_per_second", t->capacity.requests_per_s, "1/s");
    add(rows, "capacity_tokens_per_second", t->capacity.tokens_per_s, "1/s");
    add_time(rows, "capacity_tpot", "p99", (double)t->capacity.full_tpot_ps);
    add_time(rows, "alone_ttft", "worst", (double)t->capacity.alone_ttft_ps);
    add_time(rows, "alone_tpot", "worst", (double)t->capacity.alone_tpot_ps);
    add_time(rows, "alone_tpot", "without_windows", (double)t->capacity.bare_tpot_ps);
    add(rows, "seats", t->seats, "1");
    add(rows, "lanes", t->lanes, "1");
    add(rows, "slot", (double)t->slot_cycles, "cycles");
    add(rows, "frame_slots", t->slots, "1");
    add(rows, "frame_slots_for_passes", t->closed_slots, "1");
    add(rows, "frame_passes", t->passes, "1");
    add(rows, "slots", (double)t->usage.slots, "1");
    add(rows, "slots_decode", (double)t->usage.decode_slots, "1");
    add(rows, "slots_for_passes", (double)t->usage.closed_slots, "1");
    add(rows, "passes", (double)t->usage.passes, "1");
    add(rows, "passes_taken", (double)t->usage.passes_taken, "1");
    add(rows, "steps_rehearsed", (double)t->rehearsal.starts, "1");
    add(rows, "pairs_rehearsed", (double)t->rehearsal.pairs, "1");
    add(rows, "pairs_too_near", (double)t->rehearsal.too_near, "1");
    add(rows, "promises_broken", (double)t->rehearsal.unkept, "1");
}

static void add_deviation(struct rows *rows, const char *name, const struct app_gpu_deviation *off)
{
    const double value[] = {off->median, off->p90, off->worst};
    static const char *const of[] = {"median", "p90", "worst"};
    for (int i = 0; i < 3; i++) {
        char *whole = base_format("%s_%s", name, of[i]);
        add(rows, whole, value[i], "1");
        base_free(whole);
    }
}

/* Cells beside iterations that were simulated exactly. */
static void add_cells(struct rows *rows, const struct app_gpu_door *door)
{
    add(rows, "cells_points", (double)door->points, "1");
    add(rows, "cells_steps", (double)door->simulations, "1");
    add(rows, "cells_checked", door->checked, "1");
    add(rows, "cells_check_draws", door->check_draws, "1");
    add(rows, "cells_bias", door->bias, "1");
    add_deviation(rows, "cells_mean_off", &door->mean);
    add_deviation(rows, "cells_variation_off", &door->variation);
    add(rows, "capacity_requests_per_second", door->capacity_requests_per_s, "1/s");
    add(rows, "capacity_tokens_per_second", door->capacity_tokens_per_s, "1/s");
}

/* What the engines did. */
static void add_door(struct rows *rows, const struct app_run *run)
{
    const struct app_gpu_door *door = &run->gpu->door;
    add(rows, "iterations", (double)door->tally.iterations, "1");
    add(rows, "iterations_with_prompts", (double)door->tally.prompt_iterations, "1");
    add(rows, "iterations_time", (double)door->tally.busy_ps / 1e12, "s");
    add(rows, "budget", (double)door->rules.budget_tokens, "tokens");
    add(rows, "passed_prompt_tokens", (double)door->tally.prompt_tokens, "tokens");
    add(rows, "kv_blocks", (double)door->rules.blocks, "1");
    add(rows, "kv_blocks_most", (double)door->tally.most_blocks, "1");
    add(rows, "sequences_most", (double)door->tally.most_sequences, "1");
    add(rows, "exact", run->scenario.serve.fidelity == SERVE_EXACT, "1");
    if (run->scenario.serve.fidelity == SERVE_CELLS)
        add_cells(rows, door);
}

size_t app_serving_rows(const struct app_run *run, enum record_machine machine,
                        struct record_serve_measure **row)
{
    const struct serve_measures *m = &run->serving->measures[machine];
    struct rows rows = {.machine = (uint8_t)machine};
    add_counts(&rows, m);
    add_spread(&rows, "queue", &m->queue);
    add_spread(&rows, "ttft", &m->ttft);
    add_spread(&rows, "tpot", &m->tpot);
    add_spread(&rows, "longest_gap", &m->gap);
    add_spread(&rows, "request_time", &m->request);
    add(&rows, "busy_share", m->busy_share, "1");
    add_level(&rows, "waiting", &m->waiting);
    add_level(&rows, "in_service", &m->serving);
    add_level(&rows, "in_system", &m->inside);
    if (machine == RECORD_LPU)
        add_timetable(&rows, &run->serving->timetable);
    if (machine == RECORD_GPU && run->gpu)
        add_door(&rows, run);
    *row = rows.row;
    return rows.count;
}

/* Rows of one machine; those of the other come before or behind them. */
static void record_machine(struct app_run *run, enum record_machine machine)
{
    const struct app_serving *serving = run->serving;
    size_t count = parallel_is_first() && serving->outcome[machine] ? serving->requests.count : 0;
    struct record_serve_request *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++)
        row[i] = request_row(serving, machine, i);
    record_append(run->file, record_layout(RECORD_SERVE_REQUESTS), row, count);
    base_free(row);
    struct record_serve_measure *measure;
    size_t measures = app_serving_rows(run, machine, &measure);
    record_append(run->file, record_layout(RECORD_SERVE_MEASURES), measure, count ? measures : 0);
    base_free(measure);
}

void app_serving_record(struct app_run *run)
{
    record_machine(run, RECORD_LPU);
    record_machine(run, RECORD_GPU);
}
