/* SPDX-License-Identifier: BSD-3-Clause */
/* Which experts a step has chosen: drawn by the host, or computed by the program itself.
 *
 * Where a chip computes numbers, the ids stand in its own memory, written by the step that uses
 * them; the contract sees to it that they are there in time. */
#ifndef CHIP_EXPERTS_H
#define CHIP_EXPERTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/program.h"
#include "base/status.h"

struct chip;
struct executor_step;

/* Whether the operand names numbers, one a slot of its layer, that lie in memory. */
bool experts_are_ids(const struct executor_step *of, const struct program_operand *ids);

/* Id of a slot of the layer of tensor `ids`; -1 where it is none. What is out of range leads to
 * rows that are not the table's. */
int64_t experts_id(const struct chip *chip, const struct executor_step *of, int32_t ids,
                   int32_t slot);

/* Whether run-time values name an expert for each slot that the program's addresses take, where
 * they are not computed. */
bool experts_fit(const struct program *program, const struct program_runtime *runtime,
                 bool computed, struct base_report *report);

#endif
