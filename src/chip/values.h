/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers beside the contract: what the program moves and computes, act by act.
 *
 * The contract follows identities; this follows addresses, streams, slots and functions alone, and
 * looks at no tensor. Each repeat of an instruction is an act. It takes its operands in the cycle
 * in which it samples them and drives its results ahead, onto streams that keep them by phase. Acts
 * happen in the order of the cycles in which they sample, which is safe because every unit drives
 * later than it samples; a cycle without acts costs nothing. */
#ifndef CHIP_VALUES_H
#define CHIP_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "chip/chip_values.h"

struct run;
struct values; /* values_room.h */

/* Of a new chip. */
struct values *values_create(const struct chip *chip, enum chip_numerics numerics);
void values_release(struct values *values);

/* Nothing is under way. */
void values_begin(struct chip *chip);

/* An instruction that is executed, given its first run: its acts are to come. */
void values_note(struct chip *chip, const struct run *run);

/* Performs all acts before `cycle`. Where a receive lacks its vector: returns the receive, at which
 * the next call goes on; valid until then. Else NULL. */
const struct run *values_advance(struct chip *chip, int64_t cycle);

/* The receive that blocks takes zeros; false where none does. */
bool values_give_up(struct chip *chip);

/* The whole number in lane 0 of what memory holds now; -1 where there is none. */
int64_t values_whole(const struct chip *chip, const struct program *program,
                     const struct chip_number *where);

/* Forgets the vectors that have left. */
void values_outbox_clear(struct values *values);

#endif
