/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an artifact is: a file, or with "store:" before it, a name or digest of a store. */
#ifndef APP_REFERENCE_H
#define APP_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/command.h"
#include "store/name.h"

/* What stands behind "store:"; NULL: `text` is a file. */
const char *app_reference_of(const char *text);

/* Adds what is wrong with artifacts of a command that are of a store: how they are written, and
 * where that is. */
void app_reference_check(const struct app_command *command, struct base_report *report);

/* The folder that was given, else that of the environment; NULL: neither is there. */
const char *app_reference_store(const char *given);

/* Now, in UTC, with a note that may be NULL. */
struct store_occasion app_reference_now(const char *note);

/* Collective. The bytes of an artifact of the command, on every rank; base_free. NULL, and a fault
 * on the first rank, where it is not readable. */
char *app_reference_read(const struct app_command *command, const char *text, size_t *count,
                         struct base_report *report);

/* First rank. Puts a whole artifact where the command wants it. */
bool app_reference_write(const struct app_command *command, const void *bytes, size_t count,
                         struct base_report *report);

#endif
