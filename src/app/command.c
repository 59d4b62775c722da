/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the command line from a table of options, most of them short for a --set. */
#include "app/command.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/version.h"
#include "config/config.h"

enum argument { NONE, REQUIRED, OPTIONAL };

/* An option either sets a key or chooses what the command is. */
struct option_row {
    const char *name;
    enum argument argument;
    const char *key;      /* "" for --set: its argument is "key=value" */
    const char *if_alone; /* the value where no argument is given */
    enum app_command_kind kind;
    const char *help;
};

static const struct option_row rows[] = {
    {"mode", REQUIRED, "run.mode", NULL, APP_COMMAND_RUN, "=lpu|gpu|both    machines that run"},
    {"set", REQUIRED, "", NULL, APP_COMMAND_RUN, "=KEY=VALUE        any option below; repeatable"},
    {"out", REQUIRED, "run.output", NULL, APP_COMMAND_RUN, "=FILE             HDF5 file to write"},
    {"seed", REQUIRED, "run.seed", NULL, APP_COMMAND_RUN, "=N               seed of all draws"},
    {"json", OPTIONAL, "run.json", "-", APP_COMMAND_RUN,
     "[=FILE]          summary as JSON, to standard output or a file"},
    {"quiet", NONE, "run.quiet", "true", APP_COMMAND_RUN,
     "                no progress, no summary"},
    {"check", NONE, NULL, NULL, APP_COMMAND_CHECK,
     "                validate, print the effective configuration, run nothing"},
    {"version", NONE, NULL, NULL, APP_COMMAND_VERSION, "              print the version"},
    {"help", NONE, NULL, NULL, APP_COMMAND_HELP, "                 print this"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* Edit distance of two words of at most 31 letters. */
static size_t distance(const char *a, size_t length, const char *b)
{
    size_t row[32], columns = strlen(b);
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; i <= length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t insert = row[j - 1] + 1, delete = row[j] + 1;
            diagonal = row[j];
            row[j] = change < insert ? change : insert;
            row[j] = delete < row[j] ? delete : row[j];
        }
    }
    return row[columns];
}

static const struct option_row *nearest(const char *name, size_t length)
{
    const struct option_row *best = rows;
    for (size_t i = 1; i < ROWS; i++)
        if (distance(name, length, rows[i].name) < distance(name, length, best->name))
            best = &rows[i];
    return best;
}

static const struct option_row *find(const char *name, size_t length)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == length && !strncmp(rows[i].name, name, length))
            return &rows[i];
    return NULL;
}

static void override_add(struct app_command *command, const char *key, const char *value)
{
    command->override = base_grow(command->override, &command->override_capacity,
                                  command->overrides + 1, sizeof *command->override);
    command->override[command->overrides++] =
        *key ? base_format("%s=%s", key, value) : base_strdup(value);
}

/* The argument of an option: behind its "=", or the next word; NULL where there is none. */
static const char *argument_take(const struct option_row *row, const char *equals, char **word,
                                 int *taken)
{
    if (equals)
        return equals + 1;
    if (row->argument == REQUIRED && *word) {
        (*taken)++;
        return *word;
    }
    return row->if_alone;
}

/* An option that is known; `word` is the one after it. Returns how many further words it took. */
static int apply(struct app_command *command, const struct option_row *row, const char *equals,
                 char **word, struct base_report *report)
{
    int taken = 0;
    const char *value = argument_take(row, equals, word, &taken);
    if (row->argument == NONE && equals)
        base_report_add(report, NULL, 0, "--%s takes no argument", row->name);
    else if (row->argument == REQUIRED && !value)
        base_report_add(report, NULL, 0, "--%s needs an argument; see --help", row->name);
    else if (row->key)
        override_add(command, row->key, value);
    else if (row->kind > command->kind)
        command->kind = row->kind;
    return taken;
}

/* One word of the command line; returns how many further words belong to it. */
static int word_read(struct app_command *command, char **word, struct base_report *report)
{
    if (word[0][0] != '-') {
        if (command->file)
            base_report_add(report, NULL, 0, "%s and %s: one configuration file is enough",
                            command->file, word[0]);
        command->file = word[0];
        return 0;
    }
    const char *name = word[0] + 1 + (word[0][1] == '-'), *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = find(name, length);
    if (row && name == word[0] + 2)
        return apply(command, row, equals, word + 1, report);
    size_t most = length < 31 ? length : 31;
    base_report_add(report, NULL, 0, "unknown option %s; did you mean --%s? --help lists all",
                    word[0], nearest(name, most)->name);
    return 0;
}

static char *line_of(int argc, char **argv)
{
    char *line = base_strdup("lpusim-mp");
    for (int i = 1; i < argc; i++) {
        char *longer = base_format("%s %s", line, argv[i]);
        base_free(line);
        line = longer;
    }
    return line;
}

struct app_command app_command_read(int argc, char **argv, struct base_report *report)
{
    struct app_command command = {.kind = APP_COMMAND_RUN, .line = line_of(argc, argv)};
    for (int i = 1; i < argc; i++)
        i += word_read(&command, argv + i, report);
    if (!command.file && command.kind <= APP_COMMAND_CHECK)
        base_report_add(report, NULL, 0,
                        "no configuration file; try: lpusim-mp configs/rack.cfg, or --help");
    if (!base_report_is_clean(report))
        command.kind = APP_COMMAND_WRONG;
    return command;
}

void app_command_release(struct app_command *command)
{
    for (size_t i = 0; i < command->overrides; i++)
        base_free(command->override[i]);
    base_free(command->override);
    base_free(command->line);
}

void app_command_version(void)
{
    printf("lpusim-mp %s (%s), %s\n", base_version(), base_version_source(),
           base_version_compiler());
}

void app_command_help(void)
{
    fputs("usage: lpusim-mp FILE [OPTION]...\n"
          "       mpirun -np 8 lpusim-mp FILE [OPTION]...\n\n"
          "Compiles the language model of FILE for a rack of LPU chips and executes it, simulates\n"
          "the same request on a GPU cluster, and shows both side by side. The result is the same\n"
          "on any number of ranks; without mpirun one rank does it all.\n\n"
          "options\n",
          stdout);
    for (size_t i = 0; i < ROWS; i++)
        printf("  --%s%s\n", rows[i].name, rows[i].help);
    fputs(
        "\nexamples\n"
        "  lpusim-mp configs/small.cfg                        seconds, one process\n"
        "  mpirun -np 8 lpusim-mp configs/rack.cfg            the main job, one chip a rank\n"
        "  lpusim-mp configs/rack.cfg --check                 what would run, with sources\n"
        "  lpusim-mp configs/rack.cfg --mode=gpu --set gpu.neighbour=false --json\n"
        "  mpirun -np 8 --allow-run-as-root --oversubscribe lpusim-mp configs/rack.cfg\n"
        "                                                     as root, on fewer cores than ranks\n"
        "\nexit status\n"
        "  0  done                          4  no progress: somebody waits for ever\n"
        "  1  failure                       5  a file could not be read or written\n"
        "  2  usage or configuration        6  the model does not fit\n"
        "  3  a schedule broke a promise    128 + N  stopped by signal N, file in order\n"
        "\nkeys of FILE and of --set (docs/reference.md says more)\n",
        stdout);
    config_help_print(stdout);
}
