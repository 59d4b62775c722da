/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of a table: keys first, the rest where it is wanted. */
#include "app/scan.h"

#include "base/memory.h"

enum { BLOCK_ROWS = 4 * 16384 }; /* four chunks of the file */

static bool block_is_wanted(const struct app_scan *scan, const char *rows, size_t row_bytes,
                            size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!scan->wants || scan->wants(scan->context, rows + i * row_bytes))
            return true;
    return false;
}

static int64_t block_take(const struct app_scan *scan, const char *rows, size_t row_bytes,
                          size_t count)
{
    int64_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        if (!scan->wants || scan->wants(scan->context, rows + i * row_bytes)) {
            scan->take(scan->context, rows + i * row_bytes);
            wanted++;
        }
    return wanted;
}

/* False where the file cannot be read. */
static bool block_scan(const struct record_reader *reader, const struct app_scan *scan,
                       int64_t first, int64_t count, void *rows, int64_t *wanted)
{
    const struct record_schema *schema = record_layout(scan->table);
    if (scan->wants && !record_reader_columns(reader, schema, scan->keys, first, count, rows))
        return false;
    if (!block_is_wanted(scan, rows, schema->row_bytes, (size_t)count))
        return true;
    if (!record_reader_read(reader, schema, first, count, rows))
        return false;
    *wanted += block_take(scan, rows, schema->row_bytes, (size_t)count);
    return true;
}

struct app_scanned app_scan_table(const struct record_reader *reader, const struct app_scan *scan,
                                  struct base_report *report)
{
    const struct record_schema *schema = record_layout(scan->table);
    struct app_scanned scanned = {.rows = record_reader_rows(reader, schema)};
    void *rows = base_alloc(BLOCK_ROWS, schema->row_bytes);
    for (int64_t at = 0; at < scanned.rows; at += BLOCK_ROWS) {
        int64_t count = scanned.rows - at < BLOCK_ROWS ? scanned.rows - at : BLOCK_ROWS;
        if (!block_scan(reader, scan, at, count, rows, &scanned.wanted)) {
            base_report_add(report, NULL, 0, "table %s cannot be read: the file is damaged",
                            schema->group);
            break;
        }
    }
    base_free(rows);
    return scanned;
}

void *app_scan_all(const struct record_reader *reader, enum record_table table, size_t *count)
{
    const struct record_schema *schema = record_layout(table);
    int64_t rows = record_reader_rows(reader, schema);
    *count = 0;
    if (rows < 0)
        return NULL;
    void *row = base_alloc((size_t)rows, schema->row_bytes);
    if (record_reader_read(reader, schema, 0, rows, row)) {
        *count = (size_t)rows;
        return row;
    }
    base_free(row);
    return NULL;
}
