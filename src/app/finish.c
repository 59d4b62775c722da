/* SPDX-License-Identifier: BSD-3-Clause */
/* The way out: everything released, and one status for the process. */
#include <stdio.h>

#include "app/app.h"
#include "app/artifact.h"
#include "app/attribute.h"
#include "app/compare.h"
#include "app/frontier.h"
#include "app/gpu.h"
#include "app/lpu.h"
#include "app/rollout.h"
#include "app/serving.h"
#include "app/values.h"
#include "config/config.h"
#include "parallel/parallel.h"

static void say_stopped(const struct app_run *run)
{
    if (parallel_is_first())
        fprintf(stderr, "lpusim-mp: stopped by signal %d while %s%s%s\n", run->stop_signal,
                run->progress, run->file ? "; see " : "",
                run->file ? run->scenario.output_path : "");
}

int app_finish(struct app_run *run, enum base_status status)
{
    if (run->stop_signal)
        say_stopped(run);
    app_record_abandon(run);
    app_values_free(run->values);
    app_lpu_free(run->lpu);
    app_artifact_close(run->artifact);
    app_gpu_free(run->gpu);
    app_attribution_free(run->attribution);
    app_compare_free(run->compare);
    app_serving_free(run->serving);
    app_rollout_free(run->rollout);
    app_frontier_free(run->frontier);
    config_scenario_release(&run->scenario);
    base_report_release(&run->report);
    if (run->stop_signal)
        return 128 + run->stop_signal;
    return (int)(status != BASE_OK ? status : run->verdict);
}
