/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of one quantity, and how they spread. */
#ifndef MEASURED_SERIES_H
#define MEASURED_SERIES_H

#include <stddef.h>

/* In no order until a percentile is asked for. Zero-initialise; release with series_release. */
struct series {
    double *value;
    size_t count, capacity;
};

void series_add(struct series *series, double value);
void series_release(struct series *series);

/* Of at least one value. Nearest rank; 0 and 100: the extremes. */
double series_percentile(struct series *series, int percent);
double series_mean(const struct series *series);

/* Coefficient of variation: deviation of all the values over their mean. */
double series_variation(const struct series *series);

#endif
