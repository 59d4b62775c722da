/* SPDX-License-Identifier: BSD-3-Clause */
/* Artifacts of files and stores behind one door. */
#include "app/reference.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "record/artifact.h"
#include "store/store.h"

enum { PATIENCE_S = 10 };

static const char scheme[] = "store:";

const char *app_reference_of(const char *text)
{
    size_t length = strlen(scheme);
    return strncmp(text, scheme, length) == 0 ? text + length : NULL;
}

/* Whether a text is of a store, written as it should be or not. */
static bool text_check(const char *text, bool may_be_digest, struct base_report *report)
{
    const char *reference = text ? app_reference_of(text) : NULL;
    if (reference && !(may_be_digest && store_is_digest(reference)))
        store_name_is_right(reference, report);
    return reference != NULL;
}

void app_reference_check(const struct app_command *command, struct base_report *report)
{
    bool compile = command->kind == APP_COMMAND_COMPILE;
    bool rollout = command->word == APP_COMMAND_ROLLOUT;
    const char *first = rollout ? command->stable : command->file;
    bool stored = text_check(compile ? command->artifact : first, !compile, report);
    stored = text_check(rollout ? command->canary : command->other, true, report) || stored;
    if (stored && !app_reference_store(command->store))
        base_report_add(report, NULL, 0,
                        "store:NAME is of which store? Give --store DIR or set LPUSIM_STORE");
    if (command->store && !stored)
        base_report_add(report, NULL, 0,
                        "--store %s: no artifact of it is wanted; write store:NAME",
                        command->store);
    if (command->note && !stored)
        base_report_add(report, NULL, 0, "--note: goes into the history of -o store:NAME alone");
    if (command->note)
        store_note_is_right(command->note, report);
}

const char *app_reference_store(const char *given)
{
    const char *folder = given ? given : getenv("LPUSIM_STORE");
    return folder && *folder ? folder : NULL;
}

struct store_occasion app_reference_now(const char *note)
{
    struct store_occasion occasion = {.note = note};
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(occasion.time, sizeof occasion.time, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return occasion;
}

static struct store *store_of(const struct app_command *command, enum store_purpose purpose,
                              struct base_report *report)
{
    return store_open(app_reference_store(command->store), purpose, PATIENCE_S, report);
}

/* The store is locked until the bytes are read, so that nobody collects them before. */
static char *stored_read(const struct app_command *command, const char *reference, size_t *count,
                         struct base_report *report)
{
    char digest[STORE_DIGEST_BYTES], *bytes = NULL;
    struct store *store = store_of(command, STORE_READ, report);
    if (store && store_resolve(store, reference, digest, report))
        bytes = store_read_artifact(store, digest, count, report);
    store_close(store);
    return bytes;
}

char *app_reference_read(const struct app_command *command, const char *text, size_t *count,
                         struct base_report *report)
{
    const char *reference = app_reference_of(text);
    if (!reference)
        return parallel_read_file(text, count, report);
    char *bytes = parallel_is_first() ? stored_read(command, reference, count, report) : NULL;
    return parallel_share(bytes, count);
}

bool app_reference_write(const struct app_command *command, const void *bytes, size_t count,
                         struct base_report *report)
{
    const char *path = command->artifact, *name = app_reference_of(path);
    if (!name)
        return record_artifact_save(path, bytes, count, report);
    struct store_occasion now = app_reference_now(command->note);
    struct store_move move;
    struct store *store = store_of(command, STORE_CREATE, report);
    bool added = store && store_add(store, path, bytes, count, name, &now, &move, report);
    store_close(store);
    return added;
}
