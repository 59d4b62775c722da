/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors of predictions by group: median, 90th percentile, worst. */
#include "points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void points_add(struct points *points, const char *group, double measured_s, double predicted_s)
{
    if (!(measured_s > 0) || !isfinite(measured_s))
        return;
    points->point =
        base_grow(points->point, &points->capacity, points->count + 1, sizeof *points->point);
    points->point[points->count++] =
        (struct point){base_strdup(group), points->row, points->for_fit, measured_s, predicted_s};
}

void points_release(struct points *points)
{
    for (size_t i = 0; i < points->count; i++)
        base_free(points->point[i].group);
    base_free(points->point);
    *points = (struct points){0};
}

bool points_takes(enum points_part part, const struct point *point)
{
    return part == POINTS_ALL || (part == POINTS_FOR_FIT) == point->for_fit;
}

static int number_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct points_errors points_errors_of(const struct points *points, enum points_part part,
                                      const char *group)
{
    double *error = base_alloc(points->count, sizeof *error);
    double *ratio = base_alloc(points->count, sizeof *ratio);
    size_t count = 0;
    double sum = 0;
    for (size_t i = 0; i < points->count; i++) {
        const struct point *p = &points->point[i];
        if (!points_takes(part, p) || (group && strcmp(group, p->group) != 0))
            continue;
        ratio[count] = p->predicted_s / p->measured_s;
        error[count] = fabs(ratio[count] - 1);
        sum += error[count];
        count++;
    }
    qsort(error, count, sizeof *error, number_compare);
    qsort(ratio, count, sizeof *ratio, number_compare);
    struct points_errors errors = {.count = count};
    if (count > 0)
        errors = (struct points_errors){count,
                                        error[count / 2],
                                        error[count * 9 / 10],
                                        error[count - 1],
                                        ratio[count / 2],
                                        sum / (double)count};
    base_free(error);
    base_free(ratio);
    return errors;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the groups, each once, in order; the array is the caller's, the names are not. */
static const char **groups_of(const struct points *points, size_t *count)
{
    const char **name = base_alloc(points->count, sizeof *name);
    for (size_t i = 0; i < points->count; i++)
        name[i] = points->point[i].group;
    qsort(name, points->count, sizeof *name, text_compare);
    *count = 0;
    for (size_t i = 0; i < points->count; i++)
        if (i == 0 || strcmp(name[i], name[*count - 1]) != 0)
            name[(*count)++] = name[i];
    return name;
}

static void line_print(const char *indent, const char *name, const struct points_errors *e,
                       FILE *stream)
{
    int width = 60 - (int)strlen(indent);
    fprintf(stream, "%s%-*s %6zu %8.1f %8.1f %8.1f %10.2f %8.1f\n", indent, width, name, e->count,
            100 * e->median, 100 * e->p90, 100 * e->worst, e->ratio, 100 * e->mean);
}

void points_print(const struct points *points, enum points_part part, const char *title,
                  FILE *stream)
{
    struct points_errors all = points_errors_of(points, part, NULL);
    size_t groups = 0;
    const char **name = groups_of(points, &groups);
    line_print("", title, &all, stream);
    for (size_t i = 0; groups > 1 && i < groups; i++) {
        struct points_errors e = points_errors_of(points, part, name[i]);
        if (e.count > 0)
            line_print("    ", name[i], &e, stream);
    }
    base_free(name);
}
