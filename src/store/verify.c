/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a whole store and says what is wrong with it. */
#include <string.h>

#include "base/memory.h"
#include "store/room.h"

/* Reads one name, and adds what its entries keep, each digest once. */
static void name_check(const struct store *store, const char *text, struct store_list *kept,
                       struct store_check *found, struct base_report *report)
{
    struct store_name name;
    if (store_read_name(store, text, &name, report)) {
        found->names++;
        found->entries += name.entries;
        for (size_t i = name.held; i < name.entries; i++)
            store_list_add(kept, name.entry[i].to);
    }
    store_name_release(&name);
}

static void names_check(const struct store *store, const char *only, struct store_list *kept,
                        struct store_check *found, struct base_report *report)
{
    struct store_list names = {0};
    if (only)
        store_list_add(&names, only);
    else
        store_list_names(store, &names, report);
    for (size_t i = 0; i < names.count; i++)
        name_check(store, names.text[i], kept, found, report);
    store_list_release(&names);
    store_list_sort(kept);
}

static void artifact_check(const struct store *store, const char *digest, struct store_check *found,
                           struct base_report *report)
{
    size_t count;
    char *bytes = store_read_artifact(store, digest, &count, report);
    if (bytes) {
        found->artifacts++;
        found->bytes += (int64_t)count;
    }
    base_free(bytes);
}

/* Those that names keep, each once. */
static void kept_check(const struct store *store, const struct store_list *kept,
                       struct store_check *found, struct base_report *report)
{
    for (size_t i = 0; i < kept->count; i++)
        if (i == 0 || strcmp(kept->text[i], kept->text[i - 1]))
            artifact_check(store, kept->text[i], found, report);
}

/* Others are torn or whole like those; they count apart. */
static void idle_check(const struct store *store, const struct store_list *kept,
                       struct store_check *found, struct base_report *report)
{
    struct store_list all = {0};
    struct store_check idle = {0};
    store_list_artifacts(store, &all, report);
    for (size_t i = 0; i < all.count; i++)
        if (!store_list_has(kept, all.text[i]))
            artifact_check(store, all.text[i], &idle, report);
    found->idle = idle.artifacts;
    store_list_release(&all);
}

static size_t leftovers_of(const char *folder)
{
    struct store_list files = {0};
    size_t leftovers = 0;
    store_disk_list(folder, &files);
    for (size_t i = 0; i < files.count; i++)
        leftovers += store_disk_is_leftover(files.text[i]);
    store_list_release(&files);
    return leftovers;
}

bool store_verify(const struct store *store, const char *only, struct store_check *found,
                  struct base_report *report)
{
    struct store_list kept = {0};
    size_t before = report->count;
    *found = (struct store_check){0};
    names_check(store, only, &kept, found, report);
    kept_check(store, &kept, found, report);
    if (!only) {
        idle_check(store, &kept, found, report);
        found->leftovers = leftovers_of(store->names) + leftovers_of(store->artifacts);
    }
    store_list_release(&kept);
    return report->count == before;
}
