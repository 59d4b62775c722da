/* SPDX-License-Identifier: BSD-3-Clause */
/* A run within a run: what is compiled is its own, what was read is the outer one's. */
#include "app/trial.h"

#include "app/lpu.h"
#include "app/serving.h"
#include "base/memory.h"

enum base_status app_trial_open(const struct app_run *run, const struct scenario *scenario,
                                struct app_run *trial)
{
    *trial = (struct app_run){.command = run->command, .scenario = *scenario, .model = run->model};
    trial->scenario.quiet = true;
    trial->lpu = app_lpu_create();
    trial->serving = base_alloc(1, sizeof *trial->serving);
    trial->serving->requests = run->serving->requests;
    return app_lpu_compile_alone(trial);
}

void app_trial_close(struct app_run *trial)
{
    app_lpu_free(trial->lpu);
    base_free(trial->serving);
    base_report_release(&trial->report);
    *trial = (struct app_run){0};
}
