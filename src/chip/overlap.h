/* SPDX-License-Identifier: BSD-3-Clause */
/* No two live tensors of a chip overlap in addresses and time (rule 5). */
#ifndef CHIP_OVERLAP_H
#define CHIP_OVERLAP_H

#include <stdbool.h>

struct chip;
struct executor_program;

/* Judges the tensors of a loaded program against each other (where `own`) and against everything
 * that the chip keeps for other programs. */
void overlap_check(struct chip *chip, const struct executor_program *loaded, bool own);

#endif
