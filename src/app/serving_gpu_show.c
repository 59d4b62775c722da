/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engines of the GPU cluster did, and what their times are worth. */
#include <inttypes.h>
#include <stdio.h>

#include "app/gpu.h"
#include "app/rows.h"
#include "app/serving.h"
#include "app/text.h"
#include "base/memory.h"

static void row(const struct app_paint *p, const char *label, char *text)
{
    app_rows_print(p, label, NULL, text);
}

static void show_iterations(const struct app_gpu_door *door, const struct app_paint *p)
{
    const struct serve_tally *tally = &door->tally;
    double mean_ps = tally->iterations > 0 ? (double)tally->busy_ps / (double)tally->iterations : 0;
    row(p, "iterations",
        base_format(
            "%s, %s with prompts; %s on average, %" PRId64 " sequences at most",
            app_text_count(tally->iterations).text,
            app_text_share((double)tally->prompt_iterations, (double)tally->iterations).text,
            app_text_time((int64_t)mean_ps).text, tally->most_sequences));
    row(p, "KV blocks",
        base_format("%s of %s at most, %d positions each", app_text_count(tally->most_blocks).text,
                    app_text_count(door->rules.blocks).text, (int)door->rules.block_tokens));
}

static void show_capacity(const struct app_run *run, const struct app_paint *p)
{
    const struct app_gpu_door *door = &run->gpu->door;
    double per_s = serve_requests_rate(&run->serving->requests);
    if (door->capacity_requests_per_s > 0)
        row(p, "capacity",
            base_format("%.4g such requests a second, %s tokens/s; offered %s",
                        door->capacity_requests_per_s,
                        app_text_count((int64_t)door->capacity_tokens_per_s).text,
                        app_text_share(per_s, door->capacity_requests_per_s).text));
}

static void show_times(const struct app_run *run, const struct app_paint *p)
{
    const struct app_gpu_door *door = &run->gpu->door;
    if (run->scenario.serve.fidelity == SERVE_EXACT) {
        row(p, "their times", base_strdup("exact: each iteration simulated"));
        return;
    }
    row(p, "their times",
        base_format("cells: %" PRId64 " points, %" PRId64 " steps simulated in %.1f s",
                    door->points, door->simulations, door->cells_seconds));
    row(p, "",
        base_format("%" PRId32 " iterations simulated %" PRId32 " times each:", door->checked,
                    door->check_draws));
    row(p, "  mean is off by",
        base_format("%.2f %% median, %.2f %% p90, %.2f %% worst; %+.2f %% on average",
                    100 * door->mean.median, 100 * door->mean.p90, 100 * door->mean.worst,
                    100 * door->bias));
    row(p, "  std. dev. is off by",
        base_format("%.2f %% median, %.2f %% p90, %.2f %% worst, of the mean",
                    100 * door->variation.median, 100 * door->variation.p90,
                    100 * door->variation.worst));
}

void app_gpu_door_show(const struct app_run *run, const struct app_paint *p)
{
    app_rows_title(p, "Iterations of the GPU cluster");
    show_iterations(&run->gpu->door, p);
    show_capacity(run, p);
    show_times(run, p);
}
