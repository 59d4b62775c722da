/* SPDX-License-Identifier: BSD-3-Clause */
/* Mean, deviation, percentiles. */
#include "series.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

void series_add(struct series *series, double value)
{
    series->value =
        base_grow(series->value, &series->capacity, series->count + 1, sizeof *series->value);
    series->value[series->count++] = value;
}

void series_release(struct series *series)
{
    base_free(series->value);
    *series = (struct series){0};
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double series_percentile(struct series *series, int percent)
{
    size_t rank = (series->count * (size_t)percent + 99) / 100;
    qsort(series->value, series->count, sizeof *series->value, ascending);
    return series->value[rank > 0 ? rank - 1 : 0];
}

double series_mean(const struct series *series)
{
    double sum = 0;
    for (size_t i = 0; i < series->count; i++)
        sum += series->value[i];
    return sum / (double)series->count;
}

double series_variation(const struct series *series)
{
    double mean = series_mean(series), squares = 0;
    for (size_t i = 0; i < series->count; i++)
        squares += (series->value[i] - mean) * (series->value[i] - mean);
    return sqrt(squares / (double)series->count) / mean;
}
