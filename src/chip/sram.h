/* SPDX-License-Identifier: BSD-3-Clause */
/* SRAM: places and residency windows of tensors, and rows in use (rules 5, 9).
 *
 * Contents are not stored. Every access is held against the place of the tensor that it names; as
 * long as all of them hold, memory contains what the places say. What remains is order: that of
 * accesses to a bank (banks.h) and of writes and reads of a row (rows.h). */
#ifndef CHIP_SRAM_H
#define CHIP_SRAM_H

#include <stdint.h>

#include "chip/order.h"

struct chip;

/* A MEM_READ or MEM_WRITE, given its first run. */
void sram_execute(struct chip *chip, const struct run *run);

/* A violation of rule 5 that expects vector `index` of what memory holds for the instruction; the
 * caller says what was found. */
struct chip_violation *sram_report_place(struct chip *chip, const struct run *run, int64_t cycle,
                                         int64_t index);

#endif
