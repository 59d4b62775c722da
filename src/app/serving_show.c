/* SPDX-License-Identifier: BSD-3-Clause */
/* Both machines' clients and queues side by side on the terminal, at most 60 lines of 100 columns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/gpu.h"
#include "app/json.h"
#include "app/machine_text.h"
#include "app/rows.h"
#include "app/serving.h"
#include "app/summary.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"
#include "parallel/parallel.h"

static const double SECOND_PS = 1e12;

char *app_serving_machines_text(const struct app_run *run, enum record_machine machine)
{
    const struct serve_spec *spec = &run->scenario.serve;
    int32_t replicas = machine == RECORD_LPU ? spec->lpu_replicas : spec->gpu_replicas;
    char *one = app_machine_text(run, machine);
    char *all = replicas > 1 ? base_format("%" PRId32 " x %s", replicas, one) : base_strdup(one);
    base_free(one);
    return all;
}

void app_serving_source_print(const struct app_run *run)
{
    const struct serve_requests *requests = &run->serving->requests;
    int64_t prompt = 0, output = 0;
    for (size_t i = 0; i < requests->count; i++) {
        prompt += requests->request[i].prompt_tokens;
        output += requests->request[i].output_tokens;
    }
    double count = (double)requests->count;
    printf("%s requests, %.4g a second, %.0f prompt and %.0f output tokens on average\n",
           app_text_count((int64_t)requests->count).text, serve_requests_rate(requests),
           (double)prompt / count, (double)output / count);
    if (requests->moved > 0)
        printf("%zu of the requests in the trace stood behind later ones, and were sorted\n",
               requests->moved);
    puts("");
}

/* What a row says of one machine; free with base_free. */
typedef char *cell(const struct app_run *run, const struct serve_measures *m);

static void print_row(const struct app_run *run, const struct app_paint *p, const char *label,
                      cell *of)
{
    char *text[2];
    for (int machine = 0; machine < 2; machine++)
        text[machine] =
            run->serving->outcome[machine] ? of(run, &run->serving->measures[machine]) : NULL;
    app_rows_print(p, label, text[RECORD_LPU], text[RECORD_GPU]);
}

static char *cell_finished(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_format("%s (%s)", app_text_count(m->fate[SERVE_FINISHED]).text,
                       app_text_share((double)m->fate[SERVE_FINISHED], (double)m->requests).text);
}

/* All but the refused and those who wait at the door. */
static char *cell_admitted(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_strdup(app_text_count(m->queue.count).text);
}

static char *cell_refused(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_format("%" PRId64 " too long, %" PRId64 " late, %" PRId64 " over budget",
                       m->fate[SERVE_TOO_LONG], m->fate[SERVE_TOO_LATE],
                       m->fate[SERVE_OVER_BUDGET]);
}

static char *cell_waiting(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_strdup(app_text_count(m->fate[SERVE_WAITING]).text);
}

static char *cell_good(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_format("%s (%s), %.4g a second", app_text_count(m->good).text,
                       app_text_share(m->good_share, 1).text, m->good_per_s);
}

static char *limit_text(const char *name, int64_t ps)
{
    return ps > 0 ? base_format("%s up to %s", name, app_text_time(ps).text)
                  : base_format("any %s", name);
}

static void print_fates(const struct app_run *run, const struct app_paint *p)
{
    const struct serve_spec *spec = &run->scenario.serve;
    char *ttft = limit_text("TTFT", spec->ttft_limit_ps);
    char *tpot = limit_text("TPOT", spec->tpot_limit_ps);
    app_rows_title(p, "What became of the requests");
    print_row(run, p, "admitted", cell_admitted);
    print_row(run, p, "finished", cell_finished);
    print_row(run, p, "refused", cell_refused);
    print_row(run, p, "still waiting", cell_waiting);
    print_row(run, p, "good", cell_good);
    printf("%s%-*sgood: finished with %s and %s%s\n", p->dim, APP_ROWS_LABEL, "", ttft, tpot,
           p->off);
    base_free(ttft);
    base_free(tpot);
}

static struct app_text time_text(int64_t ps)
{
    return ps == 0 ? (struct app_text){"0"} : app_text_time(ps);
}

static char *spread_text(const struct serve_spread *spread)
{
    if (spread->count == 0)
        return base_strdup("none");
    return base_format("%-12s%-12s%s", time_text(spread->p50_ps).text,
                       time_text(spread->p90_ps).text, time_text(spread->p99_ps).text);
}

static char *cell_percents(const struct app_run *run, const struct serve_measures *m)
{
    (void)run, (void)m;
    return base_format("%-12s%-12s%s", "p50", "p90", "p99");
}

static char *cell_queue(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return spread_text(&m->queue);
}

static char *cell_ttft(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return spread_text(&m->ttft);
}

static char *cell_tpot(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return spread_text(&m->tpot);
}

static char *cell_gap(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return spread_text(&m->gap);
}

static char *cell_request(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return spread_text(&m->request);
}

