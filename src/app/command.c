/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the command line from a table of options, most of them short for a --set. */
#include "app/command.h"

#include <stdio.h>
#include <string.h>

#include "app/reference.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/version.h"
#include "config/config.h"
#include "config/ids.h"

enum argument { NONE, REQUIRED, OPTIONAL };
enum {
    OF_RUN = 1,
    OF_GENERATE = 2,
    OF_BOTH = OF_RUN | OF_GENERATE,
    OF_COMPILE = 4,
    OF_REPLAY = 8,
    OF_VERIFY = 16,
    OF_DIFF = 32,
    OF_SHOW = 64,
    OF_ATTRIBUTE = 128,
    OF_SERVE = 256,
    OF_FRONTIER = 512,
    OF_ROLLOUT = 2048,
    OF_BUCKETS = 4096,
    OF_PLAN = 8192,
    OF_MANY = OF_SERVE | OF_FRONTIER | OF_ROLLOUT | OF_BUCKETS | OF_PLAN,
    OF_ARTIFACT = OF_COMPILE | OF_REPLAY | OF_VERIFY | OF_DIFF | OF_SHOW | OF_ROLLOUT,
    OF_ANY = 16383,
    MOST_ROWS = 32
};
enum { MOST_NEW = 1 << 20 }; /* as workload.decode_tokens */
enum { MOST_BUCKETS = BUCKET_RUNGS + 1 };

/* The command line on its way into a command. */
struct reading {
    struct app_command *command;
    struct base_report *report;
    const struct verb *verb; /* the first word */
    bool given[MOST_ROWS];   /* by row */
};

/* A first word, and what it wants. */
struct verb {
    const char *word; /* NULL: none, a file stands first */
    unsigned of;
    enum app_command_kind kind;
    const char *wants, *usage; /* the file, and how to write it all */
};

static const struct verb verbs[] = {
    {NULL, OF_RUN, APP_COMMAND_RUN, "configuration file", "configs/rack.cfg"},
    {"generate", OF_GENERATE, APP_COMMAND_GENERATE, "configuration file",
     "generate FILE --prompt TEXT --max-new N"},
    {"compile", OF_COMPILE, APP_COMMAND_COMPILE, "configuration file", "compile FILE -o X"},
    {"run", OF_REPLAY, APP_COMMAND_REPLAY, "artifact", "run X"},
    {"verify", OF_VERIFY, APP_COMMAND_VERIFY, "artifact", "verify X"},
    {"diff", OF_DIFF, APP_COMMAND_DIFF, "artifact", "diff X Y"},
    {"show", OF_SHOW, APP_COMMAND_SHOW, "artifact", "show X"},
    {"attribute", OF_ATTRIBUTE, APP_COMMAND_ATTRIBUTE, "configuration file", "attribute FILE"},
    {"serve", OF_SERVE, APP_COMMAND_SERVE, "configuration file", "serve configs/serve.cfg"},
    {"frontier", OF_FRONTIER, APP_COMMAND_FRONTIER, "configuration file",
     "frontier configs/serve.cfg"},
    {"rollout", OF_ROLLOUT, APP_COMMAND_ROLLOUT, "configuration file",
     "rollout FILE --stable X --canary Y"},
    {"plan", OF_PLAN, APP_COMMAND_PLAN, "configuration file", "plan configs/serve.cfg"},
    {"buckets", OF_BUCKETS, APP_COMMAND_BUCKETS, "configuration file", "buckets configs/serve.cfg"},
};

enum { VERBS = sizeof verbs / sizeof verbs[0] };

/* An option; one whose name is a letter has one dash. */
struct option_row {
    const char *name;
    enum argument argument;
    unsigned of; /* whose option it is */
    void (*take)(struct reading *r, const struct option_row *row, const char *value);
    const char *key;            /* that key_take sets */
    const char *if_alone;       /* the value where no argument is given */
    enum app_command_kind kind; /* that kind_take chooses */
    const char *help;
};

