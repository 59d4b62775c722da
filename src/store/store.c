/* SPDX-License-Identifier: BSD-3-Clause */
/* Artifacts and names of an open store: found, read, and changed one name at a time. */
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "record/seal.h"
#include "store/room.h"

bool store_list_names(const struct store *store, struct store_list *names,
                      struct base_report *report)
{
    struct store_list files = {0};
    int failed = store_disk_list(store->names, &files);
    for (size_t i = 0; i < files.count; i++) {
        char *name = store_name_of_file(files.text[i]);
        if (name)
            store_list_add(names, name);
        base_free(name);
    }
    store_list_release(&files);
    store_list_sort(names);
    if (failed)
        store_fault(report, store->names, "cannot be read", failed);
    return !failed;
}

bool store_list_artifacts(const struct store *store, struct store_list *digests,
                          struct base_report *report)
{
    struct store_list files = {0};
    int failed = store_disk_list(store->artifacts, &files);
    for (size_t i = 0; i < files.count; i++)
        if (store_is_digest(files.text[i]) && strlen(files.text[i]) == STORE_DIGEST_BYTES - 1)
            store_list_add(digests, files.text[i]);
    store_list_release(&files);
    if (failed)
        store_fault(report, store->artifacts, "cannot be read", failed);
    return !failed;
}

/* 0, or an errno with *path to say where; ENOENT: the name is unknown. */
static int name_bytes(const struct store *store, const char *name, char **path, char **bytes,
                      size_t *count)
{
    char *file = store_name_file(name);
    *path = base_format("%s/%s", store->names, file);
    *bytes = store_disk_read(*path, count);
    int failed = *bytes ? 0 : errno;
    base_free(file);
    return failed;
}

/* Reads a name if it is there; false and a fault where it is not readable. An unknown name has no
 * entries. */
static bool name_find(const struct store *store, const char *name, struct store_name *into,
                      struct base_report *report)
{
    char *path, *bytes;
    size_t count;
    *into = (struct store_name){0};
    int failed = name_bytes(store, name, &path, &bytes, &count);
    bool found = !failed && store_name_parse(path, name, bytes, count, into, report);
    if (failed == ENOENT)
        into->name = base_strdup(name);
    else if (failed)
        store_fault(report, path, "cannot be read", failed);
    base_free(path);
    base_free(bytes);
    return found || failed == ENOENT;
}

bool store_read_name(const struct store *store, const char *name, struct store_name *into,
                     struct base_report *report)
{
    if (!name_find(store, name, into, report))
        return false;
    if (into->entries == 0)
        base_report_add(report, store->folder, 0, "has no name %s; lpusim-mp store list lists all",
                        name);
    return into->entries > 0;
}

/* The only artifact that begins with `prefix`. */
static bool digest_find(const struct store *store, const char *prefix, char *digest,
                        struct base_report *report)
{
    struct store_list all = {0};
    size_t found = 0;
    bool listed = store_list_artifacts(store, &all, report);
    for (size_t i = 0; i < all.count; i++)
        if (!strncmp(all.text[i], prefix, strlen(prefix)) && found++ == 0)
            memcpy(digest, all.text[i], STORE_DIGEST_BYTES);
    store_list_release(&all);
    if (listed && found != 1)
        base_report_add(
            report, store->folder, 0,
            found ? "has several artifacts %s...; give more digits" : "has no artifact %s", prefix);
    return listed && found == 1;
}

bool store_resolve(const struct store *store, const char *reference, char *digest,
                   struct base_report *report)
{
    if (store_is_digest(reference))
        return digest_find(store, reference, digest, report);
    struct store_name name;
    bool known = store_read_name(store, reference, &name, report);
    if (known)
        memcpy(digest, store_name_current(&name)->to, STORE_DIGEST_BYTES);
    store_name_release(&name);
    return known;
}

/* Whether the seal of an artifact holds, and is that of its name. */
static bool artifact_is_whole(const char *path, const char *digest, const char *bytes, size_t count,
                              struct base_report *report)
{
    char found[RECORD_DIGEST_BYTES];
    if (!record_seal_holds(path, bytes, count, found, report))
        return false;
    if (strcmp(found, digest))
        base_report_add(report, path, 0, "is another artifact, sha256 %s", found);
    return !strcmp(found, digest);
}

char *store_read_artifact(const struct store *store, const char *digest, size_t *count,
                          struct base_report *report)
{
    char *path = base_format("%s/%s", store->artifacts, digest);
    char *bytes = store_disk_read(path, count);
    bool whole = bytes && artifact_is_whole(path, digest, bytes, *count, report);
    if (!bytes && errno == ENOENT)
        base_report_add(report, path, 0, "is missing");
    else if (!bytes)
        store_fault(report, path, "cannot be read", errno);
    base_free(path);
    if (whole)
        return bytes;
    base_free(bytes);
    return NULL;
}

/* Whether an artifact is there whole, and now on the disk, too: what left it there may have been
 * killed before it was. */
