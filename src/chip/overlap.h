/* SPDX-License-Identifier: BSD-3-Clause */
/* No two live tensors of a chip overlap in addresses and time (rule 5). */
#ifndef CHIP_OVERLAP_H
#define CHIP_OVERLAP_H

#include <stdint.h>

#include <stdbool.h>

struct chip;
struct executor_program;
struct executor_step;

/* Judges the tensors of a loaded program against each other (where `own`) and against everything
 * that the chip keeps for other programs. */
void overlap_check(struct chip *chip, const struct executor_program *loaded, bool own);

/* Two programs whose steps begin `distance` cycles apart. */
struct overlap_pair {
    const struct executor_program *a, *b;
    int64_t distance;
};

/* Holds the activations of a step that begins against those of all other open steps: no two are
 * alive at one place and time. */
void overlap_check_steps(struct chip *chip, const struct executor_step *of);

#endif
