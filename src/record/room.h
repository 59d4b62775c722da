/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room know about an open file and nobody else does. */
#ifndef RECORD_ROOM_H
#define RECORD_ROOM_H

#include <hdf5.h>

#include <stdbool.h>

#include "record/record.h"

struct record_table; /* an open table, see table.h */

struct record_file {
    hid_t id;
    char *path;
    struct base_report *report;
    enum base_status status; /* the first failure; nothing but close works after it */
    /* First rank: the length at the last flush, at most now, and set aside on the disk. */
    int64_t flushed_end, end, reserved;
    bool has_slack; /* what is still in memory about the file will fit on the disk */
    double flushed_s;
    struct record_table *table;
    size_t tables, table_capacity;
};

/* Returns `id`; where it is negative, ends all ranks with what HDF5 says about it. For calls whose
 * failure on one rank would leave the others waiting within HDF5. */
hid_t record_must(hid_t id, const struct record_file *file, const char *doing);

/* Collective. Makes sure that `bytes` more fit on the disk; else a fault, and BASE_IO on all ranks.
 */
enum base_status record_reserve(struct record_file *file, int64_t bytes);

/* Collective. The id of a group, created with those above it where it is not there. */
hid_t record_group(struct record_file *file, const char *name);

/* Collective. Attributes of any object; values are the same on all ranks. */
void record_attribute_text(struct record_file *file, hid_t object, const char *name,
                           const char *text);
void record_attribute_texts(struct record_file *file, hid_t object, const char *name,
                            const char *const *texts);
void record_attribute_number(struct record_file *file, hid_t object, const char *name, hid_t type,
                             const void *value);

/* Collective. Sets a group's attribute without asking for space; the text is the same on all ranks.
 */
void record_text_write(struct record_file *file, const char *group, const char *name,
                       const char *text);

#endif
