/* SPDX-License-Identifier: BSD-3-Clause */
/* What files of this room may see of a plan beside its public face. */
#ifndef PARTITION_PLAN_H
#define PARTITION_PLAN_H

#include "partition/partition.h"
#include "partition/template.h"

const struct partition_input *plan_input(const struct plan *plan);
const struct templates *plan_templates(const struct plan *plan);

/* Cycles from the end of stage `stage` to the start of the next, or to the step's end. */
int64_t plan_transfer_cycles(const struct plan *plan, enum partition_phase phase, int32_t stage);

#endif
