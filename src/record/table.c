/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows become columns: collected, moved to the rank that writes their chunk, compressed there. */
#include "record/table.h"

#include <string.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "record/type.h"

/* Large enough that a chunk's overhead disappears, small enough that tables of a few rows cost
 * nothing: 128 KiB of int64. */
enum { CHUNK_ROWS = 16384 };

/* Chunks that a rank holds in memory at once, beside the caller's rows; also how many wait before
 * they are written together, since every collective write has a price of its own. */
enum { CHUNKS_A_RANK = 8 };

/* Deflate's own bound for data it cannot compress, and HDF5's index entry of a chunk. */
enum { CHUNK_OVERHEAD_BYTES = 512 };

int64_t record_table_chunk_rows(void)
{
    return CHUNK_ROWS;
}

static hid_t chunked_properties(void)
{
    hsize_t chunk = CHUNK_ROWS;
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 1);
    return properties;
}

static hid_t column_create(struct record_file *file, hid_t group,
                           const struct record_column *column)
{
    hsize_t none = 0, unlimited = H5S_UNLIMITED;
    hid_t space = H5Screate_simple(1, &none, &unlimited);
    hid_t type = record_column_type(column, true);
    hid_t properties = chunked_properties();
    hid_t dataset = record_must(
        H5Dcreate2(group, column->name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT), file,
        "creating a column");
    record_attribute_text(file, dataset, "units", column->units);
    record_attribute_text(file, dataset, "description", column->description);
    if (column->labels)
        record_attribute_texts(file, dataset, "labels", column->labels);
    H5Pclose(properties);
    H5Tclose(type);
    H5Sclose(space);
    return dataset;
}

struct record_table record_table_create(struct record_file *file,
                                        const struct record_schema *schema)
{
    struct record_table table = {.schema = schema};
    table.dataset = base_alloc(schema->columns, sizeof *table.dataset);
    hid_t group = record_group(file, schema->group);
    record_attribute_text(file, group, "description", schema->description);
    for (size_t i = 0; i < schema->columns; i++)
        table.dataset[i] = column_create(file, group, &schema->column[i]);
    H5Gclose(group);
    return table;
}

int64_t record_table_bytes(const struct record_table *table, int64_t rows)
{
    int64_t bytes = 0, chunks = rows / CHUNK_ROWS + 1;
    for (size_t i = 0; i < table->schema->columns; i++)
        bytes += (int64_t)table->schema->column[i].bytes * rows + chunks * CHUNK_OVERHEAD_BYTES;
    return bytes;
}

static void *column_pack(const struct record_schema *schema, const struct record_column *column,
                         const char *rows, int64_t count)
{
    size_t n = (size_t)count;
    char *packed = base_alloc(n, column->bytes);
    const char *field = rows + column->offset;
    if (column->bytes == 8)
        for (size_t i = 0; i < n; i++)
            memcpy(packed + 8 * i, field + schema->row_bytes * i, 8);
    else if (column->bytes == 4)
        for (size_t i = 0; i < n; i++)
            memcpy(packed + 4 * i, field + schema->row_bytes * i, 4);
    else
        for (size_t i = 0; i < n; i++)
            memcpy(packed + column->bytes * i, field + schema->row_bytes * i, column->bytes);
    return packed;
}

/* The part of a dataset that this rank writes; nothing where `count` is 0. */
static hid_t selection(hid_t dataset, int64_t first, int64_t count)
{
    hid_t space = H5Dget_space(dataset);
    hsize_t start = (hsize_t)first, length = (hsize_t)count;
    if (count > 0)
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &length, NULL);
    else
        H5Sselect_none(space);
    return space;
}

static hid_t memory_space(int64_t count)
{
    hsize_t length = (hsize_t)(count > 0 ? count : 1);
    hid_t space = H5Screate_simple(1, &length, NULL);
    if (count == 0)
        H5Sselect_none(space);
    return space;
}

static void column_write(struct record_file *file, const struct record_table *table, size_t column,
                         struct parallel_rows mine)
{
    const struct record_column *description = &table->schema->column[column];
    hid_t dataset = table->dataset[column];
    void *packed = column_pack(table->schema, description, mine.row, mine.count);
    hid_t memory = memory_space(mine.count), space = selection(dataset, mine.first, mine.count);
    hid_t type = record_column_type(description, false);
    hid_t collective = H5Pcreate(H5P_DATASET_XFER);
    H5Pset_dxpl_mpio(collective, H5FD_MPIO_COLLECTIVE);
    record_must(H5Dwrite(dataset, type, memory, space, collective, packed), file,
                "writing a column");
    H5Pclose(collective);
    H5Tclose(type);
    H5Sclose(space);
    H5Sclose(memory);
    base_free(packed);
}

