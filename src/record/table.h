/* SPDX-License-Identifier: BSD-3-Clause */
/* One table while its file is open: rows go out in whole chunks, the rest waits on the first rank.
 */
#ifndef RECORD_TABLE_H
#define RECORD_TABLE_H

#include "record/room.h"

struct record_table {
    const struct record_schema *schema;
    hid_t *dataset;           /* one a column */
    int64_t written, pending; /* whole chunks in the file; rows behind them, on the first rank */
    int64_t pending_in_file;  /* of the pending rows, those that the last flush has written */
    char *pending_rows;       /* first rank only */
    size_t pending_capacity;
};

/* Collective. Rows in a chunk of every dataset: a constant, so that files do not differ. */
int64_t record_table_chunk_rows(void);

/* Collective. Creates the group and its datasets. */
struct record_table record_table_create(struct record_file *file,
                                        const struct record_schema *schema);

/* Bytes that `rows` rows take at most on the disk. */
int64_t record_table_bytes(const struct record_table *table, int64_t rows);

/* Collective. This rank's rows are numbers first .. first + count - 1 of `total` new ones. BASE_IO
 * where they do not fit on the disk. */
enum base_status record_table_append(struct record_file *file, struct record_table *table,
                                     const void *rows, int64_t first, int64_t count, int64_t total);

/* Collective. Writes what is pending, and keeps what does not fill its chunk. */
void record_table_write_pending(struct record_file *file, struct record_table *table);

/* Collective. */
void record_table_close(struct record_table *table);

#endif
