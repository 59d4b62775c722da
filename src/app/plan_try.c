/* SPDX-License-Identifier: BSD-3-Clause */
/* One candidate: an LPU plan that is compiled here and served at a door of its own, or the GPU
 * cluster. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/gpu.h"
#include "app/lpu.h"
#include "app/plan.h"
#include "app/serving.h"
#include "app/trial.h"
#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

/* Replicas of the GPU cluster that are tried at most. */
enum { MOST_CLUSTERS = 256 };

static struct scenario scenario_of(const struct app_run *run, const struct app_plan_row *row)
{
    struct scenario s = run->scenario;
    s.lpu_rack.pipeline_stages = row->stages;
    s.lpu_rack.tensor_group = row->group;
    s.lpu_rack.chips_used = row->chips;
    s.lpu_seats = row->asked_seats;
    s.bucket.rungs = row->buckets - 1;
    for (int32_t b = 0; b < s.bucket.rungs; b++)
        s.bucket.rung[b] = row->positions[b];
    return s;
}

/* A candidate at its door. */
struct visit {
    struct app_run *run, *served;
    struct app_plan_row *row;
    bool done;
};

static void look(void *context, const struct app_door *door)
{
    struct visit *v = context;
    v->done = app_plan_search(v->run->plan, v->served, door, v->row);
}

static void describe(const struct app_run *trial, struct app_plan_row *row)
{
    const struct app_lpu *lpu = trial->lpu;
    row->seats = lpu->sharing.seats.placed;
    row->length_cycles = lpu->outline.length_cycles[PARTITION_DECODE];
    row->interval_cycles = lpu->sharing.interval.mixed_cycles;
}

static bool serve_on(struct app_run *run, struct app_run *trial, struct app_plan_row *row)
{
    const struct serve_requests *requests = &run->serving->requests;
    struct visit v = {run, trial, row, false};
    describe(trial, row);
    app_serving_lpu_alone(trial, requests->request, requests->count, look, &v);
    return v.done;
}

static void say_lack(const struct base_report *report, struct app_plan_row *row)
{
    const char *lacks = strstr(report->message[0], "the fullest chip lacks");
    int length = lacks ? (int)strcspn(lacks, ";") : 0;
    char *seats = row->asked_seats ? base_format("with %" PRId32 " seats ", row->asked_seats)
                                   : base_strdup("");
    snprintf(row->why, sizeof row->why, "%s%.*s", seats, length, lacks ? lacks : "");
    base_free(seats);
}

bool app_plan_try(struct app_run *run, struct app_plan_row *row)
{
    struct scenario scenario = scenario_of(run, row);
    struct app_run trial;
    enum base_status status = app_trial_open(run, &scenario, &trial);
    bool done = status == BASE_DOES_NOT_FIT;
    if (done) {
        row->fate = APP_PLAN_NO_FIT;
        say_lack(&trial.report, row);
    } else if (status == BASE_OK) {
        done = serve_on(run, &trial, row);
    }
    for (size_t n = 0; n < trial.report.count && !done; n++)
        base_report_add(&run->report, NULL, 0, "%s", trial.report.message[n]);
    app_trial_close(&trial);
    return done;
}

static void note_gpu(const struct app_run *run, struct app_plan_row *row)
{
    *row = (struct app_plan_row){
        .machine = RECORD_GPU, .chips = gpu_job_working_gpus(&run->gpu->job), .buckets = 0};
}

enum base_status app_plan_try_gpu(struct app_run *run)
{
    const struct serve_requests *requests = &run->serving->requests;
    struct serve_spec *spec = &run->scenario.serve;
    int32_t replicas = spec->gpu_replicas;
    struct app_plan_row row;
    struct visit v = {run, run, &row, false};
    double start_s = parallel_wall_seconds();
    app_progress(run, "looking for clusters of GPUs");
    note_gpu(run, &row);
    spec->gpu_replicas = MOST_CLUSTERS;
    enum base_status status = app_serving_gpu(run, requests->request, requests->count, look, &v);
    spec->gpu_replicas = replicas;
    if (row.fate == APP_PLAN_KEEPS)
        snprintf(row.why, sizeof row.why, "keeps the limits; the fewest replicas");
    parallel_broadcast(&row, sizeof row);
    if (status == BASE_OK)
        status = parallel_agree_report(&run->report, BASE_FAILURE);
    if (status == BASE_OK)
        app_plan_add(run->plan, &row);
    run->plan->seconds[RECORD_GPU] = parallel_wall_seconds() - start_s;
    return status;
}
