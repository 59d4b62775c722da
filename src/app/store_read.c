/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of lpusim-mp store, from a table of commands and one of options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/reference.h"
#include "app/store.h"
#include "config/ids.h"

enum { WAIT_S = 10, KEEP = 10 };
enum {
    OPTION_STORE,
    OPTION_WAIT,
    OPTION_NOTE,
    OPTION_KEEP,
    OPTION_DRY,
    OPTION_EXECUTE,
    OPTION_HELP
};
enum {
    ANY = 1 << OPTION_STORE | 1 << OPTION_WAIT | 1 << OPTION_HELP,
    NOTED = ANY | 1 << OPTION_NOTE,
};

static const struct app_store_command commands[] = {
    {"list", "b", "[BEGIN]", "names, or those that begin so", ANY, STORE_READ, app_store_list},
    {"show", "R", "NAME", "what it points at, L, P, history", ANY, STORE_READ, app_store_show},
    {"add", "FN", "FILE NAME", "keep the artifact of FILE, point NAME at it", NOTED, STORE_CREATE,
     app_store_add},
    {"promote", "RN", "FROM NAME", "point NAME where FROM points: canary to stable", NOTED,
     STORE_WRITE, app_store_promote},
    {"rollback", "N", "NAME", "point NAME where it was before", NOTED, STORE_WRITE,
     app_store_rollback},
    {"diff", "RR", "X Y", "what moved between two, what got slower", ANY, STORE_READ, NULL},
    {"verify", "n", "[NAME]", "read all again: digests, names, histories",
     ANY | 1 << OPTION_EXECUTE, STORE_READ, app_store_verify},
    {"remove", "N", "NAME", "forget a name and its history", ANY, STORE_WRITE, app_store_remove},
    {"gc", "", "", "delete artifacts that no name keeps", ANY | 1 << OPTION_KEEP | 1 << OPTION_DRY,
     STORE_WRITE, app_store_collect},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const struct {
    const char *name, *argument, *help;
} options[] = {
    [OPTION_STORE] = {"store", "DIR", "the store; else $LPUSIM_STORE says"},
    [OPTION_WAIT] = {"wait", "SECONDS", "how long to wait for other commands (10)"},
    [OPTION_NOTE] = {"note", "TEXT", "for the history: add, promote, rollback"},
    [OPTION_KEEP] = {"keep", "N", "gc: entries of each name that keep their artifacts (10)"},
    [OPTION_DRY] = {"dry-run", NULL, "gc: say what would go, delete nothing"},
    [OPTION_EXECUTE] = {"execute", NULL,
                        "verify: also execute what names point at, under the contract"},
    [OPTION_HELP] = {"help", NULL, "print this"},
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static void number_take(const char *name, const char *text, int32_t least, int32_t *value,
                        struct base_report *report)
{
    if (!config_number_parse(text, text + strlen(text), value) || *value < least)
        base_report_add(report, NULL, 0, "--%s %s: a whole number of at least %d is wanted", name,
                        text, (int)least);
}

static void value_take(struct app_store *asked, size_t option, const char *value,
                       struct base_report *report)
{
    if (option == OPTION_STORE)
        asked->folder = value;
    else if (option == OPTION_WAIT)
        number_take("wait", value, 0, &asked->wait_s, report);
    else if (option == OPTION_KEEP)
        number_take("keep", value, 1, &asked->keep, report);
    else if (option == OPTION_NOTE && store_note_is_right(value, report))
        asked->note = value;
    asked->dry = asked->dry || option == OPTION_DRY;
    asked->execute = asked->execute || option == OPTION_EXECUTE;
    asked->help = asked->help || option == OPTION_HELP;
}

/* The place of "--name" or "--name=value" in the table; OPTIONS: it is none. */
static size_t option_find(const char *word, size_t length)
{
    size_t option = 0;
    while (option < OPTIONS &&
           (strlen(options[option].name) != length || strncmp(options[option].name, word, length)))
        option++;
    return option;
}

/* Returns how many further words the option took. */
static int option_read(struct app_store *asked, const char *word, const char *next,
                       struct base_report *report)
{
    const char *name = word + 2, *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    size_t option = strncmp(word, "--", 2) ? OPTIONS : option_find(name, length);
    const char *value = equals ? equals + 1 : next;
    const char *wants = option < OPTIONS ? options[option].argument : NULL;
    if (option == OPTIONS)
        base_report_add(report, NULL, 0, "%s: no such option; see lpusim-mp store --help", word);
    else if (!(asked->command->options >> option & 1))
        base_report_add(report, NULL, 0, "--%s does not go with store %s", options[option].name,
                        asked->command->word);
    else if (wants && !value)
        base_report_add(report, NULL, 0, "--%s needs %s", options[option].name, wants);
    else if (!wants && equals)
        base_report_add(report, NULL, 0, "--%s takes no argument", options[option].name);
    else
        value_take(asked, option, value, report);
    return wants && !equals && next;
}

static void words_require(const struct app_store *asked, struct base_report *report)
{
    const struct app_store_command *command = asked->command;
    const char *wants = command->wants;
    for (size_t i = 0; i < strlen(wants); i++) {
        const char *word = i < APP_STORE_WORDS ? asked->word[i] : NULL;
        if (!word && strchr("FNR", wants[i]))
            base_report_add(report, NULL, 0, "store %s wants %s", command->word, command->words);
        if (!word)
            return;
        if (strchr("Nn", wants[i]) || (wants[i] == 'R' && !store_is_digest(word)))
            store_name_is_right(word, report);
    }
    if (asked->words > strlen(wants))
        base_report_add(report, NULL, 0, "store %s wants %s, and no more", command->word,
                        *wants ? command->words : "no word");
}

static const struct app_store_command *command_of(const char *word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].word, word))
            return &commands[i];
    return NULL;
}

