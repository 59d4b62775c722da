/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that a run leaves behind: tables of rows and attributes, written by all ranks into one
 * HDF5 file.
 *
 * Rows are collected until a whole chunk is full, moved to the rank that writes the chunk, and
 * compressed there; where a row comes from leaves no trace in the file. Space is reserved on the
 * disk before HDF5 is asked to write, so that a full disk is an ordinary status on all ranks and
 * what was written before stays readable. Everything here is collective, and a status is the same
 * on all ranks. */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum record_type {
    RECORD_I64,
    RECORD_I32,
    RECORD_I16,
    RECORD_U8,
    RECORD_F64,
    RECORD_F32,
    RECORD_TEXT, /* fixed length, padded with zeros */
};

/* One dataset of a table, and where its values are in a row. */
struct record_column {
    const char *name;
    enum record_type type;
    size_t offset, bytes; /* of the field in the row */
    const char *units;    /* "ps", "cycles", "bytes", "1" for counts, indices and names */
    const char *description;
    const char *const *labels; /* NULL, or names of the values 0, 1, ..., closed by NULL */
};

/* One group whose datasets have equal lengths. */
struct record_schema {
    const char *group; /* "/gpu/kernels" */
    const char *description;
    size_t row_bytes; /* of the row structure in memory */
    const struct record_column *column;
    size_t columns;
};

struct record_file;

/* Creates PATH, or refuses to: a fault in the first rank's report, NULL on all ranks. An existing
 * HDF5 file is replaced, another existing file is not. Keeps `report` for the faults of later
 * calls. */
struct record_file *record_open(const char *path, struct base_report *report);

/* Adds this rank's `count` rows, behind those of the ranks before it, to the table of `schema`; the
 * first call for a schema creates the table, so that one with no rows at all leaves an empty table.
 */
enum base_status record_append(struct record_file *file, const struct record_schema *schema,
                               const void *rows, size_t count);

/* Sets an attribute of a group (created where needed) from the first rank's value; sets it anew
 * where it exists. */
enum base_status record_set_text(struct record_file *file, const char *group, const char *name,
                                 const char *text);
enum base_status record_set_i64(struct record_file *file, const char *group, const char *name,
                                int64_t value);
enum base_status record_set_f64(struct record_file *file, const char *group, const char *name,
                                double value);

/* Makes all rows so far survive a kill, with `progress` ("decode step 17 of 64") as an attribute of
 * the root. record_flush_if_due does so when the last flush is `seconds` ago by the first rank's
 * clock. */
enum base_status record_flush(struct record_file *file, const char *progress);
enum base_status record_flush_if_due(struct record_file *file, const char *progress,
                                     double seconds);

/* Writes what is pending and closes. `complete` marks the file as that of a run that reached its
 * end; otherwise the root's attribute stays 0 and `progress` says how far it got. The file is
 * released whatever the status. */
enum base_status record_close(struct record_file *file, bool complete, const char *progress);

#endif
