/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user asked for: configuration and model, read by every rank, spoken of by one. */
#include <stdio.h>

#include "app/app.h"
#include "app/gpu.h"
#include "app/lpu.h"
#include "app/values.h"
#include "base/memory.h"
#include "config/config.h"
#include "parallel/parallel.h"

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

static void name_machines(struct app_run *run)
{
    bool explain = run->command->kind == APP_COMMAND_EXPLAIN;
    if (run->scenario.mode != SCENARIO_GPU || explain)
        run->lpu = app_lpu_create();
    if (run->scenario.mode != SCENARIO_LPU && !explain)
        run->gpu = app_gpu_create();
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

/* --check: the job must be possible as well as readable; compiling would tell more, and is work. */
static enum base_status check(struct app_run *run)
{
    run->over = true;
    if (parallel_is_first())
        config_scenario_print(&run->scenario, stdout);
    return BASE_OK;
}

enum base_status app_input_read(struct app_run *run)
{
    if (run->command->kind == APP_COMMAND_WRONG)
        return parallel_agree_report(&run->report, BASE_USAGE);
    if (run->command->kind == APP_COMMAND_VERSION || run->command->kind == APP_COMMAND_HELP)
        return say(run);
    enum base_status status = read_scenario(run);
    if (status == BASE_OK)
        status = read_model(run);
    if (status != BASE_OK)
        return status;
    name_machines(run);
    status = app_values_open(run);
    if (run->gpu && status == BASE_OK)
        status = app_gpu_check(run);
    if (status == BASE_OK && run->command->kind == APP_COMMAND_CHECK)
        return check(run);
    return status;
}
