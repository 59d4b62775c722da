/* SPDX-License-Identifier: BSD-3-Clause */
/* Predictions beside measurements, and the errors of groups of them. */
#ifndef MEASURED_POINTS_H
#define MEASURED_POINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One measured time. `group` says in words which rows of a table belong together ("bf16, m up to
 * 16"); owned. */
struct point {
    char *group;
    size_t row;   /* of the table */
    bool for_fit; /* the others are held out */
    double measured_s, predicted_s;
};

/* Zero-initialise; release with points_release. */
struct points {
    struct point *point;
    size_t count, capacity;
    size_t row;   /* of points that come next */
    bool for_fit; /* likewise */
};

/* `group` is copied. What was not measured, or not as a time above zero, makes no point. */
void points_add(struct points *points, const char *group, double measured_s, double predicted_s);
void points_release(struct points *points);

enum points_part { POINTS_HELD_OUT, POINTS_FOR_FIT, POINTS_ALL };
bool points_takes(enum points_part part, const struct point *point);

/* Of |predicted - measured| / measured, the median of predicted / measured, and the
 * mean of the former. */
struct points_errors {
    size_t count;
    double median, p90, worst, ratio, mean;
};

/* Of the points of a part; group NULL: of all groups. */
struct points_errors points_errors_of(const struct points *points, enum points_part part,
                                      const char *group);

/* A line for all points, then one a group, in the order of the groups' names. */
void points_print(const struct points *points, enum points_part part, const char *title,
                  FILE *stream);

/* A plot of predicted over measured against measured, both logarithmic. */
void points_plot(const struct points *points, enum points_part part, const char *title,
                 FILE *stream);

#endif
