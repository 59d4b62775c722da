/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests from a trace or from draws through both machines' doors; the books checked behind each.
 */
#include "app/serving.h"

#include "base/memory.h"
#include "config/config.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

app_door_opener *app_serving_opener(enum record_machine machine)
{
    return machine == RECORD_LPU ? app_serving_lpu : app_serving_gpu;
}

void app_serving_free(struct app_serving *serving)
{
    if (!serving)
        return;
    serve_requests_release(&serving->requests);
    base_free(serving->outcome[RECORD_LPU]);
    base_free(serving->outcome[RECORD_GPU]);
    base_free(serving);
}

/* Prefill passes are compiled for every prompt that the bucket holds, whatever comes. */
static void compile_for_all(struct scenario *s)
{
    int32_t most = s->bucket.max_sequence;
    s->workload = (struct workload){.prompt_tokens = most > 1 ? most - 1 : 1, .decode_tokens = 1};
    config_scenario_counted(s, "workload.prompt_tokens");
    config_scenario_counted(s, "workload.decode_tokens");
    config_scenario_counted(s, "workload.sequences");
}

enum base_status app_serving_read(struct app_run *run)
{
    struct scenario *s = &run->scenario;
    run->serving = base_alloc(1, sizeof *run->serving);
    if (s->values)
        base_report_add(&run->report, NULL, 0,
                        "values: serve counts tokens and computes none: values = off is wanted");
    compile_for_all(s);
    serve_source_take(&s->serve.source, (uint64_t)s->seed, &run->serving->requests, &run->report);
    return parallel_agree_report(&run->report, BASE_USAGE);
}

struct serve_served app_serving_served(const struct app_run *run, enum record_machine machine)
{
    const struct serve_spec *spec = &run->scenario.serve;
    const struct app_serving *serving = run->serving;
    return (struct serve_served){.machine = machine == RECORD_LPU ? "LPU" : "GPU",
                                 .request = serving->requests.request,
                                 .outcome = serving->outcome[machine],
                                 .count = serving->requests.count,
                                 .replicas = machine == RECORD_LPU ? spec->lpu_replicas
                                                                   : spec->gpu_replicas,
                                 .ttft_limit_ps = spec->ttft_limit_ps,
                                 .tpot_limit_ps = spec->tpot_limit_ps};
}

enum base_status app_serving_measure(struct app_run *run, enum record_machine machine)
{
    struct serve_served served = app_serving_served(run, machine);
    if (serve_outcomes_check(&served, &run->report))
        serve_measures_take(&served, &run->serving->measures[machine], &run->report);
    return parallel_agree_report(&run->report, BASE_FAILURE);
}

struct load {
    const struct app_run *run;
    struct serve_outcome *outcome;
};

/* All requests, once. */
static void serve_all(void *context, const struct app_door *door)
{
    struct load *load = context;
    const struct serve_requests *requests = &load->run->serving->requests;
    door->serve(door->self, requests->request, requests->count, load->outcome,
                load->run->scenario.quiet);
}

static enum base_status serve_on(struct app_run *run, enum record_machine machine)
{
    struct app_serving *serving = run->serving;
    const struct serve_requests *requests = &serving->requests;
    if (machine == RECORD_LPU ? !run->lpu : !run->gpu)
        return BASE_OK;
    double start_s = parallel_wall_seconds();
    app_progress(run, "serving %zu requests on the %s", requests->count,
                 machine == RECORD_LPU ? "LPU rack" : "GPU cluster");
    struct serve_outcome *outcome = base_alloc(requests->count, sizeof *outcome);
    struct load load = {run, outcome};
    serving->outcome[machine] = outcome;
    enum base_status status =
        app_serving_opener(machine)(run, requests->request, requests->count, serve_all, &load);
    if (status == BASE_OK)
        parallel_broadcast(outcome, requests->count * sizeof *outcome);
    serving->seconds[machine] = parallel_wall_seconds() - start_s;
    return status == BASE_OK ? app_serving_measure(run, machine) : status;
}

enum base_status app_serving_run(struct app_run *run)
{
    enum base_status status = serve_on(run, RECORD_LPU);
    if (status == BASE_OK)
        status = serve_on(run, RECORD_GPU);
    if (status == BASE_OK && run->file)
        app_serving_record(run);
    return status;
}