/* What generate implies, and what it answers to a --set of the same key. */
static const struct {
    const char *key, *value; /* NULL: max_new */
    const char *answer;
} implied[] = {
    {"values", "true", "generate always computes values"},
    {"run.mode", "lpu", "generate runs on the LPU alone"},
    {"run.json", "", "generate shows no summary"},
    {"bucket.batch", "1", "generate continues one prompt"},
    {"lpu.seats", "1", "generate continues one prompt"},
    {"workload.sequences", "0", "generate continues one prompt"},
    {"workload.prompt_tokens", "1", "generate counts the tokens of its prompt"},
    {"workload.prompt", "", "with generate, write --prompt TEXT"},
    {"workload.prompt_ids", "", "with generate, write --prompt-ids ID,..."},
    {"workload.decode_tokens", NULL, "with generate, write --max-new N"},
};

enum { IMPLIED = sizeof implied / sizeof implied[0] };

static void override_add(struct app_command *command, char *override)
{
    command->override = base_grow(command->override, &command->override_capacity,
                                  command->overrides + 1, sizeof *command->override);
    command->override[command->overrides++] = override;
}

static void key_take(struct reading *r, const struct option_row *row, const char *value)
{
    override_add(r->command, base_format("%s=%s", row->key, value));
}

/* Whether "key=value" is about `key`; blanks may stand around the key. */
static bool is_about(const char *override, const char *key)
{
    const char *from = override + strspn(override, " \t");
    size_t length = strcspn(from, " \t=");
    return strlen(key) == length && strncmp(from, key, length) == 0;
}

static void set_take(struct reading *r, const struct option_row *row, const char *value)
{
    for (size_t i = 0; r->verb->of == OF_GENERATE && i < IMPLIED; i++)
        if (is_about(value, implied[i].key))
            base_report_add(r->report, NULL, 0, "--%s %s: %s", row->name, value, implied[i].answer);
    override_add(r->command, base_strdup(value));
}

static void kind_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)value;
    if (row->kind > r->command->kind)
        r->command->kind = row->kind;
}

static void prompt_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->prompt = value;
}

static void ids_take(struct reading *r, const struct option_row *row, const char *value)
{
    struct app_command *command = r->command;
    (void)row;
    base_free(command->prompt_ids);
    config_ids_parse("--prompt-ids", value, &command->prompt_ids, &command->prompt_id_count,
                     r->report);
}

static void max_new_take(struct reading *r, const struct option_row *row, const char *value)
{
    bool number = config_number_parse(value, value + strlen(value), &r->command->max_new);
    if (!number || r->command->max_new == 0 || r->command->max_new > MOST_NEW)
        base_report_add(r->report, NULL, 0, "--%s %s: a whole number of tokens, 1 to %d, is wanted",
                        row->name, value, MOST_NEW);
}

static void print_ids_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row, (void)value;
    r->command->print_ids = true;
}

static void artifact_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->artifact = value;
}

static void note_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->note = value;
}

static void store_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->store = value;
}

static void stable_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->stable = value;
}

static void canary_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->canary = value;
}

static void chip_take(struct reading *r, const struct option_row *row, const char *value)
{
    if (!config_number_parse(value, value + strlen(value), &r->command->chip))
        base_report_add(r->report, NULL, 0, "--%s %s: the number of a chip is wanted", row->name,
                        value);
}

static void count_take(struct reading *r, const struct option_row *row, const char *value)
{
    bool number = config_number_parse(value, value + strlen(value), &r->command->count);
    if (!number || r->command->count < 1 || r->command->count > MOST_BUCKETS)
        base_report_add(r->report, NULL, 0, "--%s %s: a number of buckets, 1 to %d, is wanted",
                        row->name, value, MOST_BUCKETS);
}

static void op_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->op = value;
}

static void queue_take(struct reading *r, const struct option_row *row, const char *value)
{
    (void)row;
    r->command->queue = value;
}

static void phase_take(struct reading *r, const struct option_row *row, const char *value)
{
    if (strcmp(value, "decode") && strcmp(value, "prefill"))
        base_report_add(r->report, NULL, 0, "--%s %s: decode or prefill is wanted", row->name,
                        value);
    r->command->phase = value;
}