static void rest_read(int argc, char **argv, struct app_store *asked, struct base_report *report)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            i += option_read(asked, argv[i], i + 1 < argc ? argv[i + 1] : NULL, report);
        else if (asked->words++ < APP_STORE_WORDS)
            asked->word[asked->words - 1] = argv[i];
    }
    if (asked->help)
        return;
    words_require(asked, report);
    asked->folder = app_reference_store(asked->folder);
    if (!asked->folder)
        base_report_add(report, NULL, 0,
                        "store %s: of which store? Give --store DIR or set "
                        "LPUSIM_STORE",
                        asked->command->word);
}

void app_store_read(int argc, char **argv, struct app_store *asked, struct base_report *report)
{
    const char *word = argc > 0 ? argv[0] : "";
    *asked = (struct app_store){.command = command_of(word), .wait_s = WAIT_S, .keep = KEEP};
    asked->help = !strcmp(word, "--help");
    if (asked->command)
        rest_read(argc, argv, asked, report);
    else if (!asked->help)
        base_report_add(report, NULL, 0,
                        "store%s%s: list, show, add, promote, rollback, diff, verify, remove or gc "
                        "is wanted; see lpusim-mp store --help",
                        *word ? " " : "", word);
}

static void row_print(const char *left, const char *word, const char *right)
{
    int width = printf("  %s%s%s", left, word, *word ? " " : "") + (int)strlen(right);
    printf("%s%*s", right, width < 24 ? 24 - width : 1, "");
}

void app_store_help(void)
{
    fputs(
        "usage: lpusim-mp store COMMAND [WORD]... [OPTION]...\n\n"
        "A store is a folder that keeps compiled schedules by digest, and names that point at\n"
        "them. A name remembers where it pointed, so that it can be rolled back. Names are\n"
        "written as in llama-70b/s4096/stable; where a NAME is read, 8 or more digits of a\n"
        "digest do, too. Every change is whole or has not happened (docs/store.md).\n\ncommands\n",
        stdout);
    for (size_t i = 0; i < COMMANDS; i++) {
        row_print("", commands[i].word, commands[i].words);
        puts(commands[i].help);
    }
    puts("\noptions");
    for (size_t i = 0; i < OPTIONS; i++) {
        row_print("--", options[i].name, options[i].argument ? options[i].argument : "");
        puts(options[i].help);
    }
    puts(
        "\nexamples\n"
        "  export LPUSIM_STORE=$HOME/schedules\n"
        "  lpusim-mp compile configs/rack.cfg -o store:tiny/canary      the first makes the store\n"
        "  lpusim-mp store diff tiny/stable tiny/canary                 what would change\n"
        "  lpusim-mp verify store:tiny/canary                           under the contract\n"
        "  lpusim-mp store promote tiny/canary tiny/stable --note \"4 % faster\"\n"
        "  mpirun -np 8 lpusim-mp run store:tiny/stable\n"
        "  lpusim-mp store rollback tiny/stable\n"
        "  lpusim-mp store gc --keep 3 --dry-run\n"
        "\nexit status: 0 done, 2 usage, 3 a promise broken (diff, verify), 5 a file, a name or\n"
        "the lock; nothing has changed then");
}