static bool artifact_settle(const struct store *store, const char *digest,
                            struct base_report *report)
{
    size_t count;
    char *bytes = store_read_artifact(store, digest, &count, report);
    int failed = bytes ? store_disk_settle(store->artifacts, digest) : 0;
    bool whole = bytes && !failed;
    if (failed)
        store_fault(report, store->artifacts, "cannot be brought to the disk", failed);
    base_free(bytes);
    return whole;
}

/* Puts bytes under their digest and on the disk; what is damaged there is replaced. */
static bool artifact_keep(const struct store *store, const char *digest, const void *bytes,
                          size_t count, struct base_report *report)
{
    struct base_report damage = {0};
    bool there = artifact_settle(store, digest, &damage);
    base_report_release(&damage);
    int failed = there ? 0 : store_disk_write(store->artifacts, digest, bytes, count);
    if (failed)
        store_fault(report, store->artifacts, "the artifact cannot be written", failed);
    return !failed;
}

bool store_write_name(struct store *store, const struct store_name *name,
                      struct base_report *report)
{
    size_t count;
    char *file = store_name_file(name->name), *bytes = store_name_print(name, &count);
    int failed = store_disk_write(store->names, file, bytes, count);
    if (failed)
        base_report_add(report, store->folder, 0, "name %s cannot be written: %s", name->name,
                        strerror(failed));
    base_free(file);
    base_free(bytes);
    return !failed;
}

/* Sees to it that a name that is where it should be is so on the disk, too: what moved it may have
 * been killed before it was. */
static bool name_settle(const struct store *store, const char *name, struct base_report *report)
{
    char *file = store_name_file(name);
    int failed = store_disk_settle(store->names, file);
    if (failed)
        store_fault(report, store->names, "cannot be brought to the disk", failed);
    base_free(file);
    return !failed;
}

/* Points a name that was read, or is new, at an artifact that is on the disk. */
static bool name_move(struct store *store, struct store_name *name, enum store_action action,
                      const char *to, const char *source, const struct store_occasion *occasion,
                      struct store_move *move, struct base_report *report)
{
    *move = (struct store_move){0};
    if (name->entries > 0)
        memcpy(move->from, store_name_current(name)->to, sizeof move->from);
    memcpy(move->to, to, sizeof move->to);
    if (!strcmp(move->from, move->to))
        return name_settle(store, name->name, report);
    store_name_append(name, action, to, source, occasion);
    return store_write_name(store, name, report);
}

bool store_add(struct store *store, const char *path, const void *bytes, size_t count,
               const char *name, const struct store_occasion *occasion, struct store_move *move,
               struct base_report *report)
{
    char digest[STORE_DIGEST_BYTES];
    struct store_name known = {0};
    bool added = record_seal_holds(path, bytes, count, digest, report) &&
                 name_find(store, name, &known, report) &&
                 artifact_keep(store, digest, bytes, count, report) &&
                 name_move(store, &known, STORE_ADD, digest, NULL, occasion, move, report);
    store_name_release(&known);
    return added;
}

bool store_promote(struct store *store, const char *reference, const char *name,
                   const struct store_occasion *occasion, struct store_move *move,
                   struct base_report *report)
{
    char digest[STORE_DIGEST_BYTES];
    struct store_name known = {0};
    bool promoted =
        store_resolve(store, reference, digest, report) && artifact_settle(store, digest, report) &&
        name_find(store, name, &known, report) &&
        name_move(store, &known, STORE_PROMOTE, digest, reference, occasion, move, report);
    store_name_release(&known);
    return promoted;
}

bool store_rollback(struct store *store, const char *name, const struct store_occasion *occasion,
                    struct store_move *move, struct base_report *report)
{
    struct store_name known;
    bool done = store_read_name(store, name, &known, report);
    const struct store_entry *previous = done ? store_name_previous(&known) : NULL;
    if (done && !previous)
        base_report_add(report, store->folder, 0,
                        "name %s was at no other artifact before, or is rolled back to its first",
                        name);
    done = previous && artifact_settle(store, previous->to, report);
    if (previous && !done)
        base_report_add(
            report, store->folder, 0,
            "name %s cannot be rolled back to %.12s, which is not there whole; gc keeps "
            "artifacts of the newest entries alone",
            name, previous->to);
    if (done) {
        char to[STORE_DIGEST_BYTES];
        memcpy(to, previous->to, sizeof to);
        done = name_move(store, &known, STORE_ROLLBACK, to, NULL, occasion, move, report);
    }
    store_name_release(&known);
    return done;
}

bool store_remove(struct store *store, const char *name, struct store_move *move,
                  struct base_report *report)
{
    struct store_name known;
    *move = (struct store_move){0};
    bool done = store_read_name(store, name, &known, report);
    if (done) {
        char *file = store_name_file(name), *path = base_format("%s/%s", store->names, file);
        memcpy(move->from, store_name_current(&known)->to, sizeof move->from);
        int failed = unlink(path) == 0 ? store_disk_sync(store->names) : errno;
        if (failed)
            store_fault(report, path, "cannot be removed", failed);
        done = !failed;
        base_free(file);
        base_free(path);
    }
    store_name_release(&known);
    return done;
}
