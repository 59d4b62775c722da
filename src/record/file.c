/* SPDX-License-Identifier: BSD-3-Clause */
/* The file as a whole: opened, kept within its reserved space, flushed, closed. */
#include "record/record.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"
#include "record/disk.h"
#include "record/room.h"
#include "record/table.h"

/* Space that is always reserved beyond the file's end, for whatever HDF5 keeps in memory until a
 * flush: indices, attributes, headers. */
static const int64_t slack_bytes = INT64_C(4) << 20;

/* Compressed data takes less than was reserved for it; up to this much is not asked about. */
static const int64_t loose_bytes = INT64_C(256) << 20;

/* What the attributes of a file that is closed on a full disk take at most. */
static const int64_t farewell_bytes = INT64_C(64) << 10;

/* What an empty table takes: headers and attributes of a column. */
static const int64_t column_header_bytes = 4096;

static herr_t innermost_description(unsigned depth, const H5E_error2_t *error, void *text)
{
    (void)depth;
    *(const char **)text = error->desc;
    return 0;
}

hid_t record_must(hid_t id, const struct record_file *file, const char *doing)
{
    if (id >= 0)
        return id;
    const char *reason = "unknown reason";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, innermost_description, &reason);
    parallel_abort(BASE_IO, "%s: %s failed in HDF5: %s", file->path, doing, reason);
}

/* Brings everything to the disk. HDF5 then cuts the file to its length, slack included. */
static void disk_update(struct record_file *file)
{
    record_must(H5Fflush(file->id, H5F_SCOPE_GLOBAL), file, "flushing the file");
    file->has_slack = false;
    file->reserved = 0;
    file->end = parallel_is_first() ? record_disk_length(file->path) : 0;
    file->flushed_end = file->end;
}

/* First rank: sets aside what `bytes` more may need. Returns 0 or an errno. */
static int slack_keep(struct record_file *file, int64_t bytes)
{
    int64_t need = file->end + bytes + slack_bytes;
    if (need > file->reserved) {
        int failed = record_disk_reserve(file->path, need + slack_bytes);
        if (failed)
            return failed;
        file->reserved = need + slack_bytes;
    }
    file->end += bytes;
    return 0;
}

/* Collective. slack_keep, agreed; what HDF5 compressed since the last flush is given back first
 * where it is much, or where the disk would be full. */
static int slack_agree(struct record_file *file, int64_t bytes)
{
    int failed = parallel_is_first() ? slack_keep(file, bytes) : 0;
    bool much = file->end - file->flushed_end > loose_bytes;
    int answer[2] = {failed, much};
    parallel_broadcast(answer, sizeof answer);
    if (!answer[0] && !answer[1])
        return 0;
    disk_update(file);
    failed = parallel_is_first() ? slack_keep(file, bytes) : 0;
    parallel_broadcast(&failed, sizeof failed);
    return failed;
}

/* Collective, on a full disk: whether at least the last attributes will fit. */
static bool farewell_fits(struct record_file *file)
{
    bool fits =
        parallel_is_first() && record_disk_reserve(file->path, file->end + farewell_bytes) == 0;
    parallel_broadcast(&fits, sizeof fits);
    return fits;
}

enum base_status record_reserve(struct record_file *file, int64_t bytes)
{
    if (file->status != BASE_OK)
        return file->status;
    int failed = slack_agree(file, bytes);
    file->has_slack = !failed || farewell_fits(file);
    if (!failed)
        return BASE_OK;
    if (parallel_is_first())
        base_report_add(file->report, file->path, 0, "cannot grow beyond %.1f MiB: %s",
                        (double)file->end / (1 << 20), strerror(failed));
    return file->status = BASE_IO;
}

/* Parallel access; nothing reaches the disk out of order between flushes, so that a killed run
 * leaves the state of its last flush. */
