/* SPDX-License-Identifier: BSD-3-Clause */
/* run and verify: scenario and model as the artifact has them, with what may be changed changed. */
#include <inttypes.h>
#include <string.h>

#include "app/artifact.h"
#include "app/reference.h"
#include "base/memory.h"
#include "config/config.h"
#include "parallel/parallel.h"

/* Keys that programs follow from begin with one of the first, but for the second. */
static const char *const fixed[] = {"bucket.", "lpu."};
static const char *const free_keys[] = {"lpu.execute_steps", "lpu.prefill", "lpu.numerics",
                                        "lpu.reference"};

static bool is_fixed(const char *value)
{
    size_t length = strcspn(value, "=");
    for (size_t i = 0; i < sizeof free_keys / sizeof free_keys[0]; i++)
        if (strlen(free_keys[i]) == length && !strncmp(value, free_keys[i], length))
            return false;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!strncmp(value, fixed[i], strlen(fixed[i])))
            return true;
    return false;
}

static bool has(char *const *value, size_t count, const char *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(value[i], wanted))
            return true;
    return false;
}

/* Refuses overrides of what the programs follow from. */
static void refuse_changes(const struct app_artifact *a, const struct scenario *scenario,
                           struct base_report *report)
{
    size_t count;
    char **value = app_artifact_values(scenario, &count);
    for (size_t i = 0; i < count; i++) {
        if (is_fixed(value[i]) && !has(a->kept, a->kept_count, value[i]))
            base_report_add(report, record_artifact_path(a->file), 0,
                            "%s: was compiled for another value; compile anew for this one",
                            value[i]);
        base_free(value[i]);
    }
    base_free(value);
}

/* Prefill passes attend to as many positions as the prompt took that they were compiled for. */
static void refuse_longer_prompt(const struct app_artifact *a, const struct scenario *scenario,
                                 struct base_report *report)
{
    int32_t most = a->scenario.workload.prompt_tokens, wanted = scenario->workload.prompt_tokens;
    if (wanted > most)
        base_report_add(report, record_artifact_path(a->file), 0,
                        "workload.prompt_tokens = %" PRId32 ": was compiled for prompts of at most "
                        "%" PRId32,
                        wanted, most);
}

/* Where numbers are computed, the model's folder must hold the model that was compiled. */
static void compare_model(const struct app_run *run, struct base_report *report)
{
    const char *path = run->scenario.model_path;
    struct model model;
    if (!run->scenario.values || !model_read(path, &model, report))
        return;
    const struct model *m = &run->model;
    if (model.layers != m->layers || model.hidden != m->hidden || model.heads != m->heads ||
        model.kv_heads != m->kv_heads || model.head_dim != m->head_dim || model.ffn != m->ffn ||
        model.vocabulary != m->vocabulary || model.experts != m->experts ||
        model_parameter_count(&model) != model_parameter_count(m) ||
        model.qkv_bias != m->qkv_bias || model.tied_embeddings != m->tied_embeddings)
        base_report_add(report, path, 0, "is not the model that %s was compiled for, %s",
                        run->command->file, m->name);
}

static void restore(struct app_run *run)
{
    const struct app_command *command = run->command;
    const struct app_artifact *a = run->artifact;
    if (!config_scenario_restore(command->file, (const char *const *)a->kept, a->kept_count,
                                 (const char *const *)command->override, command->overrides,
                                 &run->scenario, &run->report))
        return;
    refuse_changes(a, &run->scenario, &run->report);
    refuse_longer_prompt(a, &run->scenario, &run->report);
    compare_model(run, &run->report);
}

/* Identities alone; the steps are app_artifact_list_steps's. */
static void narrow_to_verify(struct app_run *run)
{
    struct scenario *s = &run->scenario;
    s->mode = SCENARIO_LPU;
    s->values = false;
    s->lpu_prefill = true;
    s->lpu_execute_steps = 0;
    s->workload.prompt_tokens = 1;
    s->workload.decode_tokens = 1;
}

enum base_status app_artifact_open(struct app_run *run)
{
    const char *path = run->command->file;
    size_t count;
    char *bytes = app_reference_read(run->command, path, &count, &run->report);
    if (bytes)
        run->artifact = app_artifact_read(path, bytes, count, &run->report);
    base_free(bytes);
    enum base_status status = parallel_agree_report(&run->report, BASE_IO);
    if (status != BASE_OK)
        return status;
    run->model = run->artifact->model;
    restore(run);
    if (run->command->kind == APP_COMMAND_VERIFY)
        narrow_to_verify(run);
    return parallel_agree_report(&run->report, BASE_USAGE);
}