static const struct option_row rows[] = {
    {"mode", REQUIRED, OF_RUN | OF_COMPILE | OF_REPLAY | OF_SERVE | OF_FRONTIER | OF_PLAN, key_take,
     .key = "run.mode", .help = "=lpu|gpu|both    machines that run"},
    {"set", REQUIRED, OF_BOTH | OF_COMPILE | OF_REPLAY | OF_ATTRIBUTE | OF_MANY, set_take,
     .help = "=KEY=VALUE        any option below; repeatable"},
    {"out", REQUIRED, OF_BOTH | OF_REPLAY | OF_ATTRIBUTE | OF_MANY, key_take, .key = "run.output",
     .help = "=FILE             HDF5 file to write"},
    {"seed", REQUIRED, OF_BOTH | OF_COMPILE | OF_REPLAY | OF_ATTRIBUTE | OF_MANY, key_take,
     .key = "run.seed", .help = "=N               seed of all draws"},
    {"json", OPTIONAL, OF_RUN | OF_REPLAY | OF_SERVE | OF_ROLLOUT, key_take, .key = "run.json",
     .if_alone = "-", .help = "[=FILE]          summary as JSON, to standard output or a file"},
    {"quiet", NONE, OF_BOTH | OF_COMPILE | OF_REPLAY | OF_VERIFY | OF_ATTRIBUTE | OF_MANY, key_take,
     .key = "run.quiet", .if_alone = "true", .help = "                no progress, no summary"},
    {"explain", NONE, OF_RUN, kind_take, .kind = APP_COMMAND_EXPLAIN,
     .help = "              compile for the LPU rack, say how near the schedule is to its bound"},
    {"check", NONE, OF_RUN | OF_MANY, kind_take, .kind = APP_COMMAND_CHECK,
     .help = "                validate, print the effective configuration, run nothing"},
    {"prompt", REQUIRED, OF_GENERATE, prompt_take,
     .help = "=TEXT          what to continue; empty: the begin token alone"},
    {"prompt-ids", REQUIRED, OF_GENERATE, ids_take,
     .help = "=ID,...    the same as token ids, begin token included"},
    {"max-new", REQUIRED, OF_GENERATE, max_new_take,
     .help = "=N            most tokens to generate"},
    {"print-ids", NONE, OF_GENERATE, print_ids_take,
     .help = "            token ids on one line instead of text"},
    {"o", REQUIRED, OF_COMPILE, artifact_take,
     .help = " X                   artifact to write (compile)"},
    {"note", REQUIRED, OF_COMPILE, note_take,
     .help = "=TEXT            for the history of store:NAME (compile)"},
    {"store", REQUIRED, OF_ARTIFACT, store_take,
     .help = "=DIR            where artifacts store:NAME are; else $LPUSIM_STORE says"},
    {"stable", REQUIRED, OF_ROLLOUT, stable_take,
     .help = "=X             artifact that all racks run (rollout)"},
    {"canary", REQUIRED, OF_ROLLOUT, canary_take,
     .help = "=Y             artifact that goes out (rollout)"},
    {"chip", REQUIRED, OF_SHOW, chip_take,
     .help = "=N               instructions of a chip (show)"},
    {"phase", REQUIRED, OF_SHOW, phase_take,
     .help = "=decode|prefill those of one kind of step alone (show)"},
    {"op", REQUIRED, OF_SHOW, op_take, .help = "=NAME              those of an op alone (show)"},
    {"queue", REQUIRED, OF_SHOW, queue_take,
     .help = "=NAME           those of a queue alone: \"MEM 12\" (show)"},
    {"count", REQUIRED, OF_BUCKETS, count_take,
     .help = "=K              most buckets of a ladder, 1 to 5 (buckets)"},
    {"version", NONE, OF_ANY, kind_take, .kind = APP_COMMAND_VERSION,
     .help = "              print the version"},
    {"help", NONE, OF_ANY, kind_take, .kind = APP_COMMAND_HELP,
     .help = "                 print this"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };
_Static_assert(sizeof rows / sizeof rows[0] <= MOST_ROWS, "struct reading has too few places");

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

static const char *dashes(const struct option_row *row)
{
    return row->name[1] ? "--" : "-";
}

/* The verb whose option it is, where it is of one alone. */
static const struct verb *owner_of(const struct option_row *row)
{
    for (size_t i = 0; i < VERBS; i++)
        if (verbs[i].of == row->of)
            return &verbs[i];
    return NULL;
}

static void stranger_refuse(struct reading *r, const struct option_row *row)
{
    const struct verb *owner = owner_of(row);
    const char *dash = dashes(row);
    if (r->verb->word)
        base_report_add(r->report, NULL, 0, "%s%s does not go with %s; see --help", dash, row->name,
                        r->verb->word);
    else if (owner)
        base_report_add(r->report, NULL, 0, "%s%s goes with %s alone: lpusim-mp %s %s %s%s ...",
                        dash, row->name, owner->word, owner->word,
                        owner->wants[0] == 'a' ? "X" : "FILE", dash, row->name);
}

/* An option that is known; `word` is the one after it. Returns how many further words it took. */
static int apply(struct reading *r, const struct option_row *row, const char *equals, char **word)
{
    int taken = 0;
    const char *value = argument_take(row, equals, word, &taken);
    r->given[row - rows] = true;
    if (!(row->of & r->verb->of))
        stranger_refuse(r, row);
    else if (row->argument == NONE && equals)
        base_report_add(r->report, NULL, 0, "%s%s takes no argument", dashes(row), row->name);
    else if (row->argument == REQUIRED && !value)
        base_report_add(r->report, NULL, 0, "%s%s needs an argument; see --help", dashes(row),
                        row->name);
    else
        row->take(r, row, value);
    return taken;
}

static void file_take(struct reading *r, const char *name)
{
    struct app_command *command = r->command;
    bool two = r->verb->of == OF_DIFF;
    if (!command->file)
        command->file = name;
    else if (two && !command->other)
        command->other = name;
    else
        base_report_add(r->report, NULL, 0, "%s and %s: %s %s%s enough", command->file, name,
                        two ? "two" : "one", r->verb->wants, two ? "s are" : " is");
}

/* One word of the command line; returns how many further words belong to it. */
static int word_read(struct reading *r, char **word)
{
    if (word[0][0] != '-') {
        file_take(r, word[0]);
        return 0;
    }
    const char *name = word[0] + 1 + (word[0][1] == '-'), *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = find(name, length);
    if (row && (size_t)(name - word[0]) == strlen(dashes(row)))
        return apply(r, row, equals, word + 1);
    const struct option_row *near = nearest(name, length < 31 ? length : 31);
    base_report_add(r->report, NULL, 0, "unknown option %s; did you mean %s%s? --help lists all",
                    word[0], dashes(near), near->name);
    return 0;
}

static bool is_given(const struct reading *r, const char *name)
{
    return r->given[find(name, strlen(name)) - rows];
}

static void generate_require(const struct reading *r)
{
    bool text = is_given(r, "prompt"), ids = is_given(r, "prompt-ids");
    if (text && ids)
        base_report_add(r->report, NULL, 0, "--prompt and --prompt-ids: one of the two is enough");
    if (!text && !ids)
        base_report_add(r->report, NULL, 0,
                        "generate needs a prompt: --prompt TEXT or --prompt-ids ID,...");
    if (!is_given(r, "max-new"))
        base_report_add(r->report, NULL, 0,
                        "generate needs --max-new N: the most tokens to generate, at least 1");
}

static void file_require(const struct reading *r)
{
    if (!r->command->file)
        base_report_add(r->report, NULL, 0, "no %s; try: lpusim-mp %s, or --help", r->verb->wants,
                        r->verb->usage);
    else if (r->verb->of == OF_DIFF && !r->command->other)
        base_report_add(r->report, NULL, 0, "one artifact has no difference; try: lpusim-mp %s",
                        r->verb->usage);
    if (r->verb->of == OF_COMPILE && !r->command->artifact)
        base_report_add(r->report, NULL, 0, "compile needs -o X: the artifact to write");
}

static void rollout_require(const struct reading *r)
{
    if (!r->command->stable)
        base_report_add(r->report, NULL, 0, "rollout needs --stable X: what all racks run");
    if (!r->command->canary)
        base_report_add(r->report, NULL, 0, "rollout needs --canary Y: what goes out");
}

static void show_require(const struct reading *r)
{
    static const char *const narrowing[] = {"phase", "op", "queue"};
    for (size_t i = 0; i < sizeof narrowing / sizeof narrowing[0]; i++)
        if (is_given(r, narrowing[i]) && !is_given(r, "chip"))
            base_report_add(r->report, NULL, 0, "--%s needs --chip N: whose instructions",
                            narrowing[i]);
}

static void implied_add(struct app_command *command)
{
    for (size_t i = 0; i < IMPLIED; i++)
        override_add(command, implied[i].value
                                  ? base_format("%s=%s", implied[i].key, implied[i].value)
                                  : base_format("%s=%d", implied[i].key, command->max_new));
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

/* The verb of the first word; the one of no word where it is none. */
static const struct verb *verb_of(const char *word)
{
    for (size_t i = 1; word && i < VERBS; i++)
        if (!strcmp(verbs[i].word, word))
            return &verbs[i];
    return verbs;
}

/* What is wanted together, once all words are read. */
static void require(struct reading *r)
{
    file_require(r);
    if (r->verb->of & OF_ARTIFACT)
        app_reference_check(r->command, r->report);
    if (r->command->kind == APP_COMMAND_SHOW)
        show_require(r);
    if (r->command->kind == APP_COMMAND_GENERATE) {
        generate_require(r);
        implied_add(r->command);
    }
    if (r->command->kind == APP_COMMAND_ATTRIBUTE)
        override_add(r->command, base_strdup("run.mode=gpu"));
    if (r->command->word == APP_COMMAND_ROLLOUT) {
        rollout_require(r);
        override_add(r->command, base_strdup("run.mode=lpu"));
    }
    if (r->command->word == APP_COMMAND_BUCKETS)
        override_add(r->command, base_strdup("run.mode=lpu"));
}

struct app_command app_command_read(int argc, char **argv, struct base_report *report)
{
    const struct verb *verb = verb_of(argc > 1 ? argv[1] : NULL);
    struct app_command command = {.kind = verb->kind,
                                  .word = verb->kind,
                                  .line = line_of(argc, argv),
                                  .chip = -1,
                                  .count = MOST_BUCKETS};
    struct reading reading = {.command = &command, .report = report, .verb = verb};
    for (int i = verb->word ? 2 : 1; i < argc; i++)
        i += word_read(&reading, argv + i);
    if (command.kind < APP_COMMAND_VERSION)
        require(&reading);
    if (!base_report_is_clean(report))
        command.kind = APP_COMMAND_WRONG;
    return command;
}

void app_command_release(struct app_command *command)
{
    for (size_t i = 0; i < command->overrides; i++)
        base_free(command->override[i]);
    base_free(command->override);
    base_free(command->prompt_ids);
    base_free(command->line);
}

void app_command_version(void)
{
    printf("lpusim-mp %s (%s), %s\n", base_version(), base_version_source(),
           base_version_compiler());
}

/* Options of some verbs: those that `of` and `mask` have in common are exactly `of`. */
static void rows_print(const char *title, unsigned of, unsigned mask)
{
    printf("\n%s\n", title);
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i].of & mask) == of)
            printf("  %s%s%s\n", dashes(&rows[i]), rows[i].name, rows[i].help);
}

