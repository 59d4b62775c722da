/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of measurements: a CSV file with a header, and its rows by the names of its columns. */
#ifndef MEASURED_TABLE_H
#define MEASURED_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields point into `text`. Release with table_release. */
struct table {
    char *path; /* as found */
    char *gpu;  /* the file's name up to "__" in lower case; without "__" all but its ".csv" */
    char *text;
    char **name; /* of columns */
    size_t columns;
    char **field; /* [rows][columns] */
    size_t rows;
};

/* NULL, or why it is no table (static text); then there is nothing to release. */
const char *table_read(const char *path, struct table *table);
void table_release(struct table *table);

bool table_has(const struct table *table, const char *column);

/* Field of a row; "" where the table has no such column. */
const char *table_text(const struct table *table, size_t row, const char *column);

/* The field as a number, `otherwise` where the table has no such column or it is empty. */
int64_t table_whole(const struct table *table, size_t row, const char *column, int64_t otherwise);
double table_real(const struct table *table, size_t row, const char *column, double otherwise);

#endif
