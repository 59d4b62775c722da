/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables into an HDF5 file in memory, sealed; and out of one that is. */
#include "record/artifact.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "parallel/parallel.h"
#include "record/seal.h"
#include "record/type.h"

/* Rows of a chunk; half the branches of an index of chunks, most of which have one; and how far
 * deflate can shrink bytes at most, which bounds what a table of a file may claim to hold. */
enum { CHUNK_ROWS = 65536, CHUNK_FANOUT = 2, MOST_SHRINKAGE = 1032 };

struct record_artifact_writer {
    hid_t file;
};

struct record_artifact {
    hid_t file;
    char *path;
    size_t bytes;
    char digest[RECORD_DIGEST_BYTES];
};

/* In memory HDF5 fails only where memory ends. */
static hid_t must(hid_t id)
{
    if (id < 0)
        parallel_abort(BASE_FAILURE, "an artifact in memory: HDF5 failed");
    return id;
}

static hid_t memory_access(void)
{
    hid_t access = must(H5Pcreate(H5P_FILE_ACCESS));
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Pset_fapl_core(access, (size_t)1 << 20, false);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    return access;
}

/* HDF5 tells files in memory apart by their names; base_free. */
static char *new_name(void)
{
    static unsigned long files;
    return base_format("artifact %lu", files++);
}

struct record_artifact_writer *record_artifact_create(void)
{
    char *name = new_name();
    struct record_artifact_writer *writer = base_alloc(1, sizeof *writer);
    hid_t access = memory_access(), creation = must(H5Pcreate(H5P_FILE_CREATE));
    H5Pset_obj_track_times(creation, false);
    H5Pset_istore_k(creation, CHUNK_FANOUT);
    writer->file = must(H5Fcreate(name, H5F_ACC_TRUNC, creation, access));
    base_free(name);
    H5Pclose(creation);
    H5Pclose(access);
    return writer;
}

/* What every object is created with: without times. */
static hid_t untimed(hid_t class)
{
    hid_t properties = must(H5Pcreate(class));
    H5Pset_obj_track_times(properties, false);
    return properties;
}

static void text_attribute(hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t attribute = must(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    must(H5Awrite(attribute, type, text));
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
}

static hid_t column_properties(size_t rows)
{
    hsize_t chunk = rows < CHUNK_ROWS ? rows : CHUNK_ROWS;
    hid_t properties = untimed(H5P_DATASET_CREATE);
    if (rows == 0)
        return properties;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 6);
    return properties;
}

static char *column_pack(const struct record_schema *schema, const struct record_column *column,
                         const char *rows, size_t count)
{
    char *packed = base_alloc(count, column->bytes);
    for (size_t i = 0; i < count; i++)
        memcpy(packed + column->bytes * i, rows + schema->row_bytes * i + column->offset,
               column->bytes);
    return packed;
}