static void artifacts_print(void)
{
    puts(
        "\nschedules as files (docs/artifact.md)\n"
        "  compile FILE -o X   compile for the rack of FILE; X keeps plan, programs, timetable "
        "and\n"
        "                      what they were compiled from. Same input, same bytes. Takes --set,\n"
        "                      --seed, --mode\n"
        "  run X               execute X as FILE itself would be, without the compiler. --set and\n"
        "                      other options may change what X was not compiled for. Weights are\n"
        "                      not in X: with values = on they come from model.path\n"
        "  verify X            execute a prefill and a decode step of all chips of X under the\n"
        "                      contract, and nothing else; status 3 where a promise is broken\n"
        "  diff X Y            what moved between X and Y, and what got slower or faster\n"
        "  show X              the plan; with --chip N the instructions of a chip\n"
        "  show X.h5           the summary of a run again, from the file that it wrote\n"
        "  store COMMAND       artifacts under names with history; store --help says more. X is a\n"
        "                      file, or store:NAME, or store:DIGEST");
}

static void serve_print(void)
{
    puts("\nmany requests (docs/serving.md)\n"
         "  serve FILE          requests of a trace, or drawn ones, at the doors of the LPU rack "
         "and "
         "of\n"
         "                      the GPU cluster, as the group serve of FILE says: queues, "
         "admission,\n"
         "                      batching, and what clients see. Takes --mode, --set, --out, "
         "--seed,\n"
         "                      --json, --quiet, --check\n"
         "  frontier FILE       the highest rate of such requests at which p99 of TTFT and TPOT "
         "keep "
         "the\n"
         "                      limits of FILE, and tighter and wider ones, on both machines; and "
         "both at\n"
         "                      50, 80 and 95 % of their capacity. Takes what serve takes but "
         "--json\n"
         "  rollout FILE --stable X --canary Y\n"
         "                      X runs on serve.lpu_replicas racks, Y goes out as the group "
         "serve.rollout of\n"
         "                      FILE says: share, gates, promotion or rollback, and the requests "
         "that each\n"
         "                      decision costs. Y is executed under the contract. Takes what serve "
         "takes\n"
         "                      but --mode\n"
         "  buckets FILE        the best ladders of up to five buckets for these requests, what "
         "each "
         "further\n"
         "                      bucket buys and costs. Takes --count, --set, --out, --seed, "
         "--quiet, "
         "--check\n"
         "  plan FILE           chips, split, buckets and seats, and GPUs, that serve these "
         "requests "
         "within\n"
         "                      the limits of FILE, with the reason for each candidate. Takes "
         "--mode, "
         "--set,\n"
         "                      --out, --seed, --quiet, --check");
}

