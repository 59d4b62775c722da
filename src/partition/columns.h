/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the second matrix of a pair is cut by rows or by columns: what either costs, and which it
 * is to be. */
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

/* Chooses for the split `c`, which is compiled for the first rank, matrix by matrix: first blocks
 * of a layer in both ways, then whole plans where columns promise something. The plan then has what
 * was chosen, and `c` its passes. */
void columns_choose(struct plan *p, struct partition_candidate *c);

/* Passes of a request's prompt, of all sequences of a batch, and the steps that follow. */
struct columns_request {
    int64_t passes, steps;
};

/* How a matrix was cut, compared now where the configuration has decided; what a decode step of a
 * single row takes by rows and by columns; and by how many cycles columns are longer in all layers
 * of the request. */
struct columns_explained {
    struct partition_choice choice;
    struct columns_request request;
    int64_t row_cycles[2], extra_cycles;
};
struct columns_explained columns_explain(const struct plan *plan, enum partition_matrix matrix);

#endif
