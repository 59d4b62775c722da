/* SPDX-License-Identifier: BSD-3-Clause */
/* Two kinds of tables: traces of a training job, an op of a stage in every step a row; and kernels
 * that were repeated, with mean, deviation, median and maximum.
 *
 * What an op of a trace takes changes from step to step for two reasons: the work differs, which
 * all stages see that work on the same part of a batch, and the machine does, which they do not
 * have in common. Over the mean of the stages there is the machine alone. */
#include "spread.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "folder.h"
#include "series.h"
#include "table.h"

/* An op of a trace: of a stage, in a step, on a part of the batch. */
struct op {
    int64_t replica, stage, part, step;
    double seconds, shared; /* mean of the stages that work on the same */
};

/* Deviation and tail of each of many series. */
struct spread {
    struct series variation, tail;
};

static void spread_add(struct spread *spread, struct series *series)
{
    series_add(&spread->variation, 100 * series_variation(series));
    series_add(&spread->tail, series_percentile(series, 99) / series_percentile(series, 50));
}

static void spread_close(struct spread *spread, const char *name, const char *tail)
{
    struct series *cv = &spread->variation, *over = &spread->tail;
    if (cv->count > 0)
        printf("%-46s %5zu   %4.1f / %4.1f / %4.1f %%   %s %.3f / %.3f\n", name, cv->count,
               series_percentile(cv, 10), series_percentile(cv, 50), series_percentile(cv, 90),
               tail, series_percentile(over, 50), series_percentile(over, 90));
    series_release(cv);
    series_release(over);
}

static bool is_same_work(const struct op *a, const struct op *b)
{
    return a->replica == b->replica && a->part == b->part && a->step == b->step;
}

static bool is_same_place(const struct op *a, const struct op *b)
{
    return a->replica == b->replica && a->part == b->part && a->stage == b->stage;
}

static void find_shared(struct op *op, size_t ops)
{
    for (size_t i = 0; i < ops; i++) {
        struct series stages = {0};
        for (size_t k = 0; k < ops; k++)
            if (is_same_work(&op[i], &op[k]))
                series_add(&stages, op[k].seconds);
        op[i].shared = series_mean(&stages);
        series_release(&stages);
    }
}

/* The ops of one place, step by step; false where it has been before. */
static bool steps_of(const struct op *op, size_t ops, size_t first, struct series *raw,
                     struct series *own)
{
    for (size_t i = 0; i < first; i++)
        if (is_same_place(&op[i], &op[first]))
            return false;
    for (size_t i = first; i < ops; i++)
        if (is_same_place(&op[i], &op[first])) {
            series_add(raw, op[i].seconds);
            series_add(own, op[i].seconds / op[i].shared);
        }
    return true;
}

static void ops_show(struct op *op, size_t ops, const char *name)
{
    struct spread raw = {0}, own = {0};
    find_shared(op, ops);
    for (size_t i = 0; i < ops; i++) {
        struct series steps = {0}, beyond = {0};
        if (steps_of(op, ops, i, &steps, &beyond)) {
            spread_add(&raw, &steps);
            spread_add(&own, &beyond);
        }
        series_release(&steps);
        series_release(&beyond);
    }
    spread_close(&raw, name, "p99 / p50");
    spread_close(&own, "    over the mean of its stages", "p99 / p50");
}

static void trace_show(const struct table *table, const char *name)
{
    struct op *op = base_alloc(table->rows, sizeof *op);
    size_t ops = 0;
    for (size_t i = 0; i < table->rows; i++)
        if (strcmp(table_text(table, i, "optype"), name) == 0)
            op[ops++] = (struct op){.replica = table_whole(table, i, "dp_rank", 0),
                                    .stage = table_whole(table, i, "stage", 0),
                                    .part = table_whole(table, i, "seq_id", 0),
                                    .step = table_whole(table, i, "step", 0),
                                    .seconds = table_real(table, i, "duration", 0)};
    ops_show(op, ops, name);
    base_free(op);
}

/* Kernels below this are rounded too coarsely to say, as tables have whole microseconds. */
static const double SHORTEST_MS = 0.03;

static double stat_of(const struct table *table, size_t row, const char *kernel, const char *stat)
{
    char column[64];
    snprintf(column, sizeof column, "time_stats.%s.%s", kernel, stat);
    return table_real(table, row, column, 0);
}

static void repeats_show(const struct table *table, const char *kernel)
{
    struct spread spread = {0};
    for (size_t i = 0; i < table->rows; i++) {
        double mean = stat_of(table, i, kernel, "mean");
        if (mean < SHORTEST_MS)
            continue;
        series_add(&spread.variation, 100 * stat_of(table, i, kernel, "std") / mean);
        series_add(&spread.tail,
                   stat_of(table, i, kernel, "max") / stat_of(table, i, kernel, "median"));
    }
    spread_close(&spread, kernel, "max / p50");
}

static void table_show(void *context, const char *path)
{
    static const char *const kernels[] = {"attn_pre_proj", "attn_post_proj",  "mlp_up_proj",
                                          "mlp_down_proj", "input_layernorm", "mlp_act"};
    struct table table;
    (void)context;
    if (table_read(path, &table))
        return;
    if (table_has(&table, "optype") && table_has(&table, "duration")) {
        printf("%s\n", path);
        trace_show(&table, "forward-compute");
        trace_show(&table, "backward-compute");
    } else if (table_has(&table, "time_stats.mlp_up_proj.std")) {
        printf("%s\n", path);
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
            repeats_show(&table, kernels[i]);
    }
    table_release(&table);
}

bool spread_print(const char *folder)
{
    printf("\n%-46s %5s   %-23s   %s\n", "measured", "ops", "CV: p10 / median / p90",
           "tail: median / p90 of ops");
    return folder_walk(folder, NULL, table_show, NULL);
}
