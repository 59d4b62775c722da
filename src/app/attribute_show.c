/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of attribution on the terminal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/attribute.h"
#include "app/gpu.h"
#include "app/text.h"
#include "base/memory.h"
#include "parallel/parallel.h"

enum { LABEL = 28 };

static void print_head(const struct app_run *run)
{
    const struct app_attribution *a = run->attribution;
    const struct gpu_cluster_spec *c = &run->scenario.gpu_cluster;
    printf("\nWhere the variance of the time between tokens comes from: %s on %" PRId32
           " of %" PRId32 " %s\n%" PRId32 " intervals in each of %" PRId32
           " repeats, one source frozen at a time under common random numbers\n\n",
           run->model.name, run->gpu->working, c->nodes * c->gpus_per_node,
           run->scenario.gpu_chip.name, a->all.steps, a->all.repeats);
    printf("%-*s%12s%12s%12s%12s%18s%12s\n", LABEL, "frozen", "mean", "p50", "p99", "std. dev.",
           "of the variance", "of p99-p50");
}

static void print_times(const char *name, const struct gpu_attribution *row)
{
    printf("%-*s%12s%12s%12s%12s", LABEL, name, app_text_time((int64_t)row->mean_ps).text,
           app_text_time(row->p50_ps).text, app_text_time(row->p99_ps).text,
           app_text_time((int64_t)row->deviation_ps).text);
}

static void print_shares(const struct gpu_attribution *row)
{
    char *share = base_format("%.1f", 100 * row->variance_share);
    char *error = row->variance_error > 0 ? base_format(" +- %.1f %%", 100 * row->variance_error)
                                          : base_strdup(" %");
    printf("%*s%s%*.1f %%\n", (int)(18 - strlen(error)), share, error, 10, 100 * row->tail_share);
    base_free(share);
    base_free(error);
}

/* What is left with all frozen, and what the sources do only together. */
static void print_foot(const struct app_attribution *a)
{
    printf("%-*s%48s", LABEL, "rest: interactions", "");
    print_shares(&a->rest);
    printf("\nA share is what freezing the source takes away; less than nothing where it adds.\n");
}

static void print_absent(const struct app_run *run)
{
    const char *comma = "Not in this run: ";
    for (int s = 0; s < GPU_SOURCES; s++) {
        if (gpu_source_is_present(&run->gpu->job, (enum gpu_source)s))
            continue;
        printf("%s%s", comma, gpu_source_name((enum gpu_source)s));
        comma = ", ";
    }
    puts(comma[0] == ',' ? "." : "");
}

static void print_table(const struct app_run *run)
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
        print_table(run);
    return BASE_OK;
}
