/* SPDX-License-Identifier: BSD-3-Clause */
/* Row by row: finds the GPU, asks the kind, counts what was left out and why. */
#include "evaluate.h"

#include <string.h>

static void count_left(struct left_out *left, const char *why)
{
    size_t i = 0;
    while (i < left->count && strcmp(left->why[i], why) != 0)
        i++;
    if (i == sizeof left->why / sizeof *left->why)
        i--;
    left->count = i == left->count ? i + 1 : left->count;
    left->why[i] = why;
    left->rows[i]++;
}

const char *row_find(const struct kind *kind, const struct table *table, size_t index,
                     struct gpus *gpus, struct row *row)
{
    *row = (struct row){.table = table, .index = index, .gpus = gpus};
    row->gpu = kind->gpu ? kind->gpu(row) : table->gpu;
    row->chip = row->gpu ? gpus_find(gpus, row->gpu) : NULL;
    return row->chip ? NULL : "no description of the GPU";
}

static const char *row_predict(const struct kind *kind, const struct row *row,
                               struct points *points)
{
    points->row = row->index;
    points->for_fit = row_is_for_fit(kind, row);
    size_t before = points->count;
    const char *why = row_sizes_refuse(kind, row);
    why = why ? why : kind->predict(row, points);
    return why || points->count > before ? why : "no measured time above zero";
}

void evaluate(const struct kind *kind, const struct table *table, struct gpus *gpus,
              struct points *points, struct left_out *left)
{
    for (size_t i = 0; i < table->rows; i++) {
        struct row row;
        const char *why = row_find(kind, table, i, gpus, &row);
        why = why ? why : row_predict(kind, &row, points);
        if (why)
            count_left(left, why);
    }
}