static void usage_print(void)
{
    fputs("usage: lpusim-mp FILE [OPTION]...\n"
          "       mpirun -np 8 lpusim-mp FILE [OPTION]...\n"
          "       lpusim-mp generate FILE --prompt TEXT | --prompt-ids ID,... --max-new N "
          "[OPTION]...\n"
          "       lpusim-mp attribute FILE [OPTION]...\n"
          "       lpusim-mp compile FILE -o X | run X | verify X | diff X Y | show X [OPTION]...\n"
          "       lpusim-mp store COMMAND ... | --help\n"
          "       lpusim-mp trace X.h5 -o T.json [OPTION]... | --help\n"
          "       lpusim-mp report X.h5 -o R.html\n"
          "       lpusim-mp kernel --gpu NAME --gemm m,n,k | --attention ... | --help\n"
          "       lpusim-mp collective --op NAME --bytes N ... | --help\n\n"
          "Compiles the language model of FILE for a rack of LPU chips and executes it, simulates\n"
          "the same request on a GPU cluster, and shows both side by side. The result is the same\n"
          "on any number of ranks; without mpirun one rank does it all.\n\n"
          "generate continues a prompt with what the LPU computes, always taking the likeliest\n"
          "token (greedy), and stops at the model's end token or after N tokens. Standard output\n"
          "carries the text, or with --print-ids the ids on one line (an end token among them),\n"
          "and nothing else.\n\n"
          "attribute simulates the request on the GPU cluster again and again, each time with one\n"
          "source of variability frozen, and shows what share of the variance and of the tail of\n"
          "the time between tokens it takes along. Takes --set, --out, --seed, --quiet.\n",
          stdout);
}

