/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rows of its slice a memory instruction concerns, given the run-time values of its step. */
#ifndef CHIP_ADDRESSES_H
#define CHIP_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "chip/order.h"

struct chip;

/* An address, and whether run-time values led it away from the tensor (to the dump or zero row). */
struct addresses_target {
    int64_t address;
    bool away;
};

/* Of member k of a run of a MEM_READ or MEM_WRITE. */
struct addresses_target addresses_target(const struct chip *chip, const struct run *run, int32_t k);

/* Whether addresses are equally spaced: on both levels of an instruction, or in each of its runs.
 */
bool addresses_are_linear(const struct program_instruction *i);
bool addresses_are_linear_in_runs(const struct run *run);

/* From the lowest to the highest address of an instruction whose addresses are linear, given its
 * first run; `first` is that of its first repeat. */
struct addresses_reach {
    int64_t first, low, high;
};
struct addresses_reach addresses_reach(const struct chip *chip, const struct run *run);

#endif