/* Writes rows that are numbered from the start of the table, which then ends at `end`. */
static void rows_write(struct record_file *file, const struct record_table *table,
                       struct parallel_rows mine, int64_t end)
{
    hsize_t extent = (hsize_t)end;
    for (size_t i = 0; i < table->schema->columns; i++) {
        record_must(H5Dset_extent(table->dataset[i], &extent), file, "extending a column");
        column_write(file, table, i, mine);
    }
}

/* What waits on the first rank, as rows of the table. */
static struct parallel_rows rows_pending(const struct record_table *table)
{
    int64_t count = parallel_is_first() ? table->pending : 0;
    return (struct parallel_rows){table->written, count, table->pending_rows};
}

/* Takes the first `count` rows, now in the file, from what is pending. */
static void rows_forget(struct record_table *table, int64_t count)
{
    int64_t kept = table->pending > count ? table->pending - count : 0;
    size_t row_bytes = table->schema->row_bytes;
    if (parallel_is_first() && kept > 0)
        memmove(table->pending_rows, table->pending_rows + (size_t)count * row_bytes,
                (size_t)kept * row_bytes);
    table->written += count;
    table->pending = kept;
    table->pending_in_file = 0;
}

/* Writes the table's next `chunks` chunks, from what is pending and from all ranks' `rows`. */
static void chunks_write(struct record_file *file, struct record_table *table,
                         struct parallel_rows rows, int64_t chunks)
{
    size_t row_bytes = table->schema->row_bytes;
    struct parallel_block block = parallel_block_of(chunks, parallel_size(), parallel_rank());
    struct parallel_rows mine = {table->written + block.first * CHUNK_ROWS,
                                 block.count * CHUNK_ROWS, NULL};
    mine.row = base_alloc((size_t)mine.count, row_bytes);
    if (table->pending > 0)
        parallel_exchange_rows(row_bytes, rows_pending(table), mine);
    parallel_exchange_rows(row_bytes, rows, mine);
    rows_write(file, table, mine, table->written + chunks * CHUNK_ROWS);
    base_free(mine.row);
    rows_forget(table, chunks * CHUNK_ROWS);
}

/* Moves rows table->written + table->pending .. end - 1 to where they wait. */
static void rows_keep(struct record_table *table, struct parallel_rows rows, int64_t end)
{
    size_t row_bytes = table->schema->row_bytes;
    int64_t kept = end - table->written;
    struct parallel_rows wanted = {table->written + table->pending, 0, NULL};
    if (parallel_is_first()) {
        table->pending_rows =
            base_grow(table->pending_rows, &table->pending_capacity, (size_t)kept * row_bytes, 1);
        wanted.count = kept - table->pending;
        wanted.row = table->pending_rows + (size_t)table->pending * row_bytes;
    }
    parallel_exchange_rows(row_bytes, rows, wanted);
    table->pending = kept;
}

enum base_status record_table_append(struct record_file *file, struct record_table *table,
                                     const void *rows, int64_t first, int64_t count, int64_t total)
{
    int64_t begin = table->written + table->pending, end = begin + total;
    struct parallel_rows mine = {begin + first, count, (void *)(uintptr_t)rows};
    int64_t most = (int64_t)CHUNKS_A_RANK * parallel_size();
    bool enough = end - table->written >= CHUNKS_A_RANK * CHUNK_ROWS;
    while (enough && end - table->written >= CHUNK_ROWS) {
        int64_t chunks = (end - table->written) / CHUNK_ROWS;
        chunks = chunks < most ? chunks : most;
        if (record_reserve(file, record_table_bytes(table, chunks * CHUNK_ROWS)) != BASE_OK)
            return file->status;
        chunks_write(file, table, mine, chunks);
    }
    if (end > table->written + table->pending)
        rows_keep(table, mine, end);
    return file->status;
}

void record_table_write_pending(struct record_file *file, struct record_table *table)
{
    const struct parallel_rows none = {0, 0, NULL};
    if (table->pending >= CHUNK_ROWS)
        chunks_write(file, table, none, table->pending / CHUNK_ROWS);
    if (table->pending > table->pending_in_file)
        rows_write(file, table, rows_pending(table), table->written + table->pending);
    table->pending_in_file = table->pending;
}

void record_table_close(struct record_table *table)
{
    for (size_t i = 0; i < table->schema->columns; i++)
        H5Dclose(table->dataset[i]);
    base_free(table->dataset);
    base_free(table->pending_rows);
}
