/* SPDX-License-Identifier: BSD-3-Clause */
/* Which fields of a program say nothing, so that a test that changes fields leaves them out. */
#ifndef TESTS_CHIP_IDLE_H
#define TESTS_CHIP_IDLE_H

#include <stdbool.h>

#include "base/program.h"

/* Whether a NULL-terminated list has the name. */
bool idle_is_one_of(const char *name, const char *const *names);

/* Whether the field `name` of an instruction, or of its operand `o` (NULL: of the instruction), is
 * that of a level that does not repeat, the path of what has none, or the identity of another ALU's
 * result. */
bool idle_field(const struct program_instruction *i, const struct program_operand *o,
                const char *name);

#endif
