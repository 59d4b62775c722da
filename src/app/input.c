/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user asked for: configuration and model, read by every rank, spoken of by one. */
#include <stdio.h>

#include "app/app.h"
#include "app/artifact.h"
#include "app/gpu.h"
#include "app/lpu.h"
#include "app/values.h"
#include "base/memory.h"
#include "config/config.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

/* A fault of the command line is not for --help or --version. */
static enum base_status read_scenario(struct app_run *run)
{
    const struct app_command *command = run->command;
    config_scenario_read(command->file, (const char *const *)command->override, command->overrides,
                         &run->scenario, &run->report);
    return parallel_agree_report(&run->report, BASE_USAGE);
}

static enum base_status read_model(struct app_run *run)
{
    model_read(run->scenario.model_path, &run->model, &run->report);
    return parallel_agree_report(&run->report, BASE_USAGE);
}

/* From a configuration, or from an artifact that has both. */
static enum base_status read_input(struct app_run *run)
{
    enum app_command_kind kind = run->command->kind;
    if (kind == APP_COMMAND_REPLAY || kind == APP_COMMAND_VERIFY)
        return app_artifact_open(run);
    enum base_status status = read_scenario(run);
    return status == BASE_OK ? read_model(run) : status;
}

/* compile is for the LPU, whatever else the configuration is for. */
static enum base_status name_machines(struct app_run *run)
{
    bool compile = run->command->kind == APP_COMMAND_COMPILE;
    bool explain = run->command->kind == APP_COMMAND_EXPLAIN;
    if (compile && run->scenario.mode == SCENARIO_GPU)
        base_report_add(&run->report, NULL, 0,
                        "run.mode = gpu has nothing to compile; lpu or both is wanted");
    if (run->scenario.mode != SCENARIO_GPU || explain)
        run->lpu = app_lpu_create();
    if (run->scenario.mode != SCENARIO_LPU && !compile && !explain)
        run->gpu = app_gpu_create();
    return parallel_agree_report(&run->report, BASE_USAGE);
}

static bool is_about_files(enum app_command_kind kind)
{
    return kind == APP_COMMAND_DIFF || kind == APP_COMMAND_SHOW;
}

static enum base_status say(struct app_run *run)
{
    run->over = true;
    if (parallel_is_first() && run->command->kind == APP_COMMAND_HELP)
        app_command_help();
    if (parallel_is_first() && run->command->kind == APP_COMMAND_VERSION)
        app_command_version();
    return BASE_OK;
}

/* --check: the job must be possible as well as readable, and requests that it serves, too;
 * compiling would tell more, and is work. */
static enum base_status check(struct app_run *run)
{
    enum app_command_kind word = run->command->word;
    bool serves =
        word == APP_COMMAND_SERVE || word == APP_COMMAND_FRONTIER || word == APP_COMMAND_ROLLOUT;
    enum base_status status = serves ? app_serving_read(run) : BASE_OK;
    run->over = true;
    if (status == BASE_OK && parallel_is_first())
        config_scenario_print(&run->scenario, stdout);
    return status;
}

/* Which rank runs where: batch systems, mpirun and users do not always mean the same. */
static void say_places(const struct app_run *run)
{
    if (parallel_size() == 1)
        return;
    char *places = parallel_layout_text();
    if (parallel_is_first() && !run->scenario.quiet)
        fputs(places, stderr);
    base_free(places);
}

enum base_status app_input_read(struct app_run *run)
{
    if (run->command->kind == APP_COMMAND_WRONG)
        return parallel_agree_report(&run->report, BASE_USAGE);
    if (run->command->kind == APP_COMMAND_VERSION || run->command->kind == APP_COMMAND_HELP)
        return say(run);
    if (is_about_files(run->command->kind))
        return BASE_OK;
    enum base_status status = read_input(run);
    if (status == BASE_OK)
        status = name_machines(run);
    if (status == BASE_OK)
        status = app_values_open(run);
    if (status == BASE_OK && run->gpu)
        status = app_gpu_check(run);
    if (status == BASE_OK && run->command->kind == APP_COMMAND_CHECK)
        return check(run);
    if (status == BASE_OK)
        say_places(run);
    return status;
}
