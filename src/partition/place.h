/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the earliest cycle at which a rigid group of instructions collides with nothing placed
 * before. */
#ifndef PARTITION_PLACE_H
#define PARTITION_PLACE_H

#include "partition/emit.h"

struct reservations *reservations_create(void);
void reservations_release(struct reservations *r);

/* Closes the open group: shifts it to the earliest start >= earliest at which queues, MXM planes
 * and streams are free and every tensor it reads is ready; reserves what it uses; updates
 * readiness, residency windows and the block's end. Returns the shift. */
int64_t place_group(struct block *b, int64_t earliest);

/* Issue to result on the stream register (or to nothing, for sinks); issue to operand sampled. */
int32_t place_delay(const struct lpu_chip *chip, const struct program_instruction *i);
int32_t place_skew(const struct lpu_chip *chip, const struct program_instruction *i);

#endif
