/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests at the racks' door without the rollout and with it, each step rehearsed. */
#include "app/rollout.h"

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

static void open_racks(struct app_run *run)
{
    const struct serve_requests *requests = &run->serving->requests;
    for (int v = 0; v < SERVE_VERSIONS; v++) {
        struct app_deployed *d = &run->rollout->version[v];
        d->rack = app_serving_rack_open(&d->run, &run->scenario.serve, requests->request,
                                        requests->count);
    }
    app_serving_rack_note(&run->rollout->version[SERVE_STABLE].rack, &run->serving->timetable);
}

static struct serve_rollout describe(const struct app_run *run)
{
    struct serve_rollout given = {.spec = &run->scenario.serve,
                                  .seed = (uint64_t)run->scenario.seed};
    for (int v = 0; v < SERVE_VERSIONS; v++) {
        const struct app_deployed *d = &run->rollout->version[v];
        struct serve_deployed *to = &given.version[v];
        to->machine = &d->rack.machine;
        to->frame = &d->rack.frame;
        to->load_ps = d->load_ps;
        for (int kind = 0; kind < SERVE_KINDS; kind++)
            to->broken[kind] = d->broken[kind];
    }
    return given;
}

static void serve_without(struct app_run *run)
{
    const struct app_serving_rack *rack = &run->rollout->version[SERVE_STABLE].rack;
    const struct serve_requests *r = &run->serving->requests;
    const struct serve_spec *spec = &run->scenario.serve;
    struct serve_outcome *outcome = base_alloc(r->count, sizeof *outcome);
    struct serve_rehearsing *proof =
        serve_rehearsal_open(&rack->machine, r->request, r->count, outcome, spec->lpu_replicas);
    struct serve_door door = {.machine = &rack->machine,
                              .frame = &rack->frame,
                              .spec = spec,
                              .note = serve_rehearsal_note,
                              .context = proof};
    run->rollout->without = outcome;
    serve_carousel_run(&door, r->request, r->count, outcome);
    struct serve_rehearsal found = serve_rehearsal_close(proof);
    app_serving_is_proved(&found, &run->report);
}

static void serve_with(struct app_run *run)
{
    struct serve_rollout given = describe(run);
    const struct serve_requests *r = &run->serving->requests;
    struct serve_outcome *outcome = run->serving->outcome[RECORD_LPU];
    struct serve_played *played = &run->rollout->played;
    struct base_progress progress;
    base_progress_begin(&progress, "rollout", "requests", (int64_t)r->count, run->scenario.quiet);
    given.progress = &progress;
    *played = serve_rollout_run(&given, r->request, r->count, outcome);
    base_progress_end(&progress, (int64_t)r->count);
    serve_rollout_charge(played, r->request, r->count, outcome, run->rollout->without);
    run->serving->timetable.rehearsal =
        serve_rollout_rehearse(&given, played, r->request, r->count, outcome);
    app_serving_is_proved(&run->serving->timetable.rehearsal, &run->report);
}

/* The books of the requests without the rollout. */
static void measure_without(struct app_run *run)
{
    struct serve_served served = app_serving_served(run, RECORD_LPU);
    served.outcome = run->rollout->without;
    if (serve_outcomes_check(&served, &run->report))
        serve_measures_take(&served, &run->rollout->before, &run->report);
}

/* Collective. What the first rank found, on all. */
static void share(struct app_run *run)
{
    struct serve_played *played = &run->rollout->played;
    parallel_broadcast(&run->serving->timetable, sizeof run->serving->timetable);
    parallel_broadcast(run->serving->outcome[RECORD_LPU],
                       run->serving->requests.count * sizeof(struct serve_outcome));
    parallel_broadcast(&run->rollout->before, sizeof run->rollout->before);
    parallel_broadcast(&played->end, sizeof played->end);
    parallel_broadcast(&played->events, sizeof played->events);
    if (!parallel_is_first())
        played->event = base_alloc(played->events, sizeof *played->event);
    parallel_broadcast(played->event, played->events * sizeof *played->event);
}

enum base_status app_rollout_run(struct app_run *run)
{
    size_t count = run->serving->requests.count;
    double start_s = parallel_wall_seconds();
    app_progress(run, "serving %zu requests without the rollout and with it", count);
    run->serving->outcome[RECORD_LPU] = base_alloc(count, sizeof(struct serve_outcome));
    if (parallel_is_first()) {
        open_racks(run);
        serve_without(run);
        serve_with(run);
        measure_without(run);
    }
    enum base_status status = parallel_agree_report(&run->report, BASE_CONTRACT);
    if (status != BASE_OK)
        return status;
    share(run);
    status = app_serving_measure(run, RECORD_LPU);
    run->rollout->seconds = parallel_wall_seconds() - start_s;
    if (status == BASE_OK && run->file) {
        app_serving_record(run);
        app_rollout_record(run);
    }
    return status;
}
