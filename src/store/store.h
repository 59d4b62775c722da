/* SPDX-License-Identifier: BSD-3-Clause */
/* A folder that keeps artifacts by digest, and names that point at them, with history.
 *
 * Whoever has a store open holds its lock: many that read, or one that writes. Every file is
 * replaced whole (store/disk.h), an artifact is on the disk before a name points at it, and names
 * are on the disk before an artifact is deleted that none of them keeps: so a name points at a
 * whole artifact at any moment, whatever process or machine stops there. Nothing here is
 * collective. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdint.h>

#include "store/disk.h"
#include "store/name.h"

enum store_purpose {
    STORE_READ,
    STORE_WRITE,
    STORE_CREATE, /* WRITE, and a new store where there is nothing */
};

struct store;

/* Waits for the lock at most `patience_s` seconds. NULL and a fault where that is too short, or
 * FOLDER is no store. */
struct store *store_open(const char *folder, enum store_purpose purpose, int32_t patience_s,
                         struct base_report *report);
void store_close(struct store *store); /* may be NULL */

/* All names that have a file, sorted; what is in the way of that goes to the report. */
bool store_list_names(const struct store *store, struct store_list *names,
                      struct base_report *report);

/* All artifacts that have a file, by digest. */
bool store_list_artifacts(const struct store *store, struct store_list *digests,
                          struct base_report *report);

/* False and a fault where the name is unknown, or its file torn or altered. Release the name
 * whatever the result. */
bool store_read_name(const struct store *store, const char *name, struct store_name *into,
                     struct base_report *report);

/* A name, or a digest of which at least STORE_PREFIX_DIGITS are given, into a whole digest. */
bool store_resolve(const struct store *store, const char *reference, char *digest,
                   struct base_report *report);

/* The bytes of an artifact, judged by its seal and its name; base_free. NULL and a fault where it
 * is missing, torn or altered. */
char *store_read_artifact(const struct store *store, const char *digest, size_t *count,
                          struct base_report *report);

/* Where a command found a name, and where it left it; equal where there was nothing to do. */
struct store_move {
    char from[STORE_DIGEST_BYTES]; /* "": the name is new */
    char to[STORE_DIGEST_BYTES];
};

/* These change a name. False and a fault where they do not; what was there stays. The name's file
 * and all that it needs is on the disk when they return. */

/* Keeps an artifact, the bytes of a whole file that `path` in messages stands for. */
bool store_add(struct store *store, const char *path, const void *bytes, size_t count,
               const char *name, const struct store_occasion *occasion, struct store_move *move,
               struct base_report *report);

/* Points `name` at what `reference` is, if that is whole. */
bool store_promote(struct store *store, const char *reference, const char *name,
                   const struct store_occasion *occasion, struct store_move *move,
                   struct base_report *report);

bool store_rollback(struct store *store, const char *name, const struct store_occasion *occasion,
                    struct store_move *move, struct base_report *report);

/* Removes a name with its history. Its artifacts stay until they are collected. */
bool store_remove(struct store *store, const char *name, struct store_move *move,
                  struct base_report *report);

/* What a collection found, and unless dry, did. */
struct store_collection {
    struct store_list deleted; /* digests */
    int64_t deleted_bytes;
    size_t kept;               /* artifacts that some name keeps */
    size_t leftovers;          /* of commands that were killed */
    size_t released;           /* entries that no longer keep their artifacts */
    struct store_list strange; /* files that are none of a store's; they stay */
};

/* Lets every name keep the artifacts of its `keep` newest entries, at least 1, and deletes those
 * that no name keeps. False and the faults, and nothing deleted, where any name cannot be read. */
bool store_collect(struct store *store, size_t keep, bool dry, struct store_collection *found,
                   struct base_report *report);
void store_collection_release(struct store_collection *found);

struct store_check {
    size_t names, entries;
    size_t artifacts; /* that names keep, each once */
    int64_t bytes;
    size_t idle;      /* artifacts that no name keeps; 0 where `only` was given */
    size_t leftovers; /* the same of files of commands that were killed */
};

/* Reads everything: names with their histories, artifacts with their digests; `only`: of that name,
 * or NULL. Adds every fault; false where there is one. */
bool store_verify(const struct store *store, const char *only, struct store_check *found,
                  struct base_report *report);

#endif
