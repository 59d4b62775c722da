/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of a store that read it: list, show and verify. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/artifact.h"
#include "app/store.h"
#include "app/text.h"
#include "base/memory.h"

enum { LABEL = 12 };

static void print_label(const char *label)
{
    printf("%-*s", LABEL, label);
}

static void list_print(const struct store_name *name)
{
    const struct store_entry *now = store_name_current(name);
    printf("%-38s  %.12s  %s  %-8s %8zu%s%s\n", name->name, now->to, now->time,
           store_action_text(now->action), name->entries, now->note[0] ? "  " : "", now->note);
}

void app_store_list(const struct app_store *asked, struct store *store, struct base_report *report)
{
    struct store_list names = {0};
    const char *begin = asked->word[0] ? asked->word[0] : "";
    store_list_names(store, &names, report);
    printf("%-38s  %-12s  %-20s  %-8s %8s  note\n", "name", "artifact", "since", "by", "entries");
    for (size_t i = 0; i < names.count; i++) {
        struct store_name name = {0};
        if (!strncmp(names.text[i], begin, strlen(begin)) &&
            store_read_name(store, names.text[i], &name, report))
            list_print(&name);
        store_name_release(&name);
    }
    store_list_release(&names);
}

/* A step of some kind: how long it takes, and how soon the next may begin. */
static void step_print(const struct app_artifact *a, const char *label, enum partition_phase phase)
{
    const struct lpu_chip *chip = &a->scenario.lpu_chip;
    int64_t length = a->outline.length_cycles[phase];
    int64_t interval = a->sharing.interval.cycles[phase];
    bool shared = interval > 0;
    if (length == 0)
        return;
    if (!shared)
        interval = length;
    print_label(label);
    printf("L %s cycles, %s; P %s cycles, %s%s; %" PRId32 " positions\n",
           app_text_count(length).text, app_text_time(machine_cycles_to_ps(chip, length)).text,
           app_text_count(interval).text, app_text_time(machine_cycles_to_ps(chip, interval)).text,
           shared ? "" : " (one seat)", a->outline.positions[phase]);
}

static void steps_print(const struct app_artifact *a)
{
    int32_t rungs = a->scenario.bucket.rungs;
    for (int32_t n = 0; n < rungs; n++)
        step_print(a, n ? "" : "decode", PARTITION_RUNG + (enum partition_phase)n);
    step_print(a, rungs ? "" : "decode", PARTITION_DECODE);
    step_print(a, "prefill", PARTITION_PREFILL);
}

static void facts_print(const struct app_artifact *a)
{
    const struct app_lpu_outline *o = &a->outline;
    print_label("bytes");
    printf("%s\n", app_text_count((int64_t)a->bytes).text);
    print_label("model");
    printf("%s\n", a->model.name);
    print_label("machine");
    printf("%" PRId32 " %s, %" PRId32 " stage%s x %" PRId32 ", %" PRId32 " seat%s, batch %" PRId32
           "\n",
           o->chips, a->scenario.lpu_chip.name, o->stages, o->stages == 1 ? "" : "s", o->group,
           a->sharing.seats.placed, a->sharing.seats.placed == 1 ? "" : "s",
           a->scenario.bucket.batch);
    steps_print(a);
}

/* What an artifact of the store promises. */
static void artifact_print(const struct store *store, const char *digest,
                           struct base_report *report)
{
    size_t count;
    print_label("artifact");
    printf("%s\n", digest);
    char *bytes = store_read_artifact(store, digest, &count, report);
    struct app_artifact *a = bytes ? app_artifact_read(digest, bytes, count, report) : NULL;
    if (a)
        facts_print(a);
    app_artifact_close(a);
    base_free(bytes);
}

static bool name_keeps(const struct store_name *name, const char *digest)
{
    for (size_t i = name->held; i < name->entries; i++)
        if (!strcmp(name->entry[i].to, digest))
            return true;
    return false;
}

/* Names that point at an artifact now, and those that did and keep it. */
static void names_print(const struct store *store, const char *digest, struct base_report *report)
{
    struct store_list names = {0};
    const char *label = "names";
    store_list_names(store, &names, report);
    for (size_t i = 0; i < names.count; i++) {
        struct store_name name;
        if (store_read_name(store, names.text[i], &name, report) && name_keeps(&name, digest)) {
            print_label(label);
            printf("%s%s\n", name.name,
                   strcmp(store_name_current(&name)->to, digest) ? ", before" : "");
            label = "";
        }
        store_name_release(&name);
    }
    store_list_release(&names);
}

static void entry_print(const struct store_name *name, size_t i)
{
    const struct store_entry *e = &name->entry[i];
    printf("%4zu  %s  %-8s  %-12.12s -> %.12s%s", i + 1, e->time, store_action_text(e->action),
           e->from[0] ? e->from : "new", e->to, i < name->held ? ", not kept" : "");
    if (e->action == STORE_PROMOTE)
        printf(", from %s", e->source);
    printf("%s%s\n", e->note[0] ? ": " : "", e->note);
}

static void history_print(const struct store_name *name)
{
    puts("\nhistory, the newest first");
    for (size_t i = name->entries; i-- > 0;)
        entry_print(name, i);
}

void app_store_show(const struct app_store *asked, struct store *store, struct base_report *report)
{
    struct store_name name = {0};
    char digest[STORE_DIGEST_BYTES];
    const char *reference = asked->word[0];
    bool named = !store_is_digest(reference);
    if ((!named || store_read_name(store, reference, &name, report)) &&
        store_resolve(store, reference, digest, report)) {
        if (named) {
            print_label("name");
            puts(name.name);
        }
        artifact_print(store, digest, report);
        names_print(store, digest, report);
        if (named)
            history_print(&name);
    }
    store_name_release(&name);
}

void app_store_verify(const struct app_store *asked, struct store *store,
                      struct base_report *report)
{
    struct store_check found;
    if (!store_verify(store, asked->word[0], &found, report))
        return;
    printf("%zu name%s, %zu entries, %zu artifact%s of %s bytes: whole\n", found.names,
           found.names == 1 ? "" : "s", found.entries, found.artifacts,
           found.artifacts == 1 ? "" : "s", app_text_count(found.bytes).text);
    if (found.idle + found.leftovers > 0)
        printf("%zu artifact%s that no name keeps, %zu leftover file%s: lpusim-mp store gc\n",
               found.idle, found.idle == 1 ? "" : "s", found.leftovers,
               found.leftovers == 1 ? "" : "s");
}