static void print_clients(const struct app_run *run, const struct app_paint *p)
{
    app_rows_title(p, "What clients see");
    print_row(run, p, "", cell_percents);
    print_row(run, p, "wait at the door", cell_queue);
    print_row(run, p, "TTFT", cell_ttft);
    print_row(run, p, "TPOT", cell_tpot);
    print_row(run, p, "longest ITL", cell_gap);
    print_row(run, p, "whole request", cell_request);
}

static char *cell_rate(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_format("%s, over %s", app_text_count((int64_t)m->output_tokens_per_s).text,
                       app_text_time(m->horizon_ps).text);
}

static char *cell_busy(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_strdup(app_text_share(m->busy_share, 1).text);
}

static char *level_text(const struct serve_level *level)
{
    return base_format("%.4g on average, %" PRId64 " at most", level->mean, level->most);
}

static char *cell_service(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return level_text(&m->serving);
}

static char *cell_length(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return level_text(&m->waiting);
}

static char *cell_preemptions(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_strdup(app_text_count(m->preemptions).text);
}

static void print_machines(const struct app_run *run, const struct app_paint *p)
{
    app_rows_title(p, "What machines do");
    print_row(run, p, "output tokens/s", cell_rate);
    print_row(run, p, "with work", cell_busy);
    print_row(run, p, "in service", cell_service);
    print_row(run, p, "queue", cell_length);
    print_row(run, p, "preemptions", cell_preemptions);
}

static double per_second(const struct serve_measures *m)
{
    return m->horizon_ps > 0 ? (double)m->entered * SECOND_PS / (double)m->horizon_ps : 0;
}

static char *cell_conserved(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    int64_t refused = m->requests - m->entered;
    return base_format("%" PRId64 " = %" PRId64 " + %" PRId64 " + %" PRId64, m->requests,
                       m->fate[SERVE_FINISHED], refused, m->fate[SERVE_WAITING]);
}

static char *cell_little(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_format("%.4g = %.4g/s x %.4g s", m->inside.mean, per_second(m), m->inside.mean_s);
}

static char *cell_little_queue(const struct app_run *run, const struct serve_measures *m)
{
    (void)run;
    return base_format("%.4g = %.4g/s x %.4g s", m->waiting.mean, per_second(m), m->waiting.mean_s);
}

static void print_books(const struct app_run *run, const struct app_paint *p)
{
    app_rows_title(
        p, "Books: requests = finished + refused + waiting; number = rate x time (Little's law)");
    print_row(run, p, "conservation", cell_conserved);
    print_row(run, p, "Little, system", cell_little);
    print_row(run, p, "Little, queue", cell_little_queue);
}

static char *machine_cell(const struct app_run *run, enum record_machine machine)
{
    return run->serving->outcome[machine] ? app_serving_machines_text(run, machine) : NULL;
}

/* How each machine's door works. */
static char *door_cell(const struct app_run *run, enum record_machine machine)
{
    static const char *const policy[] = {"first come", "earliest deadline", "tenants' budgets"};
    const struct serve_spec *spec = &run->scenario.serve;
    if (!run->serving->outcome[machine])
        return NULL;
    if (machine == RECORD_LPU)
        return base_format("%s%s", policy[spec->policy],
                           spec->refuse_late ? ", late ones refused" : "");
    return base_format("%s batches of up to %" PRId32,
                       spec->batching == SERVE_CONTINUOUS ? "continuous" : "dynamic",
                       spec->max_sequences);
}

static void print_heads(const struct app_run *run, const struct app_paint *p)
{
    app_rows_heads_print(p, run->serving->outcome[RECORD_LPU], run->serving->outcome[RECORD_GPU]);
    app_rows_print(p, "machine", machine_cell(run, RECORD_LPU), machine_cell(run, RECORD_GPU));
    app_rows_print(p, "door", door_cell(run, RECORD_LPU), door_cell(run, RECORD_GPU));
}

void app_serving_print(const struct app_run *run)
{
    const struct app_serving *serving = run->serving;
    struct app_paint paint = app_rows_paint(), *p = &paint;
    printf("\n%slpusim-mp %s%s  %s\n", p->bold, base_version(), p->off, run->model.name);
    app_serving_source_print(run);
    print_heads(run, p);
    print_fates(run, p);
    print_clients(run, p);
    print_machines(run, p);
    if (serving->outcome[RECORD_LPU])
        app_serving_timetable_print(run, p);
    if (serving->outcome[RECORD_GPU])
        app_gpu_door_show(run, p);
    print_books(run, p);
    printf("\n%s%-*s%s%.1f s LPU, %.1f s GPU\n", p->dim, APP_ROWS_LABEL, "simulated in", p->off,
           serving->seconds[RECORD_LPU], serving->seconds[RECORD_GPU]);
    if (run->scenario.output_path[0])
        printf("%s%-*s%s%s\n", p->dim, APP_ROWS_LABEL, "file", p->off, run->scenario.output_path);
}

enum base_status app_serving_show(struct app_run *run)
{
    const char *json = run->scenario.json_path;
    if (parallel_is_first() && json[0])
        app_json_write(run, app_serving_json, json, &run->report);
    if (parallel_is_first() && !run->scenario.quiet && strcmp(json, "-") != 0)
        app_serving_print(run);
    app_rows_flush(&run->report);
    return parallel_agree_report(&run->report, BASE_IO);
}
