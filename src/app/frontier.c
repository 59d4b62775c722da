/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests, thinned out and crowded together, at each machine's door: at shares of its
 * capacity, and at the rates that a bisection asks for. */
#include "app/frontier.h"

#include "app/serving.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

const int app_frontier_load[APP_FRONTIER_LOADS] = {50, 80, 95};

/* Rates beyond capacity are looked at, too: what limits hold for a trace of finite length. */
static const double HIGHEST = 1.5;

/* A machine's door on the first rank, and what is measured there. */
struct visit {
    struct app_run *run;
    struct app_frontier *frontier;
    struct app_frontier_machine *machine;
    const struct app_door *door;
    struct base_progress progress;
    enum record_machine of;
    struct serve_request *request; /* at the rate at hand */
    struct serve_outcome *outcome;
};

void app_frontier_free(struct app_frontier *frontier)
{
    if (!frontier)
        return;
    for (int machine = 0; machine < 2; machine++)
        serve_curve_release(&frontier->machine[machine].curve);
    base_free(frontier);
}

const struct serve_point *app_frontier_point(const struct app_frontier_machine *machine, int load)
{
    double rate = machine->capacity * app_frontier_load[load] / 100;
    const struct serve_curve *curve = &machine->curve;
    for (size_t i = 0; i < curve->count; i++)
        if (curve->point[i].rate == rate)
            return &curve->point[i];
    return NULL;
}

/* All requests at `rate` instead of their own. */
static void arrive(const struct serve_requests *requests, double rate,
                   struct serve_request *arriving)
{
    double scale = serve_requests_rate(requests) / rate;
    for (size_t i = 0; i < requests->count; i++) {
        arriving[i] = requests->request[i];
        arriving[i].arrival_ps = (int64_t)((double)arriving[i].arrival_ps * scale);
    }
}

static bool measure(void *context, double rate, struct serve_point *point)
{
    struct visit *visit = context;
    struct app_run *run = visit->run;
    const struct serve_requests *requests = &run->serving->requests;
    struct serve_served served = app_serving_served(run, visit->of);
    served.request = visit->request;
    served.outcome = visit->outcome;
    arrive(requests, rate, visit->request);
    base_progress_update(&visit->progress, (int64_t)visit->machine->curve.count);
    return visit->door->serve(visit->door->self, visit->request, requests->count, visit->outcome,
                              true) &&
           serve_outcomes_check(&served, &run->report) &&
           serve_measures_take(&served, &point->measures, &run->report);
}

static void look(void *context, const struct app_door *door)
{
    struct visit *visit = context;
    struct app_frontier_machine *m = visit->machine;
    size_t count = visit->run->serving->requests.count;
    visit->door = door;
    visit->request = base_alloc(count, sizeof *visit->request);
    visit->outcome = base_alloc(count, sizeof *visit->outcome);
    m->curve = (struct serve_curve){.measure = measure, .context = visit};
    m->capacity = door->capacity(door->self);
    base_progress_begin(&visit->progress, visit->of == RECORD_LPU ? "LPU frontier" : "GPU frontier",
                        "rates", 0, visit->run->scenario.quiet);
    m->curve.stopped = !(m->capacity > 0);
    for (int load = 0; load < APP_FRONTIER_LOADS && !m->curve.stopped; load++)
        serve_curve_at(&m->curve, m->capacity * app_frontier_load[load] / 100);
    for (int32_t row = 0; row < visit->frontier->rows && !m->curve.stopped; row++)
        serve_frontier_find(&m->curve, &visit->frontier->limits[row], HIGHEST * m->capacity,
                            &m->row[row]);
    base_progress_end(&visit->progress, (int64_t)m->curve.count);
    base_free(visit->outcome);
    base_free(visit->request);
}

/* Collective. What the first rank found, on all. */
static void share(struct app_frontier_machine *machine)
{
    struct serve_point *point = machine->curve.point;
    parallel_broadcast(machine, sizeof *machine);
    if (!parallel_is_first())
        point = base_alloc(machine->curve.count, sizeof *point);
    parallel_broadcast(point, machine->curve.count * sizeof *point);
    machine->curve.point = point;
    machine->curve.context = NULL;
}

static enum base_status look_at(struct app_run *run, enum record_machine of)
{
    const struct serve_requests *requests = &run->serving->requests;
    struct app_frontier_machine *machine = &run->frontier->machine[of];
    struct visit visit = {.run = run, .frontier = run->frontier, .machine = machine, .of = of};
    if (of == RECORD_LPU ? !run->lpu : !run->gpu)
        return BASE_OK;
    double start_s = parallel_wall_seconds();
    app_progress(run, "looking for the %s's highest rates of requests",
                 of == RECORD_LPU ? "LPU rack" : "GPU cluster");
    enum base_status status =
        app_serving_opener(of)(run, requests->request, requests->count, look, &visit);
    if (status != BASE_OK) {
        serve_curve_release(&machine->curve);
        return status;
    }
    machine->takes_part = true;
    share(machine);
    machine->seconds = parallel_wall_seconds() - start_s;
    return BASE_OK;
}

