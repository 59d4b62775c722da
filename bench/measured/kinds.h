/* SPDX-License-Identifier: BSD-3-Clause */
/* Kinds of tables: which columns tell them, and what the models predict for a row. */
#ifndef MEASURED_KINDS_H
#define MEASURED_KINDS_H

#include "base/gpu_machine.h"
#include "gpus.h"
#include "points.h"
#include "table.h"

enum { KIND_MOST = 1 << 30 };

/* One row of a table, on the GPU it was measured on. */
struct row {
    const struct table *table;
    size_t index;
    const char *gpu;
    const struct gpu_chip *chip;
    struct gpus *gpus; /* for machines with several of them */
};

/* A kind of table. A new one: a file with its struct, a line in kinds.c. */
struct kind {
    const char *name;           /* "gemm" */
    const char *const *needs;   /* columns that must be there, NULL behind the last */
    const char *const *without; /* columns that must not be there, likewise */
    /* Columns that hold whole numbers from 1 to KIND_MOST where they are there; NULL: none. */
    const char *const *sizes;
    /* Columns that were measured: they do not belong to the row's key. */
    const char *const *measured;
    /* Name of the GPU's description file; NULL: the first part of the file's name. */
    const char *(*gpu)(const struct row *row);
    /* Whether parameters may be fitted to the row; NULL: half of all rows, by a hash. */
    bool (*is_for_fit)(const struct row *row);
    /* Adds what is measured and predicted of the row; NULL, or why the row is left out (static
     * text). */
    const char *(*predict)(const struct row *row, struct points *points);
};

extern const struct kind *const kinds[]; /* NULL behind the last */

/* NULL where no kind has these columns. */
const struct kind *kind_of(const struct table *table);

/* NULL, or what is wrong with the row's sizes (static text). */
const char *row_sizes_refuse(const struct kind *kind, const struct row *row);

/* Whether the row is one that parameters may be fitted to: what its kind says, or half of all rows,
 * by a hash of the row's key (its fields that were not measured). The others are held out. */
bool row_is_for_fit(const struct kind *kind, const struct row *row);

/* Half of all rows, by that hash. */
bool row_is_in_half(const struct kind *kind, const struct row *row);

const char *row_text(const struct row *row, const char *column);
int64_t row_whole(const struct row *row, const char *column, int64_t otherwise);
double row_real(const struct row *row, const char *column, double otherwise);

#endif