static hid_t access_properties(void)
{
    hid_t properties = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_mpio(properties, MPI_COMM_WORLD, MPI_INFO_NULL);
    H5Pset_libver_bounds(properties, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    H5Pset_all_coll_metadata_ops(properties, true);
    H5Pset_coll_metadata_write(properties, true);
    H5AC_cache_config_t cache = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
    H5Pget_mdc_config(properties, &cache);
    cache.incr_mode = H5C_incr__off;
    cache.flash_incr_mode = H5C_flash_incr__off;
    cache.decr_mode = H5C_decr__off;
    cache.evictions_enabled = false;
    H5Pset_mdc_config(properties, &cache);
    return properties;
}

/* Space once used is never used again: the last flush may still refer to it. */
static hid_t creation_properties(void)
{
    hid_t properties = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_file_space_strategy(properties, H5F_FSPACE_STRATEGY_NONE, false, 1);
    return properties;
}

static void file_create(struct record_file *file)
{
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = access_properties(), creation = creation_properties();
    file->id = record_must(H5Fcreate(file->path, H5F_ACC_TRUNC, creation, access), file,
                           "creating the file");
    H5Pclose(creation);
    H5Pclose(access);
}

struct record_file *record_open(const char *path, struct base_report *report)
{
    if (!record_disk_accepts(path, 2 * slack_bytes, report))
        return NULL;
    struct record_file *file = base_alloc(1, sizeof *file);
    file->path = base_strdup(path);
    file->report = report;
    file_create(file);
    record_set_text(file, "/", "format", "lpusim-mp");
    record_set_i64(file, "/", "format_version", 1);
    record_set_i64(file, "/", "complete", 0);
    if (record_flush(file, "opened") == BASE_OK)
        return file;
    record_close(file, false, NULL);
    return NULL;
}

/* The open table of a schema; NULL and a status where its creation does not fit. */
static struct record_table *table_open(struct record_file *file, const struct record_schema *schema)
{
    for (size_t i = 0; i < file->tables; i++)
        if (file->table[i].schema == schema)
            return &file->table[i];
    if (record_reserve(file, column_header_bytes * (int64_t)(schema->columns + 4)) != BASE_OK)
        return NULL;
    file->table =
        base_grow(file->table, &file->table_capacity, file->tables + 1, sizeof *file->table);
    file->table[file->tables] = record_table_create(file, schema);
    return &file->table[file->tables++];
}

enum base_status record_append(struct record_file *file, const struct record_schema *schema,
                               const void *rows, size_t count)
{
    struct record_table *table = table_open(file, schema);
    int64_t first = parallel_sum_before_i64((int64_t)count), total = (int64_t)count;
    parallel_sum_i64(&total, 1);
    if (!table)
        return file->status;
    return record_table_append(file, table, rows, first, (int64_t)count, total);
}

static void pending_write(struct record_file *file)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < file->tables; i++)
        if (file->table[i].pending > file->table[i].pending_in_file)
            bytes += record_table_bytes(&file->table[i], file->table[i].pending);
    if (record_reserve(file, bytes) != BASE_OK)
        return;
    for (size_t i = 0; i < file->tables; i++)
        record_table_write_pending(file, &file->table[i]);
}

enum base_status record_flush(struct record_file *file, const char *progress)
{
    pending_write(file);
    if (record_set_text(file, "/", "progress", progress) != BASE_OK)
        return file->status;
    disk_update(file);
    file->flushed_s = parallel_wall_seconds();
    return record_reserve(file, 0);
}

enum base_status record_flush_if_due(struct record_file *file, const char *progress, double seconds)
{
    bool due = parallel_wall_seconds() - file->flushed_s >= seconds;
    parallel_broadcast(&due, sizeof due);
    return due ? record_flush(file, progress) : file->status;
}

/* The last attributes of a file that is in order, or those of one that ran out of space. */
static void file_finish(struct record_file *file, bool complete, const char *progress)
{
    pending_write(file);
    if (file->status == BASE_OK && complete)
        record_set_i64(file, "/", "complete", 1);
    char *first = parallel_concatenate(parallel_is_first() && progress ? progress : "");
    if (file->has_slack && first[0])
        record_text_write(file, "/", "progress", first);
    base_free(first);
}

enum base_status record_close(struct record_file *file, bool complete, const char *progress)
{
    file_finish(file, complete, progress);
    for (size_t i = 0; i < file->tables; i++)
        record_table_close(&file->table[i]);
    record_must(H5Fclose(file->id), file, "closing the file");
    enum base_status status = file->status;
    base_free(file->table);
    base_free(file->path);
    base_free(file);
    return status;
}
