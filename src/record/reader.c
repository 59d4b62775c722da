/* SPDX-License-Identifier: BSD-3-Clause */
/* The file read back: attributes, and columns put together into rows. */
#include "record/reader.h"

#include <string.h>

#include "base/memory.h"
#include "record/layout.h"
#include "record/type.h"

enum { FORMAT_VERSION = 1 };

struct record_reader {
    hid_t id;
    char *path;
};

/* Whether the file is one of ours, in a format this program knows. */
static bool format_is_known(const struct record_reader *reader, struct base_report *report)
{
    char *format = record_reader_text(reader, "/", "format");
    int64_t version = 0;
    bool known = format && !strcmp(format, "lpusim-mp") &&
                 record_reader_i64(reader, "/", "format_version", &version);
    base_free(format);
    if (!known)
        base_report_add(report, reader->path, 0, "was not written by lpusim-mp");
    else if (version > FORMAT_VERSION)
        base_report_add(report, reader->path, 0, "has format %d, this program reads up to %d",
                        (int)version, FORMAT_VERSION);
    return known && version <= FORMAT_VERSION;
}

struct record_reader *record_reader_open(const char *path, struct base_report *report)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (id < 0) {
        base_report_add(report, path, 0, "cannot be opened as an HDF5 file");
        return NULL;
    }
    struct record_reader *reader = base_alloc(1, sizeof *reader);
    reader->id = id;
    reader->path = base_strdup(path);
    if (format_is_known(reader, report))
        return reader;
    record_reader_close(reader);
    return NULL;
}

void record_reader_close(struct record_reader *reader)
{
    H5Fclose(reader->id);
    base_free(reader->path);
    base_free(reader);
}

/* Reads a scalar text attribute of `object`; NULL where there is none. */
static char *attribute_text(hid_t object, const char *name)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0)
        return NULL;
    hid_t type = H5Aget_type(attribute);
    char *text = NULL, *copy = NULL;
    if (H5Tis_variable_str(type) > 0 && H5Aread(attribute, type, &text) >= 0 && text) {
        copy = base_strdup(text);
        H5free_memory(text);
    }
    H5Tclose(type);
    H5Aclose(attribute);
    return copy;
}

char *record_reader_text(const struct record_reader *reader, const char *group, const char *name)
{
    hid_t object = H5Oopen(reader->id, group, H5P_DEFAULT);
    if (object < 0)
        return NULL;
    char *text = attribute_text(object, name);
    H5Oclose(object);
    return text;
}

bool record_reader_i64(const struct record_reader *reader, const char *group, const char *name,
                       int64_t *value)
{
    hid_t attribute = H5Aopen_by_name(reader->id, group, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0)
        return false;
    bool read = H5Aread(attribute, H5T_NATIVE_INT64, value) >= 0;
    H5Aclose(attribute);
    return read;
}

static hid_t column_open(const struct record_reader *reader, const struct record_schema *schema,
                         const struct record_column *column)
{
    char *path = base_format("%s/%s", schema->group, column->name);
    hid_t dataset = H5Dopen2(reader->id, path, H5P_DEFAULT);
    base_free(path);
    return dataset;
}

static bool attribute_is(hid_t object, const char *name, const char *expected)
{
    char *text = attribute_text(object, name);
    bool same = text && !strcmp(text, expected);
    base_free(text);
    return same;
}

/* Length of a column that is as its schema says, else -1. */
static int64_t column_rows(const struct record_reader *reader, const struct record_schema *schema,
                           const struct record_column *column)
{
    hid_t dataset = column_open(reader, schema, column);
    if (dataset < 0)
        return -1;
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    hid_t expected = record_column_type(column, false);
    bool right = H5Tequal(type, expected) > 0 && H5Sget_simple_extent_ndims(space) == 1 &&
                 attribute_is(dataset, "units", column->units) &&
                 attribute_is(dataset, "description", column->description);
    int64_t rows = right ? (int64_t)H5Sget_simple_extent_npoints(space) : -1;
    H5Tclose(expected);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(dataset);
    return rows;
}

int64_t record_reader_rows(const struct record_reader *reader, const struct record_schema *schema)
{
    int64_t rows = column_rows(reader, schema, &schema->column[0]);
    for (size_t i = 1; i < schema->columns; i++)
        if (column_rows(reader, schema, &schema->column[i]) != rows)
            return -1;
    return rows;
}

/* Puts packed values into a field of each row. */
static void column_unpack(const struct record_schema *schema, const struct record_column *column,
                          const char *packed, int64_t count, char *rows)
{
    for (size_t i = 0; i < (size_t)count; i++)
        memcpy(rows + schema->row_bytes * i + column->offset, packed + column->bytes * i,
               column->bytes);
}

static bool column_read(const struct record_reader *reader, const struct record_schema *schema,
                        const struct record_column *column, int64_t first, int64_t count,
                        void *rows)
{
    hid_t dataset = column_open(reader, schema, column);
    if (dataset < 0)
        return false;
    hsize_t start = (hsize_t)first, length = (hsize_t)count;
    hid_t space = H5Dget_space(dataset), memory = H5Screate_simple(1, &length, NULL);
    hid_t type = record_column_type(column, false);
    void *packed = base_alloc((size_t)count, column->bytes);
    bool read = H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &length, NULL) >= 0 &&
                H5Dread(dataset, type, memory, space, H5P_DEFAULT, packed) >= 0;
    if (read)
        column_unpack(schema, column, packed, count, rows);
    base_free(packed);
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
    return read;
}

bool record_reader_read(const struct record_reader *reader, const struct record_schema *schema,
                        int64_t first, int64_t count, void *rows)
{
    bool read = true;
    for (size_t i = 0; read && count > 0 && i < schema->columns; i++)
        read = column_read(reader, schema, &schema->column[i], first, count, rows);
    return read;
}

static const struct record_column *column_of(const struct record_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->columns; i++)
        if (!strcmp(schema->column[i].name, name))
            return &schema->column[i];
    return NULL;
}

bool record_reader_columns(const struct record_reader *reader, const struct record_schema *schema,
                           const char *const *names, int64_t first, int64_t count, void *rows)
{
    bool read = true;
    for (; read && count > 0 && *names; names++)
        read = column_read(reader, schema, column_of(schema, *names), first, count, rows);
    return read;
}

const char *record_label(const struct record_schema *schema, const char *column, uint8_t code)
{
    const char *const *label = column_of(schema, column)->labels;
    for (uint8_t i = 0; i < code && *label; i++)
        label++;
    return *label ? *label : "?";
}

/* Whether the path exists with all groups above it. */
static bool group_exists(const struct record_reader *reader, const char *group)
{
    hid_t id = H5Oopen(reader->id, group, H5P_DEFAULT);
    if (id >= 0)
        H5Oclose(id);
    return id >= 0;
}

bool record_reader_is_valid(const struct record_reader *reader, struct base_report *report)
{
    size_t before = report->count;
    for (int i = 0; i < RECORD_TABLES; i++) {
        const struct record_schema *schema = record_layout((enum record_table)i);
        if (group_exists(reader, schema->group) && record_reader_rows(reader, schema) < 0)
            base_report_add(report, reader->path, 0, "table %s is not as its schema says",
                            schema->group);
    }
    return report->count == before;
}
