/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands on little stores. */
#include "little_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "record/seal.h"

enum { PATIENCE_S = 30 };

char *little_store_folder(void)
{
    char *folder = base_strdup("little_store_XXXXXX");
    if (!mkdtemp(folder))
        abort();
    return folder;
}

static void empty(const char *folder)
{
    struct store_list files = {0};
    store_disk_list(folder, &files);
    for (size_t i = 0; i < files.count; i++) {
        char *path = base_format("%s/%s", folder, files.text[i]);
        if (unlink(path) != 0) {
            empty(path);
            rmdir(path);
        }
        base_free(path);
    }
    store_list_release(&files);
}

void little_store_remove(char *folder)
{
    empty(folder);
    rmdir(folder);
    base_free(folder);
}

char *little_artifact(int number, size_t bytes, size_t *count)
{
    *count = RECORD_SEAL_BYTES + bytes;
    char *whole = base_alloc(*count, 1);
    for (size_t i = 0; i < bytes; i++)
        whole[RECORD_SEAL_BYTES + i] = (char)((i * 31 + (size_t)number * 7 + i / 251) & 0xff);
    snprintf(whole + RECORD_SEAL_BYTES, bytes, "artifact %d", number);
    record_seal_write(whole, *count);
    return whole;
}

void little_digest(int number, size_t bytes, char *digest)
{
    size_t count;
    char *whole = little_artifact(number, bytes, &count);
    record_digest(whole + RECORD_SEAL_BYTES, count - RECORD_SEAL_BYTES, digest);
    base_free(whole);
}

struct store_occasion little_occasion(void)
{
    return (struct store_occasion){.time = "2026-11-26T06:40:12Z", .note = ""};
}

/* Closes, and lets go of what a caller did not want to know. */
static bool close_all(struct store *store, struct base_report *own, bool done)
{
    store_close(store);
    base_report_release(own);
    return done;
}

bool little_add(const char *folder, const char *name, int number, size_t bytes,
                struct base_report *report)
{
    struct base_report own = {0};
    struct store_move move;
    struct store_occasion now = little_occasion();
    size_t count;
    char *whole = little_artifact(number, bytes, &count);
    report = report ? report : &own;
    struct store *store = store_open(folder, STORE_CREATE, PATIENCE_S, report);
    bool done = store && store_add(store, "little", whole, count, name, &now, &move, report);
    base_free(whole);
    return close_all(store, &own, done);
}

bool little_promote(const char *folder, const char *from, const char *name,
                    struct base_report *report)
{
    struct base_report own = {0};
    struct store_move move;
    struct store_occasion now = little_occasion();
    report = report ? report : &own;
    struct store *store = store_open(folder, STORE_WRITE, PATIENCE_S, report);
    bool done = store && store_promote(store, from, name, &now, &move, report);
    return close_all(store, &own, done);
}

bool little_rollback(const char *folder, const char *name, struct base_report *report)
{
    struct base_report own = {0};
    struct store_move move;
    struct store_occasion now = little_occasion();
    report = report ? report : &own;
    struct store *store = store_open(folder, STORE_WRITE, PATIENCE_S, report);
    bool done = store && store_rollback(store, name, &now, &move, report);
    return close_all(store, &own, done);
}

bool little_remove(const char *folder, const char *name, struct base_report *report)
{
    struct base_report own = {0};
    struct store_move move;
    report = report ? report : &own;
    struct store *store = store_open(folder, STORE_WRITE, PATIENCE_S, report);
    return close_all(store, &own, store && store_remove(store, name, &move, report));
}

bool little_collect(const char *folder, size_t keep, struct store_collection *found,
                    struct base_report *report)
{
    struct base_report own = {0};
    struct store_collection unseen = {0}, *into = found ? found : &unseen;
    report = report ? report : &own;
    struct store *store = store_open(folder, STORE_WRITE, PATIENCE_S, report);
    bool done = store && store_collect(store, keep, false, into, report);
    store_collection_release(&unseen);
    return close_all(store, &own, done);
}

bool little_verify(const char *folder, struct store_check *found, struct base_report *report)
{
    struct base_report own = {0};
    report = report ? report : &own;
    struct store *store = store_open(folder, STORE_READ, PATIENCE_S, report);
    return close_all(store, &own, store && store_verify(store, NULL, found, report));
}

int little_current(const char *folder, const char *name, int most, size_t bytes)
{
    struct base_report own = {0};
    char digest[STORE_DIGEST_BYTES], other[STORE_DIGEST_BYTES];
    int number = -1;
    struct store *store = store_open(folder, STORE_READ, PATIENCE_S, &own);
    if (store && store_resolve(store, name, digest, &own))
        for (int n = 0; n < most && number < 0; n++) {
            little_digest(n, bytes, other);
            number = strcmp(digest, other) ? -1 : n;
        }
    close_all(store, &own, true);
    return number;
}
