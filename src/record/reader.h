/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a file that record.h wrote, complete or not. Nothing here is collective. */
#ifndef RECORD_READER_H
#define RECORD_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "record/record.h"

struct record_reader;

/* NULL and a fault where PATH is no file of this program, or of a newer format. */
struct record_reader *record_reader_open(const char *path, struct base_report *report);
void record_reader_close(struct record_reader *reader);

/* Rows of the table of `schema`; -1 where it is not there, or is not as the schema says (every
 * column with its type, unit and description, all of one length). */
int64_t record_reader_rows(const struct record_reader *reader, const struct record_schema *schema);

/* Reads rows first .. first + count - 1 into structures of the schema. */
bool record_reader_read(const struct record_reader *reader, const struct record_schema *schema,
                        int64_t first, int64_t count, void *rows);

/* Reads only the named columns, which must be of the schema (`names` is closed by NULL); other
 * fields of the rows stay as they are. */
bool record_reader_columns(const struct record_reader *reader, const struct record_schema *schema,
                           const char *const *names, int64_t first, int64_t count, void *rows);

/* The name of a value of a column of codes; "?" where it has none. */
const char *record_label(const struct record_schema *schema, const char *column, uint8_t code);

/* An attribute of a group; NULL or false where it is not there. Free the text with base_free. */
char *record_reader_text(const struct record_reader *reader, const char *group, const char *name);
bool record_reader_i64(const struct record_reader *reader, const char *group, const char *name,
                       int64_t *value);

/* Whether every known table that the file has is as its schema says. Adds what is not. */
bool record_reader_is_valid(const struct record_reader *reader, struct base_report *report);

#endif