static void examples_print(void)
{
    fputs(
        "\nexamples\n"
        "  lpusim-mp configs/small.cfg                        seconds, one process\n"
        "  mpirun -np 8 lpusim-mp configs/rack.cfg            the main job, one chip a rank\n"
        "  lpusim-mp configs/rack.cfg --check                 what would run, with sources\n"
        "  lpusim-mp configs/rack.cfg --mode=gpu --set gpu.neighbour=false --json\n"
        "  lpusim-mp generate configs/sums.cfg --prompt \"347+585=\" --max-new 8\n"
        "  lpusim-mp compile configs/rack.cfg -o rack.lpu     the schedule as a file\n"
        "  lpusim-mp compile configs/rack.cfg -o store:tiny/canary --store DIR\n"
        "  mpirun -np 8 --allow-run-as-root --oversubscribe lpusim-mp configs/rack.cfg\n"
        "                                                     as root, on fewer cores than ranks\n"
        "\nexit status\n"
        "  0  done                          4  no progress: somebody waits for ever\n"
        "  1  failure                       5  a file could not be read or written\n"
        "  2  usage or configuration        6  the model does not fit\n"
        "  3  a schedule broke a promise    128 + N  stopped by signal N, file in order\n"
        "\nkeys of FILE and of --set (docs/reference.md says more)\n",
        stdout);
}

void app_command_help(void)
{
    usage_print();
    rows_print("options", OF_BOTH, OF_BOTH);
    rows_print("options without generate", OF_RUN, OF_BOTH);
    rows_print("options of generate", OF_GENERATE, OF_BOTH);
    artifacts_print();
    serve_print();
    rows_print("options of compile, run, verify, diff, show, rollout and buckets", 0, OF_BOTH);
    examples_print();
    config_help_print(stdout);
}
