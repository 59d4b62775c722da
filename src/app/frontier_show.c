/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates that keep limits, and what clients see at shares of each machine's capacity. */
#include <stdio.h>

#include "app/frontier.h"
#include "app/rows.h"
#include "app/serving.h"
#include "app/summary.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"
#include "parallel/parallel.h"

/* What a row says of one machine; free with base_free. */
typedef char *cell(const struct app_run *run, const struct app_frontier_machine *machine,
                   int32_t row);

static void print_row(const struct app_run *run, const struct app_paint *p, const char *label,
                      cell *of, int32_t row)
{
    char *text[2];
    for (int machine = 0; machine < 2; machine++) {
        const struct app_frontier_machine *m = &run->frontier->machine[machine];
        text[machine] = m->takes_part ? of(run, m, row) : NULL;
    }
    app_rows_print(p, label, text[RECORD_LPU], text[RECORD_GPU]);
}

static char *cell_machine(const struct app_run *run, const struct app_frontier_machine *machine,
                          int32_t row)
{
    (void)row;
    bool lpu = machine == &run->frontier->machine[RECORD_LPU];
    return app_serving_machines_text(run, lpu ? RECORD_LPU : RECORD_GPU);
}

static char *cell_capacity(const struct app_run *run, const struct app_frontier_machine *machine,
                           int32_t row)
{
    (void)run, (void)row;
    return base_format("%.4g requests/s", machine->capacity);
}

static char *cell_found(const struct app_run *run, const struct app_frontier_machine *machine,
                        int32_t row)
{
    static const char *const next[SERVE_VERDICTS] = {"", "then TTFT breaks", "then TPOT breaks",
                                                     "then requests are refused"};
    static const char *const never[SERVE_VERDICTS] = {"", "TTFT breaks", "TPOT breaks",
                                                      "requests are refused"};
    (void)run;
    const struct serve_frontier *f = &machine->row[row];
    if (f->rate == 0)
        return base_format("none: %s at the lowest rate", never[f->verdict]);
    return base_format("%s%-9.4g%s", f->verdict == SERVE_KEPT ? "more than " : "", f->rate,
                       next[f->verdict]);
}

static char *cell_head(const struct app_run *run, const struct app_frontier_machine *machine,
                       int32_t row)
{
    (void)run, (void)machine, (void)row;
    return base_strdup("requests/s");
}

static char *limit_text(int64_t ps)
{
    return ps > 0 ? base_strdup(app_text_time(ps).text) : base_strdup("any");
}

static void print_frontier(const struct app_run *run, const struct app_paint *p)
{
    const struct app_frontier *frontier = run->frontier;
    app_rows_title(p, "The highest rate at which 99 in 100 requests keep each limit");
    print_row(run, p, "TTFT      TPOT", cell_head, 0);
    for (int32_t row = 0; row < frontier->rows; row++) {
        char *ttft = limit_text(frontier->limits[row].ttft_ps);
        char *tpot = limit_text(frontier->limits[row].tpot_ps);
        char *label = base_format("%-10s%s", ttft, tpot);
        print_row(run, p, label, cell_found, row);
        base_free(label);
        base_free(tpot);
        base_free(ttft);
    }
}

static struct app_text time_text(int64_t ps)
{
    return ps == 0 ? (struct app_text){"0"} : app_text_time(ps);
}

static char *percents_text(const struct serve_spread *spread)
{
    return base_format("%-12s%-12s%s", time_text(spread->p50_ps).text,
                       time_text(spread->p90_ps).text, time_text(spread->p99_ps).text);
}

static char *cell_ttft(const struct app_run *run, const struct app_frontier_machine *machine,
                       int32_t row)
{
    (void)run;
    return percents_text(&app_frontier_point(machine, row)->measures.ttft);
}

static char *cell_tpot(const struct app_run *run, const struct app_frontier_machine *machine,
                       int32_t row)
{
    (void)run;
    return percents_text(&app_frontier_point(machine, row)->measures.tpot);
}

static char *cell_percents(const struct app_run *run, const struct app_frontier_machine *machine,
                           int32_t row)
{
    (void)run, (void)machine, (void)row;
    return base_format("%-12s%-12s%s", "p50", "p90", "p99");
}

static void print_loads(const struct app_run *run, const struct app_paint *p)
{
    app_rows_title(p, "What clients see at shares of each machine's capacity");
    print_row(run, p, "capacity", cell_capacity, 0);
    print_row(run, p, "", cell_percents, 0);
    for (int load = 0; load < APP_FRONTIER_LOADS; load++) {
        char *ttft = base_format("TTFT at %d %%", app_frontier_load[load]);
        print_row(run, p, ttft, cell_ttft, load);
        base_free(ttft);
    }
    for (int load = 0; load < APP_FRONTIER_LOADS; load++) {
        char *tpot = base_format("TPOT at %d %%", app_frontier_load[load]);
        print_row(run, p, tpot, cell_tpot, load);
        base_free(tpot);
    }
}

static void print_foot(const struct app_run *run, const struct app_paint *p)
{
    const struct app_frontier_machine *machine = run->frontier->machine;
    printf("\n%s%-*s%s%zu rates on the LPU in %.1f s, %zu on the GPU in %.1f s\n", p->dim,
           APP_ROWS_LABEL, "looked at", p->off, machine[RECORD_LPU].curve.count,
           machine[RECORD_LPU].seconds, machine[RECORD_GPU].curve.count,
           machine[RECORD_GPU].seconds);
    if (run->scenario.output_path[0])
        printf("%s%-*s%s%s\n", p->dim, APP_ROWS_LABEL, "file", p->off, run->scenario.output_path);
}

void app_frontier_print(const struct app_run *run)
{
    struct app_paint paint = app_rows_paint(), *p = &paint;
    printf("\n%slpusim-mp %s%s  %s\n", p->bold, base_version(), p->off, run->model.name);
    app_serving_source_print(run);
    app_rows_heads_print(p, run->frontier->machine[RECORD_LPU].takes_part,
                         run->frontier->machine[RECORD_GPU].takes_part);
    print_row(run, p, "machine", cell_machine, 0);
    print_frontier(run, p);
    print_loads(run, p);
    print_foot(run, p);
}

enum base_status app_frontier_show(struct app_run *run)
{
    if (parallel_is_first() && !run->scenario.quiet)
        app_frontier_print(run);
    app_rows_flush(&run->report);
    return parallel_agree_report(&run->report, BASE_IO);
}
