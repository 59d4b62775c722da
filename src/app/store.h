/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp store: artifacts under names, with history. */
#ifndef APP_STORE_H
#define APP_STORE_H

#include "app/command.h"
#include "base/status.h"
#include "store/store.h"

struct app_store;

/* What a command does on the first rank, with the store open as it wants it. What it cannot do goes
 * to the report. */
typedef void app_store_act(const struct app_store *asked, struct store *store,
                           struct base_report *report);

app_store_act app_store_list, app_store_show, app_store_verify;
app_store_act app_store_add, app_store_promote, app_store_rollback, app_store_remove,
    app_store_collect;

enum { APP_STORE_WORDS = 2 };

struct app_store_command {
    const char *word;
    const char
        *wants; /* a letter a word: File, Name, Reference, Beginning; small: may be left out */
    const char *words, *help;
    unsigned options; /* bits by place in the table of options */
    enum store_purpose purpose;
    app_store_act *act; /* NULL: diff */
};

/* What is asked for. Texts are those of the command line. */
struct app_store {
    const struct app_store_command *command;
    const char *word[APP_STORE_WORDS]; /* NULL: left out */
    size_t words;
    const char *folder, *note;
    int32_t wait_s, keep;
    bool dry, execute, help;
};

/* The words behind "store". Adds all faults to the report. */
void app_store_read(int argc, char **argv, struct app_store *asked, struct base_report *report);
void app_store_help(void);

/* Collective. Answers the words behind "store"; returns the status of the process. Whole artifacts
 * are executed or compared as verify and diff do it: `tell` runs such a command. */
int app_store_answer(int argc, char **argv, int (*tell)(const struct app_command *command));

#endif