static void column_add(hid_t group, const struct record_schema *schema,
                       const struct record_column *column, const void *rows, size_t count)
{
    hsize_t extent = count;
    hid_t space = must(H5Screate_simple(1, &extent, NULL)), properties = column_properties(count);
    hid_t type = record_column_type(column, true), memory = record_column_type(column, false);
    hid_t dataset =
        must(H5Dcreate2(group, column->name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
    char *packed = column_pack(schema, column, rows, count);
    if (count > 0)
        must(H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed));
    text_attribute(dataset, "units", column->units);
    text_attribute(dataset, "description", column->description);
    base_free(packed);
    H5Dclose(dataset);
    H5Tclose(memory);
    H5Tclose(type);
    H5Pclose(properties);
    H5Sclose(space);
}

void record_artifact_add(struct record_artifact_writer *writer, const struct record_schema *schema,
                         const void *rows, size_t count)
{
    hid_t links = must(H5Pcreate(H5P_LINK_CREATE)), properties = untimed(H5P_GROUP_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t group = must(H5Gcreate2(writer->file, schema->group, links, properties, H5P_DEFAULT));
    text_attribute(group, "description", schema->description);
    for (size_t i = 0; i < schema->columns; i++)
        column_add(group, schema, &schema->column[i], rows, count);
    H5Gclose(group);
    H5Pclose(properties);
    H5Pclose(links);
}

void record_artifact_add_text(struct record_artifact_writer *writer, const char *name,
                              const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    hid_t properties = untimed(H5P_DATASET_CREATE);
    H5Tset_size(type, strlen(text) + 1);
    hid_t dataset =
        must(H5Dcreate2(writer->file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
    must(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text));
    H5Dclose(dataset);
    H5Pclose(properties);
    H5Sclose(space);
    H5Tclose(type);
}

char *record_artifact_seal(struct record_artifact_writer *writer, size_t *bytes)
{
    must(H5Fflush(writer->file, H5F_SCOPE_GLOBAL));
    ssize_t image = H5Fget_file_image(writer->file, NULL, 0);
    must(image > 0 ? 0 : -1);
    *bytes = RECORD_SEAL_BYTES + (size_t)image;
    char *whole = base_alloc(*bytes, 1);
    must(H5Fget_file_image(writer->file, whole + RECORD_SEAL_BYTES, (size_t)image) == image ? 0
                                                                                            : -1);
    record_seal_write(whole, *bytes);
    H5Fclose(writer->file);
    base_free(writer);
    return whole;
}

/* Whether there is nothing at PATH, or an artifact. */
static bool may_be_replaced(const char *path, struct base_report *report)
{
    char head[RECORD_SEAL_BYTES];
    struct stat file;
    if (stat(path, &file) != 0)
        return true;
    FILE *stream = S_ISREG(file.st_mode) ? fopen(path, "rb") : NULL;
    size_t read = stream ? fread(head, 1, sizeof head, stream) : 0;
    bool mine = stream && (read == 0 || record_seal_begins(head, read));
    if (stream)
        fclose(stream);
    if (!mine)
        base_report_add(report, path, 0,
                        "exists and is not an artifact; remove it or name another output");
    return mine;
}

/* Writes a new file; 0 or an errno. */
static int write_new(const char *path, const void *bytes, size_t count)
{
    FILE *stream = fopen(path, "wb");
    if (!stream)
        return errno;
    errno = 0;
    bool written = fwrite(bytes, 1, count, stream) == count;
    written = fflush(stream) == 0 && written;
    int failed = written ? 0 : errno ? errno : EIO;
    if (fclose(stream) != 0 && !failed)
        failed = errno;
    if (failed)
        unlink(path);
    return failed;
}

bool record_artifact_save(const char *path, const void *bytes, size_t count,
                          struct base_report *report)
{
    if (!may_be_replaced(path, report))
        return false;
    char *part = base_format("%s.part", path);
    int failed = write_new(part, bytes, count);
    if (!failed && rename(part, path) != 0)
        failed = errno;
    if (failed)
        base_report_add(report, path, 0, "cannot be written: %s%s", strerror(failed),
                        failed == ENOENT ? "; the folder must exist" : "");
    base_free(part);
    return !failed;
}

static hid_t image_open(const char *bytes, size_t count)
{
    hid_t access = memory_access();
    char *name = new_name();
    H5Pset_file_image(access, (void *)(uintptr_t)bytes, count);
    hid_t file = H5Fopen(name, H5F_ACC_RDONLY, access);
    base_free(name);
    H5Pclose(access);
    return file;
}

struct record_artifact *record_artifact_open(const char *path, const void *bytes, size_t count,
                                             struct base_report *report)
{
    char digest[RECORD_DIGEST_BYTES] = "";
    if (!record_seal_holds(path, bytes, count, digest, report))
        return NULL;
    hid_t file = image_open((const char *)bytes + RECORD_SEAL_BYTES, count - RECORD_SEAL_BYTES);
    if (file < 0) {
        base_report_add(report, path, 0, "sealed, but not an HDF5 file behind its header");
        return NULL;
    }
    struct record_artifact *artifact = base_alloc(1, sizeof *artifact);
    *artifact = (struct record_artifact){.file = file, .path = base_strdup(path), .bytes = count};
    memcpy(artifact->digest, digest, sizeof digest);
    return artifact;
}

void record_artifact_close(struct record_artifact *artifact)
{
    if (!artifact)
        return;
    H5Fclose(artifact->file);
    base_free(artifact->path);
    base_free(artifact);
}

const char *record_artifact_digest(const struct record_artifact *artifact)
{
    return artifact->digest;
}

const char *record_artifact_path(const struct record_artifact *artifact)
{
    return artifact->path;
}

static hid_t column_open(const struct record_artifact *artifact, const struct record_schema *schema,
                         const struct record_column *column)
{
    char *path = base_format("%s/%s", schema->group, column->name);
    hid_t dataset = H5Dopen2(artifact->file, path, H5P_DEFAULT);
    base_free(path);
    return dataset;
}

/* Rows of a column of the right type, as far as the file can hold so many; -1: it is none. */
static int64_t column_rows(const struct record_artifact *artifact, hid_t dataset,
                           const struct record_column *column)
{
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    hid_t expected = record_column_type(column, true);
    bool right = H5Tequal(type, expected) > 0 && H5Sget_simple_extent_ndims(space) == 1;
    hssize_t rows = right ? H5Sget_simple_extent_npoints(space) : -1;
    if (rows > 0 && (uint64_t)rows > artifact->bytes * MOST_SHRINKAGE / column->bytes)
        rows = -1;
    H5Tclose(expected);
    H5Tclose(type);
    H5Sclose(space);
    return rows;
}

static bool column_read(hid_t dataset, const struct record_schema *schema,
                        const struct record_column *column, size_t count, char *rows)
{
    hid_t type = record_column_type(column, false);
    char *packed = base_alloc(count, column->bytes);
    bool read = count == 0 || H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed) >= 0;
    for (size_t i = 0; read && i < count; i++)
        memcpy(rows + schema->row_bytes * i + column->offset, packed + column->bytes * i,
               column->bytes);
    base_free(packed);
    H5Tclose(type);
    return read;
}

/* Rows of the first column, -1 where there is none. */
static int64_t table_rows(const struct record_artifact *artifact,
                          const struct record_schema *schema)
{
    hid_t dataset = column_open(artifact, schema, &schema->column[0]);
    int64_t rows = dataset < 0 ? -1 : column_rows(artifact, dataset, &schema->column[0]);
    if (dataset >= 0)
        H5Dclose(dataset);
    return rows;
}

void *record_artifact_rows(const struct record_artifact *artifact,
                           const struct record_schema *schema, size_t *count,
                           struct base_report *report)
{
    int64_t rows = table_rows(artifact, schema);
    *count = rows > 0 ? (size_t)rows : 0;
    char *row = base_alloc(*count, schema->row_bytes);
    bool read = rows >= 0;
    for (size_t i = 0; read && i < schema->columns; i++) {
        hid_t dataset = column_open(artifact, schema, &schema->column[i]);
        read = dataset >= 0 && column_rows(artifact, dataset, &schema->column[i]) == rows &&
               column_read(dataset, schema, &schema->column[i], *count, row);
        if (dataset >= 0)
            H5Dclose(dataset);
    }
    if (read)
        return row;
    base_report_add(report, artifact->path, 0, "table %s is not there, or not as it should be",
                    schema->group);
    base_free(row);
    return NULL;
}

/* Bytes of a text, its closing 0 included; 0: the dataset is none. */
static size_t text_bytes(const struct record_artifact *artifact, hid_t dataset)
{
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    bool fits = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                H5Sget_simple_extent_npoints(space) == 1;
    size_t bytes = fits ? H5Tget_size(type) : 0;
    H5Tclose(type);
    H5Sclose(space);
    return bytes <= artifact->bytes ? bytes : 0;
}

static char *text_read(const struct record_artifact *artifact, hid_t dataset)
{
    size_t bytes = text_bytes(artifact, dataset);
    char *text = base_alloc(bytes + 1, 1);
    hid_t type = H5Dget_type(dataset);
    bool read = bytes > 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
    H5Tclose(type);
    if (read)
        return text;
    base_free(text);
    return NULL;
}

char *record_artifact_text(const struct record_artifact *artifact, const char *name,
                           struct base_report *report)
{
    hid_t dataset = H5Dopen2(artifact->file, name, H5P_DEFAULT);
    char *text = dataset >= 0 ? text_read(artifact, dataset) : NULL;
    if (dataset >= 0)
        H5Dclose(dataset);
    if (!text)
        base_report_add(report, artifact->path, 0, "text %s is not there", name);
    return text;
}
