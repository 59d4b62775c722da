/* SPDX-License-Identifier: BSD-3-Clause */
/* A name and where it has pointed: the text of its file, and what makes it well formed. */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum {
    STORE_DIGEST_BYTES = 65, /* SHA-256 in hexadecimal, and a 0 */
    STORE_PREFIX_DIGITS = 8, /* of a digest that stands for the whole */
    STORE_TIME_BYTES = 21,   /* "2026-11-26T06:40:12Z", and a 0 */
    STORE_NAME_MOST = 200,   /* bytes of a name */
    STORE_NOTE_MOST = 400,   /* bytes of a note */
};

enum store_action { STORE_ADD, STORE_PROMOTE, STORE_ROLLBACK, STORE_ACTIONS };

const char *store_action_text(enum store_action action);

/* A step of a name, from one artifact to another. */
struct store_entry {
    char time[STORE_TIME_BYTES]; /* UTC */
    enum store_action action;
    char from[STORE_DIGEST_BYTES]; /* "": the first of the name */
    char to[STORE_DIGEST_BYTES];
    char *source; /* PROMOTE: the name or digest that was promoted; else "-". Owned */
    char *note;   /* may be empty; owned */
};

/* At least one entry, the oldest first, each from where the one before led to. */
struct store_name {
    char *name;
    struct store_entry *entry;
    size_t entries, capacity;
    size_t held; /* entries from this one on keep their artifacts in the store; < entries */
};

/* What a command adds to an entry. */
struct store_occasion {
    char time[STORE_TIME_BYTES];
    const char *note;
};

/* "llama-70b/s4096/stable": parts of letters, digits, '.', '_' and '-', each beginning with a
 * letter or digit, and not a digest. False and a fault that says what is wrong. */
bool store_name_is_right(const char *name, struct base_report *report);
bool store_note_is_right(const char *note, struct base_report *report);

/* Whether a text is the beginning of a digest, or all of it. */
bool store_is_digest(const char *text);

/* A name's file in the folder of names, base_free; and back, NULL where it is the file of none. */
char *store_name_file(const char *name);
char *store_name_of_file(const char *file);

/* The text of the file; base_free. */
char *store_name_print(const struct store_name *name, size_t *bytes);

/* The other way round; `path` is for messages. False and a fault where a bit differs from what was
 * printed, or the history is not well formed. Release the name whatever the result. */
bool store_name_parse(const char *path, const char *name, const char *bytes, size_t count,
                      struct store_name *into, struct base_report *report);
void store_name_release(struct store_name *name);

/* The entry that says where the name points now. */
const struct store_entry *store_name_current(const struct store_name *name);

/* Where a rollback leads: the entry before the current one, those left out that were rolled back.
 * NULL: there is none. */
const struct store_entry *store_name_previous(const struct store_name *name);

/* Adds an entry from where the name points; texts are copied. */
void store_name_append(struct store_name *name, enum store_action action, const char *to,
                       const char *source, const struct store_occasion *occasion);

#endif
