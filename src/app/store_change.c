/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of a store that change it, and what they say. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/artifact.h"
#include "app/reference.h"
#include "app/store.h"
#include "app/text.h"
#include "base/memory.h"

static void move_print(const char *name, const struct store_move *move, const char *how)
{
    if (!strcmp(move->from, move->to))
        printf("%s: is at %.12s already, nothing changed\n", name, move->to);
    else if (!move->from[0])
        printf("%s: new, at %.12s%s\n", name, move->to, how);
    else
        printf("%s: %.12s -> %.12s%s\n", name, move->from, move->to, how);
}

/* Whether a file is an artifact that agrees with itself, so that nothing else gets into the store.
 */
static bool is_sound(const char *path, const char *bytes, size_t count, struct base_report *report)
{
    struct app_artifact *artifact = app_artifact_read(path, bytes, count, report);
    app_artifact_close(artifact);
    return artifact != NULL;
}

void app_store_add(const struct app_store *asked, struct store *store, struct base_report *report)
{
    const char *path = asked->word[0], *name = asked->word[1];
    struct store_occasion now = app_reference_now(asked->note);
    struct store_move move;
    size_t count;
    char *bytes = store_disk_read(path, &count);
    if (!bytes)
        base_report_add(report, path, 0, "cannot be read: %s", strerror(errno));
    else if (is_sound(path, bytes, count, report) &&
             store_add(store, path, bytes, count, name, &now, &move, report))
        move_print(name, &move, "");
    base_free(bytes);
}

void app_store_promote(const struct app_store *asked, struct store *store,
                       struct base_report *report)
{
    const char *from = asked->word[0], *name = asked->word[1];
    struct store_occasion now = app_reference_now(asked->note);
    struct store_move move;
    char *how = base_format(", promoted from %s", from);
    if (store_promote(store, from, name, &now, &move, report))
        move_print(name, &move, how);
    base_free(how);
}

void app_store_rollback(const struct app_store *asked, struct store *store,
                        struct base_report *report)
{
    struct store_occasion now = app_reference_now(asked->note);
    struct store_move move;
    if (store_rollback(store, asked->word[0], &now, &move, report))
        move_print(asked->word[0], &move, ", rolled back");
}

void app_store_remove(const struct app_store *asked, struct store *store,
                      struct base_report *report)
{
    struct store_move move;
    if (store_remove(store, asked->word[0], &move, report))
        printf("%s: removed, was at %.12s\n", asked->word[0], move.from);
}

static void print_count(const char *label, size_t count, const char *what)
{
    printf("%-12s%s %s%s\n", label, app_text_count((int64_t)count).text, what,
           count == 1 ? "" : "s");
}

static void print_collection(const struct store_collection *found, bool dry)
{
    const char *verb = dry ? "would go" : "deleted";
    for (size_t i = 0; i < found->deleted.count; i++)
        printf("%-12s%s\n", verb, found->deleted.text[i]);
    print_count("kept", found->kept, "artifact");
    printf("%-12s%zu artifact%s, %s bytes\n", verb, found->deleted.count,
           found->deleted.count == 1 ? "" : "s", app_text_count(found->deleted_bytes).text);
    if (found->leftovers > 0)
        print_count(verb, found->leftovers, "leftover file");
    if (found->released > 0)
        printf("%-12s%zu older entr%s, which no longer keep%s artifacts\n", "histories",
               found->released, found->released == 1 ? "y" : "ies",
               found->released == 1 ? "s" : "");
    for (size_t i = 0; i < found->strange.count; i++)
        printf("%-12s%s, which is none of a store's files\n", "left", found->strange.text[i]);
}

void app_store_collect(const struct app_store *asked, struct store *store,
                       struct base_report *report)
{
    struct store_collection found;
    if (store_collect(store, (size_t)asked->keep, asked->dry, &found, report))
        print_collection(&found, asked->dry);
    store_collection_release(&found);
}
