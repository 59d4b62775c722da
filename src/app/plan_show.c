/* SPDX-License-Identifier: BSD-3-Clause */
/* Candidates on the terminal, a line and a reason each, at most 100 columns; and as rows of the
 * file. */
#include <inttypes.h>
#include <stdio.h>

#include "app/gpu.h"
#include "app/plan.h"
#include "app/rows.h"
#include "app/serving.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"
#include "parallel/parallel.h"

/* "512 1024"; base_free. */
static char *buckets_text(const struct app_plan_row *row)
{
    char *text = base_strdup("");
    for (int32_t b = 0; b < row->buckets; b++) {
        char *longer = base_format("%s%s%" PRId32, text, b ? " " : "", row->positions[b]);
        base_free(text);
        text = longer;
    }
    return text;
}

static char *machine_text(const struct app_run *run, const struct app_plan_row *row)
{
    if (row->machine == RECORD_LPU)
        return base_format("%" PRId32 " x %" PRId32, row->stages, row->group);
    return base_format("%" PRId32 " %s", row->chips, run->scenario.gpu_chip.name);
}

static struct app_text limit_text(int64_t ps)
{
    return ps > 0 ? app_text_time(ps) : (struct app_text){"any"};
}

static void print_head(const struct app_run *run)
{
    const struct app_plan *plan = run->plan;
    struct app_paint paint = app_rows_paint();
    printf("\n%slpusim-mp %s%s  plan for %s: %s requests, %.4g a second\n", paint.bold,
           base_version(), paint.off, run->model.name,
           app_text_count((int64_t)run->serving->requests.count).text, plan->rate);
    printf("limits of 99 %%: TTFT %s, TPOT %s\n", limit_text(plan->limits.ttft_ps).text,
           limit_text(plan->limits.tpot_ps).text);
    if (run->lpu)
        printf("%" PRId64 " splits fit; any that is best in nothing (chips, one user's tokens a "
               "second, all, energy)\nis not compiled\n",
               plan->splits);
    printf("\n%-9s%-15s%5s%9s%9s%7s%7s%5s%6s%10s%10s%8s\n", "split", "buckets", "seats", "L", "P",
           "most/s", "kept/s", "x", "chips", "TTFT p99", "TPOT p99", "J/token");
}

static struct app_text cycles_text(const struct app_run *run, int64_t cycles)
{
    return cycles > 0 ? app_text_time(machine_cycles_to_ps(&run->scenario.lpu_chip, cycles))
                      : (struct app_text){"-"};
}

static struct app_text rate_text(double rate)
{
    struct app_text text;
    if (rate >= 1000)
        return app_text_short(rate);
    snprintf(text.text, sizeof text.text, "%.4g", rate);
    return text;
}

static void print_served(const struct app_plan_row *row)
{
    printf("%7s%7s", rate_text(row->capacity).text, rate_text(row->highest).text);
    if (row->replicas > 0)
        printf("%5" PRId32 "%6" PRId32 "%10s%10s%8.3g", row->replicas, row->replicas * row->chips,
               app_text_time(row->ttft_p99_ps).text, app_text_time(row->tpot_p99_ps).text,
               row->token_joules);
}

static void print_row(const struct app_run *run, const struct app_plan_row *row)
{
    char *machine = machine_text(run, row), *buckets = buckets_text(row);
    bool tried = row->fate != APP_PLAN_NO_FIT && row->fate != APP_PLAN_NOT_TRIED;
    if (row->machine == RECORD_GPU)
        printf("%-47s", machine);
    else if (tried)
        printf("%-9s%-15s%5" PRId32 "%9s%9s", machine, buckets, row->seats,
               cycles_text(run, row->length_cycles).text,
               cycles_text(run, row->interval_cycles).text);
    else
        printf("%-9s%-15s", machine, buckets);
    if (tried)
        print_served(row);
    printf("\n         %s\n", row->why);
    base_free(machine);
    base_free(buckets);
}

static const struct app_plan_row *chosen_of(const struct app_plan *plan)
{
    for (size_t n = 0; n < plan->rows; n++)
        if (plan->row[n].fate == APP_PLAN_CHOSEN)
            return &plan->row[n];
    return NULL;
}

static void print_recommended(const struct app_run *run)
{
    const struct app_plan_row *best = chosen_of(run->plan);
    if (!run->lpu)
        return;
    if (!best) {
        puts("\nno candidate keeps the limits");
        return;
    }
    char *buckets = buckets_text(best);
    printf("\nrecommended: %" PRId32 " x (%" PRId32 " stages x %" PRId32 "), %" PRId32
           " chips, buckets %s, %" PRId32 " seats each:\nfewest chips that keep the limits, then "
           "shortest TPOT of 99 %%; %.3g J a token at average power\n",
           best->replicas, best->stages, best->group, best->replicas * best->chips, buckets,
           best->seats, best->token_joules);
    base_free(buckets);
}

static void print_summary(const struct app_run *run)
{
    const struct app_plan *plan = run->plan;
    print_head(run);
    for (size_t n = 0; n < plan->rows; n++)
        print_row(run, &plan->row[n]);
    print_recommended(run);
    printf(
        "\nL: a decode step in the largest bucket; P: steps may follow each other so soon; most, "
        "kept: requests\na second of one replica, at all and within the limits; x: replicas\n");
    printf("looked for in %.1f s LPU, %.1f s GPU\n", plan->seconds[RECORD_LPU],
           plan->seconds[RECORD_GPU]);
    if (run->scenario.output_path[0])
        printf("file: %s\n", run->scenario.output_path);
}

enum base_status app_plan_show(struct app_run *run)
{
    if (parallel_is_first() && !run->scenario.quiet)
        print_summary(run);
    app_rows_flush(&run->report);
    return parallel_agree_report(&run->report, BASE_IO);
}

static struct record_serve_plan record_of(const struct app_plan_row *from)
{
    struct record_serve_plan row = {.machine = from->machine,
                                    .fate = from->fate,
                                    .stages = from->stages,
                                    .group = from->group,
                                    .chips = from->chips,
                                    .seats = from->seats,
                                    .length_cycles = from->length_cycles,
                                    .interval_cycles = from->interval_cycles,
                                    .capacity = from->capacity,
                                    .highest = from->highest,
                                    .replicas = from->replicas,
                                    .ttft_p50_ps = from->ttft_p50_ps,
                                    .ttft_p99_ps = from->ttft_p99_ps,
                                    .tpot_p50_ps = from->tpot_p50_ps,
                                    .tpot_p99_ps = from->tpot_p99_ps,
                                    .token_joules = from->token_joules};
    char *buckets = buckets_text(from);
    snprintf(row.buckets, sizeof row.buckets, "%s", buckets);
    snprintf(row.why, sizeof row.why, "%s", from->why);
    base_free(buckets);
    return row;
}

void app_plan_record(struct app_run *run)
{
    const struct app_plan *plan = run->plan;
    size_t count = parallel_is_first() ? plan->rows : 0;
    struct record_serve_plan *row = base_alloc(count, sizeof *row);
    for (size_t n = 0; n < count; n++)
        row[n] = record_of(&plan->row[n]);
    record_append(run->file, record_layout(RECORD_SERVE_PLANS), row, count);
    base_free(row);
}
