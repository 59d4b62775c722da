/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks a table of a file in blocks: of a block without a wanted row, only the key columns are
 * read. Memory is that of one block, however long the table is. */
#ifndef APP_SCAN_H
#define APP_SCAN_H

#include "record/layout.h"
#include "record/reader.h"

/* What to look for. Rows are structures of the table's schema. */
struct app_scan {
    enum record_table table;
    const char *const *keys;                       /* columns that `wants` looks at, NULL behind */
    bool (*wants)(void *context, const void *row); /* NULL: every row; sees keys alone */
    void (*take)(void *context, const void *row);  /* called for wanted rows, in their order */
    void *context;
};

/* How much of a table was wanted; rows -1: the file has no such table. */
struct app_scanned {
    int64_t rows, wanted;
};

/* Adds a fault where a table that is there cannot be read. */
struct app_scanned app_scan_table(const struct record_reader *reader, const struct app_scan *scan,
                                  struct base_report *report);

/* A whole table of `count` rows, for tables that are known to be small; NULL where it is not there.
 * Free with base_free. */
void *app_scan_all(const struct record_reader *reader, enum record_table table, size_t *count);

#endif