static void add_limits(struct app_frontier *frontier, int64_t ttft_ps, int64_t tpot_ps)
{
    frontier->limits[frontier->rows++] = (struct serve_limits){ttft_ps, tpot_ps};
}

/* Both as given, then one a quarter to four times as wide, the other as given. */
static void list_limits(struct app_frontier *frontier, const struct serve_spec *spec)
{
    int64_t ttft = spec->ttft_limit_ps, tpot = spec->tpot_limit_ps;
    static const int64_t up[] = {1, 1, 2, 4}, down[] = {4, 2, 1, 1};
    add_limits(frontier, ttft, tpot);
    for (int i = 0; i < 4 && ttft > 0; i++)
        add_limits(frontier, ttft * up[i] / down[i], tpot);
    for (int i = 0; i < 4 && tpot > 0; i++)
        add_limits(frontier, ttft, tpot * up[i] / down[i]);
}

static enum base_status check(struct app_run *run)
{
    const struct serve_spec *spec = &run->scenario.serve;
    if (spec->ttft_limit_ps == 0 && spec->tpot_limit_ps == 0)
        base_report_add(&run->report, NULL, 0,
                        "frontier looks for what breaks limits: serve.ttft_limit, "
                        "serve.tpot_limit, or both are wanted");
    if (serve_requests_rate(&run->serving->requests) == 0)
        base_report_add(&run->report, NULL, 0,
                        "frontier spreads requests over time: two that do not arrive at the same "
                        "moment are wanted");
    return parallel_agree_report(&run->report, BASE_USAGE);
}

static struct record_serve_load load_row(const struct app_frontier_machine *machine,
                                         enum record_machine of, const struct serve_point *point)
{
    const struct serve_measures *m = &point->measures;
    return (struct record_serve_load){.machine = (uint8_t)of,
                                      .rate = point->rate,
                                      .of_capacity = point->rate / machine->capacity,
                                      .finished = m->fate[SERVE_FINISHED],
                                      .good = m->good,
                                      .ttft_p50_ps = m->ttft.p50_ps,
                                      .ttft_p90_ps = m->ttft.p90_ps,
                                      .ttft_p99_ps = m->ttft.p99_ps,
                                      .tpot_p50_ps = m->tpot.p50_ps,
                                      .tpot_p90_ps = m->tpot.p90_ps,
                                      .tpot_p99_ps = m->tpot.p99_ps,
                                      .waiting = m->waiting.mean,
                                      .output_tokens_per_s = m->output_tokens_per_s};
}

static void write_loads(struct app_run *run, enum record_machine of)
{
    const struct app_frontier_machine *machine = &run->frontier->machine[of];
    size_t count = parallel_is_first() ? machine->curve.count : 0;
    struct record_serve_load *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++)
        row[i] = load_row(machine, of, &machine->curve.point[i]);
    record_append(run->file, record_layout(RECORD_SERVE_LOADS), row, count);
    base_free(row);
}

static void write_rows(struct app_run *run, enum record_machine of)
{
    const struct app_frontier *frontier = run->frontier;
    struct record_serve_frontier row[APP_FRONTIER_LIMITS];
    bool writes = parallel_is_first() && frontier->machine[of].takes_part;
    for (int32_t i = 0; i < frontier->rows; i++)
        row[i] =
            (struct record_serve_frontier){.machine = (uint8_t)of,
                                           .ttft_limit_ps = frontier->limits[i].ttft_ps,
                                           .tpot_limit_ps = frontier->limits[i].tpot_ps,
                                           .rate = frontier->machine[of].row[i].rate,
                                           .broken = (uint8_t)frontier->machine[of].row[i].verdict};
    record_append(run->file, record_layout(RECORD_SERVE_FRONTIER), row,
                  writes ? (size_t)frontier->rows : 0);
}

enum base_status app_frontier_run(struct app_run *run)
{
    run->frontier = base_alloc(1, sizeof *run->frontier);
    list_limits(run->frontier, &run->scenario.serve);
    enum base_status status = check(run);
    for (int machine = 0; machine < 2 && status == BASE_OK; machine++)
        status = look_at(run, (enum record_machine)machine);
    for (int machine = 0; machine < 2 && status == BASE_OK && run->file; machine++) {
        write_loads(run, (enum record_machine)machine);
        write_rows(run, (enum record_machine)machine);
    }
    return status;
}
