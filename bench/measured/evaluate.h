/* SPDX-License-Identifier: BSD-3-Clause */
/* Predicts the rows of a table. */
#ifndef MEASURED_EVALUATE_H
#define MEASURED_EVALUATE_H

#include "gpus.h"
#include "kinds.h"

/* Why rows were left out, and how many; reasons are static texts. */
struct left_out {
    const char *why[16];
    size_t rows[16], count;
};

/* A row on the GPU it was measured on; NULL, or why there is none. */
const char *row_find(const struct kind *kind, const struct table *table, size_t index,
                     struct gpus *gpus, struct row *row);

/* Adds points of all rows whose GPU is known and that the kind has a model of. */
void evaluate(const struct kind *kind, const struct table *table, struct gpus *gpus,
              struct points *points, struct left_out *left);

#endif
