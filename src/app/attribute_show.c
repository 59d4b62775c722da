/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of attribution on the terminal. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/attribute.h"
#include "app/gpu.h"
#include "app/summary.h"
#include "app/text.h"
#include "base/memory.h"
#include "parallel/parallel.h"

enum { LABEL = 27, LINE = 98 };

static void print_head(const struct app_run *run)
{
    const struct app_attribution *a = run->attribution;
    const struct gpu_cluster_spec *c = &run->scenario.gpu_cluster;
    printf("\nWhere the variance of the time between tokens comes from: %s on %" PRId32
           " of %" PRId32 " %s\n%" PRId32 " intervals in each of %" PRId32
           " repeats, one source frozen at a time under common random numbers\n\n",
           run->model.name, run->gpu->working, c->nodes * c->gpus_per_node,
           run->scenario.gpu_chip.name, a->all.steps, a->all.repeats);
    printf("%-*s%11s%11s%11s%11s%18s%11s\n", LABEL, "frozen", "mean", "p50", "p99", "std. dev.",
           "of the variance", "of p99-p50");
}

static void print_times(const char *name, const struct gpu_attribution *row)
{
    printf("%-*s%11s%11s%11s%11s", LABEL, name, app_text_time((int64_t)row->mean_ps).text,
           app_text_time(row->p50_ps).text, app_text_time(row->p99_ps).text,
           app_text_time((int64_t)row->deviation_ps).text);
}

/* In percent with one digit, and never as -0.0. */
static double percent(double share)
{
    double tenths = round(1000 * share);
    return tenths == 0 ? 0 : tenths / 10;
}

static void print_shares(const struct gpu_attribution *row)
{
    char *share = base_format("%.1f", percent(row->variance_share));
    char *error = row->variance_error > 0 ? base_format(" +- %.1f %%", 100 * row->variance_error)
                                          : base_strdup(" %");
    printf("%*s%s%*.1f %%\n", (int)(18 - strlen(error)), share, error, 9, percent(row->tail_share));
    base_free(share);
    base_free(error);
}

/* What the sources do only together. */
static void print_foot(const struct app_attribution *a)
{
    printf("%-*s%44s", LABEL, "rest: interactions", "");
    print_shares(&a->rest);
    printf("\nA share is what freezing the source takes away; less than nothing where it adds.\n");
}

static void print_absent(const struct app_run *run)
{
    const char *before = "Not in this run: ";
    size_t column = 0;
    for (int s = 0; s < GPU_SOURCES; s++) {
        const char *name = gpu_source_name((enum gpu_source)s);
        if (gpu_source_is_present(&run->gpu->job, (enum gpu_source)s))
            continue;
        if (column + strlen(before) + strlen(name) > LINE) {
            before = ",\n  ";
            column = 0;
        }
        column += strlen(before) + strlen(name);
        printf("%s%s", before, name);
        before = ", ";
    }
    puts(column > 0 ? "." : "");
}

void app_attribute_print(const struct app_run *run)
{
    const struct app_attribution *a = run->attribution;
    print_head(run);
    print_times(a->name[0], &a->row[0]);
    puts("");
    for (int32_t i = 1; i < a->all.runs; i++) {
        print_times(a->name[i], &a->row[i]);
        print_shares(&a->row[i]);
    }
    print_foot(a);
    print_absent(run);
    printf("%" PRId32 " simulations in %.1f s\n", a->all.runs * a->all.repeats, a->seconds);
    if (run->scenario.output_path[0])
        printf("file: %s\n", run->scenario.output_path);
}

enum base_status app_attribute_show(struct app_run *run)
{
    if (parallel_is_first() && !run->scenario.quiet)
        app_attribute_print(run);
    return BASE_OK;
}
