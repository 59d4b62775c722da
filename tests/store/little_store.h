/* SPDX-License-Identifier: BSD-3-Clause */
/* A store in a folder of its own, with little artifacts told apart by number. */
#ifndef LITTLE_STORE_H
#define LITTLE_STORE_H

#include "store/store.h"

/* Makes a new folder below the working directory, without a store; its path. Free with
 * little_store_remove, which deletes all that is in it. */
char *little_store_folder(void);
void little_store_remove(char *folder);

/* A sealed file of about `bytes` bytes; base_free. Equal numbers give equal bytes. */
char *little_artifact(int number, size_t bytes, size_t *count);

/* Its digest, the same as little_artifact's. */
void little_digest(int number, size_t bytes, char *digest);

/* An occasion without a note. */
struct store_occasion little_occasion(void);

/* Commands on the store, opened and closed by each; false where they are refused, with the reason
 * in *report, which may be NULL. */
bool little_add(const char *folder, const char *name, int number, size_t bytes,
                struct base_report *report);
bool little_promote(const char *folder, const char *from, const char *name,
                    struct base_report *report);
bool little_rollback(const char *folder, const char *name, struct base_report *report);
bool little_remove(const char *folder, const char *name, struct base_report *report);
bool little_collect(const char *folder, size_t keep, struct store_collection *found,
                    struct base_report *report);
bool little_verify(const char *folder, struct store_check *found, struct base_report *report);

/* The number, below `most`, of the artifact that a name points at; -1: the name is none. */
int little_current(const char *folder, const char *name, int most, size_t bytes);

#endif
