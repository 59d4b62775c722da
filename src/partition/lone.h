/* SPDX-License-Identifier: BSD-3-Clause */
/* A block that is a whole program: what is compiled without a model, such as collectives and
 * published cases. */
#ifndef PARTITION_LONE_H
#define PARTITION_LONE_H

#include "partition/emit.h"

/* Opens an empty block for a chip of its own; tensor 0 is the zero tensor. Release with
 * block_release. */
struct block lone_open(const struct lpu_chip *chip);

/* The block as the program of chip `chip_id`, which all chips of the step end after
 * `length_cycles`. Link queues of the block are physical. Release with program_release. */
struct program lone_program(const struct block *b, int32_t chip_id, int64_t length_cycles);

#endif
