/* SPDX-License-Identifier: BSD-3-Clause */
/* What the entries of a name mean: where it points, and where it was before. */
#include <string.h>

#include "base/memory.h"
#include "store/name.h"

const char *store_action_text(enum store_action action)
{
    static const char *const text[STORE_ACTIONS] = {
        [STORE_ADD] = "add", [STORE_PROMOTE] = "promote", [STORE_ROLLBACK] = "rollback"};
    return text[action];
}

void store_name_release(struct store_name *name)
{
    for (size_t i = 0; i < name->entries; i++) {
        base_free(name->entry[i].source);
        base_free(name->entry[i].note);
    }
    base_free(name->entry);
    base_free(name->name);
    *name = (struct store_name){0};
}

const struct store_entry *store_name_current(const struct store_name *name)
{
    return &name->entry[name->entries - 1];
}

/* Every rollback takes back one entry that is not itself a rollback. */
const struct store_entry *store_name_previous(const struct store_name *name)
{
    size_t taken_back = 1;
    for (size_t i = name->entries; i-- > 0;) {
        if (name->entry[i].action == STORE_ROLLBACK)
            taken_back++;
        else if (taken_back-- == 0)
            return &name->entry[i];
    }
    return NULL;
}

void store_name_append(struct store_name *name, enum store_action action, const char *to,
                       const char *source, const struct store_occasion *occasion)
{
    const char *from = name->entries > 0 ? store_name_current(name)->to : "";
    struct store_entry entry = {.action = action,
                                .source = base_strdup(source ? source : "-"),
                                .note = base_strdup(occasion->note ? occasion->note : "")};
    memcpy(entry.time, occasion->time, sizeof entry.time);
    memcpy(entry.from, from, strlen(from) + 1);
    memcpy(entry.to, to, STORE_DIGEST_BYTES);
    name->entry = base_grow(name->entry, &name->capacity, name->entries + 1, sizeof *name->entry);
    name->entry[name->entries++] = entry;
}
