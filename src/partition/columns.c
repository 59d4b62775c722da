/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts matrices as the configuration asks. */
#include "partition/columns.h"

#include "partition/plan_room.h"

/* The configuration's word about a matrix. */
static enum lpu_split asked_for(const struct partition_input *in, enum partition_matrix matrix)
{
    return matrix == PARTITION_O ? in->rack->split_o : in->rack->split_down;
}

/* Experts are multiplied row by row, each by other weights: what a chip would gather for one of
 * them is not known before. */
bool columns_are_known(const struct partition_input *in, struct base_report *report)
{
    if (!in->model->experts || asked_for(in, PARTITION_DOWN) != LPU_SPLIT_COLUMNS)
        return true;
    base_report_add(
        report, NULL, 0,
        "lpu.split_down = columns: down of %s is that of experts, which the LPU compiler "
        "cuts by rows; rows or auto would do",
        in->model->name);
    return false;
}

void columns_cut_as_asked(struct plan *p)
{
    for (enum partition_matrix m = 0; m < PARTITION_MATRICES; m++)
        *columns_of(&p->columns, m) = asked_for(&p->input, m) == LPU_SPLIT_COLUMNS;
}
