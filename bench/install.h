/* SPDX-License-Identifier: BSD-3-Clause */
/* All weights that the MXM holds, from SRAM into its four arrays. */
#ifndef BENCH_INSTALL_H
#define BENCH_INSTALL_H

#include "partition/emit.h"

/* Emits the loads and installs of all planes into a block from lone_open: of the two planes of a
 * hemisphere the first loads on `near` streams from the slices next to the MXM, the second on `far`
 * from those behind. Both divide the columns of a plane. */
void install_emit(struct block *b, int32_t near, int32_t far);

/* The shortest way over all widths, as a program of chip 0. */
struct program install_best(const struct lpu_chip *chip);

#endif
