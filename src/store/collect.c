/* SPDX-License-Identifier: BSD-3-Clause */
/* Deletes what no name keeps: names are read, cut and on the disk before the first file goes. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/room.h"

/* A collection under way. */
struct collecting {
    struct store *store;
    struct store_collection *found;
    struct base_report *report;
    struct store_list kept; /* digests, some of them often */
    bool dry;
};

void store_collection_release(struct store_collection *found)
{
    store_list_release(&found->deleted);
    store_list_release(&found->strange);
}

/* Lets one name keep its newest entries alone, and notes what they point at. */
static bool name_cut(struct collecting *c, const char *text, size_t keep)
{
    struct store_name name;
    bool done = store_read_name(c->store, text, &name, c->report);
    if (done && name.entries - name.held > keep) {
        c->found->released += name.entries - name.held - keep;
        name.held = name.entries - keep;
        done = c->dry || store_write_name(c->store, &name, c->report);
    }
    for (size_t i = name.held; done && i < name.entries; i++)
        store_list_add(&c->kept, name.entry[i].to);
    store_name_release(&name);
    return done;
}

static bool names_cut(struct collecting *c, size_t keep)
{
    struct store_list names = {0};
    bool done = store_list_names(c->store, &names, c->report);
    for (size_t i = 0; i < names.count; i++)
        done = name_cut(c, names.text[i], keep) && done;
    store_list_release(&names);
    store_list_sort(&c->kept);
    return done;
}

/* A name that a killed command has moved may not be on the disk yet, while that it moved from is
 * about to go. */
static bool names_settle(const struct collecting *c)
{
    int failed = c->dry ? 0 : store_disk_sync(c->store->names);
    if (failed)
        store_fault(c->report, c->store->names, "cannot be brought to the disk", failed);
    return !failed;
}

static bool file_delete(struct collecting *c, const char *folder, const char *file, int64_t *bytes)
{
    struct stat status;
    char *path = base_format("%s/%s", folder, file);
    bool there = stat(path, &status) == 0;
    if (there && bytes)
        *bytes += (int64_t)status.st_size;
    bool gone = c->dry || unlink(path) == 0;
    if (!gone)
        store_fault(c->report, path, "cannot be deleted", errno);
    base_free(path);
    return gone;
}

static void strange_add(struct collecting *c, const char *folder, const char *file)
{
    char *path = base_format("%s/%s", folder, file);
    store_list_add(&c->found->strange, path);
    base_free(path);
}

static bool is_name_file(const char *file)
{
    char *name = store_name_of_file(file);
    base_free(name);
    return name != NULL;
}

/* Leftovers of a folder go, what is `expected` there stays, anything else is noted. */
static bool leftovers_delete(struct collecting *c, const char *folder,
                             bool (*expected)(const char *file))
{
    struct store_list files = {0};
    int failed = store_disk_list(folder, &files);
    bool done = !failed;
    for (size_t i = 0; i < files.count; i++)
        if (store_disk_is_leftover(files.text[i])) {
            c->found->leftovers++;
            done = file_delete(c, folder, files.text[i], NULL) && done;
        } else if (!expected(files.text[i])) {
            strange_add(c, folder, files.text[i]);
        }
    store_list_release(&files);
    if (failed)
        store_fault(c->report, folder, "cannot be read", failed);
    return done;
}

static bool is_artifact_file(const char *file)
{
    return store_is_digest(file) && strlen(file) == STORE_DIGEST_BYTES - 1;
}

static bool artifacts_delete(struct collecting *c)
{
    struct store_list all = {0};
    bool done = store_list_artifacts(c->store, &all, c->report);
    for (size_t i = 0; i < all.count; i++) {
        if (store_list_has(&c->kept, all.text[i])) {
            c->found->kept++;
        } else if (file_delete(c, c->store->artifacts, all.text[i], &c->found->deleted_bytes)) {
            store_list_add(&c->found->deleted, all.text[i]);
        } else {
            done = false;
        }
    }
    store_list_release(&all);
    return done;
}

bool store_collect(struct store *store, size_t keep, bool dry, struct store_collection *found,
                   struct base_report *report)
{
    struct collecting c = {.store = store, .found = found, .report = report, .dry = dry};
    *found = (struct store_collection){0};
    bool done = names_cut(&c, keep) && names_settle(&c) && artifacts_delete(&c) &&
                leftovers_delete(&c, store->artifacts, is_artifact_file) &&
                leftovers_delete(&c, store->names, is_name_file);
    store_list_release(&c.kept);
    return done;
}
