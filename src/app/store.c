/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp store: the first rank acts on the store, all ranks leave with one status. */
#include "app/store.h"

#include <string.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

/* First rank. */
static void act(const struct app_store *asked, struct base_report *report)
{
    struct store *store = store_open(asked->folder, asked->command->purpose, asked->wait_s, report);
    if (store)
        asked->command->act(asked, store, report);
    store_close(store);
}

/* A command on artifacts of the store, as lpusim-mp itself knows it. */
static int tell_of(const struct app_store *asked, enum app_command_kind kind, const char *first,
                   const char *second, int (*tell)(const struct app_command *command))
{
    char *file = base_format("store:%s", first);
    char *other = second ? base_format("store:%s", second) : NULL;
    struct app_command command = {
        .kind = kind, .file = file, .other = other, .store = asked->folder, .chip = -1};
    int status = tell(&command);
    base_free(file);
    base_free(other);
    return status;
}

/* First rank. Names, a line each, but for those whose artifact an earlier one has; base_free. */
static char *names_to_execute(const struct app_store *asked, size_t *bytes,
                              struct base_report *report)
{
    struct store_list names = {0}, digests = {0};
    struct store *store = store_open(asked->folder, STORE_READ, asked->wait_s, report);
    char *lines = base_strdup("");
    if (store && asked->word[0])
        store_list_add(&names, asked->word[0]);
    else if (store)
        store_list_names(store, &names, report);
    for (size_t i = 0; i < names.count; i++) {
        char digest[STORE_DIGEST_BYTES];
        if (!store_resolve(store, names.text[i], digest, report) ||
            store_list_has(&digests, digest))
            continue;
        store_list_add(&digests, digest);
        store_list_sort(&digests);
        char *more = base_format("%s%s\n", lines, names.text[i]);
        base_free(lines);
        lines = more;
    }
    store_close(store);
    store_list_release(&names);
    store_list_release(&digests);
    *bytes = strlen(lines);
    return lines;
}

/* Collective. Each artifact that a name points at, under the contract; the worst status. */
static int execute(const struct app_store *asked, struct base_report *report,
                   int (*tell)(const struct app_command *command))
{
    size_t bytes = 0;
    char *lines = parallel_is_first() ? names_to_execute(asked, &bytes, report) : NULL;
    lines = parallel_share(lines, &bytes);
    int status = (int)parallel_agree_report(report, BASE_IO);
    for (char *name = lines; status == 0 && *name;) {
        char *end = name + strcspn(name, "\n");
        *end = '\0';
        int found = tell_of(asked, APP_COMMAND_VERIFY, name, NULL, tell);
        status = found > status ? found : status;
        name = end + 1;
    }
    base_free(lines);
    return status;
}

/* Collective. */
static int answer(const struct app_store *asked, struct base_report *report,
                  int (*tell)(const struct app_command *command))
{
    if (!asked->command->act)
        return tell_of(asked, APP_COMMAND_DIFF, asked->word[0], asked->word[1], tell);
    if (parallel_is_first())
        act(asked, report);
    int status = (int)parallel_agree_report(report, BASE_IO);
    return status == 0 && asked->execute ? execute(asked, report, tell) : status;
}

int app_store_answer(int argc, char **argv, int (*tell)(const struct app_command *command))
{
    struct app_store asked;
    struct base_report report = {0};
    app_store_read(argc, argv, &asked, &report);
    int status = (int)parallel_agree_report(&report, BASE_USAGE);
    if (status == 0 && asked.help && parallel_is_first())
        app_store_help();
    else if (status == 0 && !asked.help)
        status = answer(&asked, &report, tell);
    base_report_release(&report);
    return status;
}
