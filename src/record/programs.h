/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs of many chips as a few tables, and back.
 *
 * The instructions of one op, in the order in which they own their operands, are a body: cycles
 * count from the start of the op, addresses from where their tensor is, and tensors by their first
 * use. Layers and chips whose ops are alike after that share one body, so that a rack takes little
 * more room than its templates. Nothing is lost: a program comes back field by field. */
#ifndef RECORD_PROGRAMS_H
#define RECORD_PROGRAMS_H

#include "base/program.h"
#include "record/artifact.h"

struct record_programs_writer;

struct record_programs_writer *record_programs_begin(void);

/* Adds the program of a chip for a phase (a number of the compiler's), which must be valid.
 * Programs come in any order, the same one for the same bytes. */
void record_programs_add(struct record_programs_writer *writer, uint8_t phase,
                         const struct program *program);

/* Adds the tables to an artifact; releases the writer. */
void record_programs_end(struct record_programs_writer *writer,
                         struct record_artifact_writer *artifact);

struct record_programs; /* the tables, read and found to agree with each other */

/* NULL and a fault where they do not agree. */
struct record_programs *record_programs_open(const struct record_artifact *artifact,
                                             struct base_report *report);
void record_programs_close(struct record_programs *programs);

/* Of a chip and a phase; the caller releases it. It still has to pass program_is_valid. All zero
 * and a fault where there is none, or the tables speak of what is not there. */
bool record_programs_take(const struct record_programs *programs, uint8_t phase, int32_t chip,
                          struct program *program, struct base_report *report);

#endif
