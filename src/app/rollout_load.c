/* SPDX-License-Identifier: BSD-3-Clause */
/* Both artifacts of a rollout: read, found to suit the requests, and the canary executed as it
 * would be on its first rack. */
#include <inttypes.h>
#include <string.h>

#include "app/artifact.h"
#include "app/lpu.h"
#include "app/rollout.h"
#include "app/text.h"
#include "base/memory.h"
#include "config/config.h"
#include "parallel/parallel.h"

static void close_deployed(struct app_deployed *d)
{
    app_serving_rack_close(&d->rack);
    app_lpu_free(d->run.lpu);
    app_artifact_close(d->run.artifact);
    config_scenario_release(&d->run.scenario);
    base_report_release(&d->run.report);
    base_free(d->override);
}

void app_rollout_free(struct app_rollout *rollout)
{
    if (!rollout)
        return;
    for (int version = 0; version < SERVE_VERSIONS; version++)
        close_deployed(&rollout->version[version]);
    serve_played_release(&rollout->played);
    base_free(rollout->without);
    base_free(rollout);
}

/* Weights and constants cross the PCIe of each chip, all chips at once. */
static void measure_load(struct app_deployed *d)
{
    const struct app_lpu *lpu = d->run.lpu;
    const struct lpu_chip *chip = &d->run.scenario.lpu_chip;
    for (int32_t n = 0; n < lpu->outline.stages; n++) {
        const struct partition_stage *s = &lpu->stage[n];
        int64_t bytes = s->weight_bytes + s->embedding_bytes + s->constant_bytes;
        d->load_bytes = bytes > d->load_bytes ? bytes : d->load_bytes;
    }
    d->load_ps = serve_machine_load_ps(chip, d->load_bytes);
}

static enum base_status open_deployed(struct app_run *run, struct app_deployed *d, const char *path)
{
    d->override = base_strdup(run->scenario.quiet ? "run.quiet=true" : "run.quiet=false");
    d->command = (struct app_command){.kind = APP_COMMAND_VERIFY,
                                      .word = APP_COMMAND_VERIFY,
                                      .file = path,
                                      .store = run->command->store,
                                      .override = &d->override,
                                      .overrides = 1};
    d->run.command = &d->command;
    app_progress(run, "reading %s", path);
    enum base_status status = app_artifact_open(&d->run);
    if (status != BASE_OK)
        return status;
    d->run.lpu = app_lpu_create();
    status = app_lpu_compile(&d->run);
    if (status == BASE_OK)
        measure_load(d);
    return status;
}

/* The first step that did not end on some rank, where chips wait for ever. */
static int32_t stuck_step(const struct app_lpu *lpu)
{
    int64_t step = 0;
    while (step < lpu->steps && lpu->step[step].executed)
        step++;
    step = -step;
    parallel_max_i64(&step, 1);
    return (int32_t)-step;
}

static void break_kind(struct app_deployed *d, int32_t step, int64_t violations)
{
    const struct app_lpu *lpu = d->run.lpu;
    int64_t *broken =
        &d->broken[app_serving_kind(&d->run, app_lpu_phase_of(lpu, &lpu->step[step]))];
    *broken = violations > *broken ? violations : *broken;
}

/* As verify does. What it finds breaks steps of that kind; a step that never ends is broken. */
static enum base_status execute(struct app_run *run, struct app_deployed *d)
{
    size_t slots;
    int64_t differ = 0;
    app_progress(run, "executing %s under the contract", d->command.file);
    enum base_status status = app_lpu_execute(&d->run);
    run->stop_signal = d->run.stop_signal;
    const struct app_lpu *lpu = d->run.lpu;
    int32_t stuck = status == BASE_NO_PROGRESS ? stuck_step(lpu) : lpu->steps;
    if (status != BASE_OK && (stuck == lpu->steps || run->stop_signal))
        return status;
    d->executed = lpu->totals.instructions;
    for (int32_t n = 0; n < lpu->steps; n++)
        break_kind(d, n, lpu->step[n].violations + (n == stuck));
    status = app_artifact_check_timetable(&d->run, &slots, &differ);
    for (int32_t n = 0; n < lpu->steps && differ > 0; n++)
        break_kind(d, n, differ);
    return status;
}

static void compare_model(struct app_run *run, const struct app_deployed *d)
{
    const struct model *wanted = &run->model, *model = &d->run.model;
    if (strcmp(wanted->name, model->name) ||
        model_parameter_count(wanted) != model_parameter_count(model))
        base_report_add(&run->report, d->command.file, 0,
                        "was compiled for %s; model.path of %s is %s", model->name,
                        run->command->file, wanted->name);
}

/* Passes attend to as many positions as the longest prompt that they were compiled for. */
static void compare_prompts(struct app_run *run, const struct app_deployed *d)
{
    const struct serve_requests *requests = &run->serving->requests;
    const struct scenario *s = &d->run.artifact->scenario;
    int32_t most = s->workload.prompt_tokens, bucket = s->bucket.max_sequence;
    for (size_t n = 0; n < requests->count; n++) {
        const struct serve_request *r = &requests->request[n];
        if (r->prompt_tokens <= most || r->prompt_tokens + (int64_t)r->output_tokens > bucket)
            continue;
        base_report_add(&run->report, d->command.file, 0,
                        "was compiled for prompts of at most %" PRId32 " tokens, request %zu has "
                        "%" PRId32 "; compile with --set workload.prompt_tokens=%" PRId32
                        " --set workload.decode_tokens=1",
                        most, n, r->prompt_tokens, bucket - 1);
        return;
    }
}

static void check_fleet(struct app_run *run)
{
    const struct serve_spec *spec = &run->scenario.serve;
    const struct serve_requests *requests = &run->serving->requests;
    int64_t last = requests->request[requests->count - 1].arrival_ps;
    if (spec->lpu_replicas < 2)
        base_report_add(&run->report, NULL, 0,
                        "serve.lpu_replicas = %" PRId32 ": a rollout wants at least 2 racks",
                        spec->lpu_replicas);
    if (spec->rollout.start_ps >= last)
        base_report_add(&run->report, NULL, 0,
                        "serve.rollout.start = %s: the last request comes at %s, a rollout begins "
                        "earlier",
                        app_text_time(spec->rollout.start_ps).text, app_text_time(last).text);
}

enum base_status app_rollout_load(struct app_run *run)
{
    const char *path[] = {run->command->stable, run->command->canary};
    struct app_deployed *version;
    run->rollout = base_alloc(1, sizeof *run->rollout);
    version = run->rollout->version;
    check_fleet(run);
    enum base_status status = parallel_agree_report(&run->report, BASE_USAGE);
    for (int v = 0; v < SERVE_VERSIONS && status == BASE_OK; v++) {
        status = open_deployed(run, &version[v], path[v]);
        if (status == BASE_OK) {
            compare_model(run, &version[v]);
            compare_prompts(run, &version[v]);
            status = parallel_agree_report(&run->report, BASE_USAGE);
        }
    }
    return status == BASE_OK ? execute(run, &version[SERVE_CANARY]) : status;
}
