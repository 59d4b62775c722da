/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the second matrix of a pair is cut by rows or by columns. */
#ifndef PARTITION_COLUMNS_H
#define PARTITION_COLUMNS_H

#include "partition/partition.h"

static inline bool *columns_of(struct partition_columns *columns, enum partition_matrix matrix)
{
    return matrix == PARTITION_O ? &columns->o : &columns->down;
}

/* Whether the compiler can do what is asked; otherwise a fault. */
bool columns_are_known(const struct partition_input *in, struct base_report *report);

/* Cuts as the configuration has it, by rows where the compiler is to choose. */
void columns_cut_as_asked(struct plan *p);

#endif
