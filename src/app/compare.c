/* SPDX-License-Identifier: BSD-3-Clause */
/* Collects the rows of /compare and writes them. */
#include "app/compare.h"

#include <stdio.h>

#include "app/gpu.h"
#include "app/lpu.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "serve/measures.h"

#define ADD(compare, field, fields, capacity)                                                      \
    ((compare)->field = base_grow((compare)->field, &(compare)->capacity, (compare)->fields + 1,   \
                                  sizeof *(compare)->field),                                       \
     &(compare)->field[(compare)->fields++])

void app_compare_free(struct app_compare *compare)
{
    if (!compare)
        return;
    base_free(compare->metric);
    base_free(compare->decision);
    base_free(compare->share);
    base_free(compare->step);
    base_free(compare);
}

void app_compare_metric(struct app_compare *compare, enum record_machine machine, const char *name,
                        double value, const char *units)
{
    struct record_compare_metric *row = ADD(compare, metric, metrics, metric_capacity);
    *row = (struct record_compare_metric){.machine = (uint8_t)machine, .value = value};
    snprintf(row->metric, sizeof row->metric, "%s", name);
    snprintf(row->units, sizeof row->units, "%s", units);
}

void app_compare_decision(struct app_compare *compare, enum record_machine machine,
                          enum record_when when, const char *name, int64_t count, double per_token)
{
    struct record_compare_decision *row = ADD(compare, decision, decisions, decision_capacity);
    *row = (struct record_compare_decision){
        .machine = (uint8_t)machine, .when = (uint8_t)when, .count = count, .per_token = per_token};
    snprintf(row->decision, sizeof row->decision, "%s", name);
}

void app_compare_share(struct app_compare *compare, enum record_machine machine,
                       enum record_phase phase, const char *name, int64_t time_ps)
{
    struct record_compare_share *row = ADD(compare, share, shares, share_capacity);
    *row = (struct record_compare_share){
        .machine = (uint8_t)machine, .phase = (uint8_t)phase, .time_ps = time_ps};
    snprintf(row->share, sizeof row->share, "%s", name);
}

void app_compare_step(struct app_compare *compare, struct record_compare_step step)
{
    *ADD(compare, step, steps, step_capacity) = step;
}

struct app_intervals app_intervals_of(int64_t *interval_ps, size_t count)
{
    if (count == 0)
        return (struct app_intervals){0};
    struct serve_spread spread = serve_spread_of(interval_ps, count);
    return (struct app_intervals){.count = (int64_t)count,
                                  .min_ps = interval_ps[0],
                                  .p50_ps = spread.p50_ps,
                                  .p99_ps = spread.p99_ps,
                                  .max_ps = spread.max_ps};
}

static void add_figures(struct app_compare *compare, enum record_machine machine, int32_t batch)
{
    const struct app_figures *f = &compare->machine[machine];
    app_compare_metric(compare, machine, "ttft", (double)f->ttft_ps / 1e6, "us");
    app_compare_metric(compare, machine, "request_time", (double)f->finished_ps / 1e6, "us");
    app_compare_metric(compare, machine, "tokens_per_second", f->tokens_per_s, "1/s");
    app_compare_metric(compare, machine, "tokens_per_second_a_batch", batch * f->tokens_per_s,
                       "1/s");
    if (f->tpot.count == 0)
        return;
    app_compare_metric(compare, machine, "tpot_min", (double)f->tpot.min_ps / 1e6, "us");
    app_compare_metric(compare, machine, "tpot_p50", (double)f->tpot.p50_ps / 1e6, "us");
    app_compare_metric(compare, machine, "tpot_p99", (double)f->tpot.p99_ps / 1e6, "us");
    app_compare_metric(compare, machine, "tpot_max", (double)f->tpot.max_ps / 1e6, "us");
}

static void write_rows(struct app_run *run)
{
    const struct app_compare *c = run->compare;
    bool first = parallel_is_first();
    record_append(run->file, record_layout(RECORD_COMPARE_DECISIONS), c->decision,
                  first ? c->decisions : 0);
    record_append(run->file, record_layout(RECORD_COMPARE_STEPS), c->step, first ? c->steps : 0);
    record_append(run->file, record_layout(RECORD_COMPARE_SHARES), c->share, first ? c->shares : 0);
    record_append(run->file, record_layout(RECORD_COMPARE_METRICS), c->metric,
                  first ? c->metrics : 0);
}

enum base_status app_compare_run(struct app_run *run)
{
    run->compare = base_alloc(1, sizeof *run->compare);
    if (run->lpu) {
        app_compare_add_lpu(run->compare, run);
        add_figures(run->compare, RECORD_LPU, run->scenario.bucket.batch);
    }
    if (run->gpu) {
        app_compare_add_gpu(run->compare, run);
        add_figures(run->compare, RECORD_GPU, run->scenario.bucket.batch);
    }
    if (run->file)
        write_rows(run);
    return BASE_OK;
}
