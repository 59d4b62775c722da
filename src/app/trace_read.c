/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of lpusim-mp trace, from a table of options. */
#include <string.h>

#include "app/trace.h"
#include "base/memory.h"
#include "base/units.h"
#include "config/ids.h"

enum { MOST_SLICES = 1000000 };

struct reading {
    struct app_trace_question *asked;
    struct base_report *report;
    bool stepped;
};

struct option {
    const char *name;
    void (*take)(struct reading *r, const char *name, const char *value);
};

static void output_take(struct reading *r, const char *name, const char *value)
{
    (void)name;
    r->asked->output = value;
}

/* "2.2 ms", or `otherwise` where nothing stands there. */
static int64_t time_take(struct reading *r, const char *text, int64_t otherwise)
{
    int64_t ps = otherwise;
    char *error = NULL;
    if (*text && !base_units_parse_integer(BASE_UNITS_TIME, text, &ps, &error)) {
        base_report_add(r->report, NULL, 0, "--window: \"%s\": %s", text, error);
        base_free(error);
    }
    return ps;
}

static void window_take(struct reading *r, const char *name, const char *value)
{
    const char *dots = strstr(value, "..");
    if (!dots) {
        base_report_add(r->report, NULL, 0, "--%s %s: FROM..TO is wanted: \"2 ms..2.5 ms\"", name,
                        value);
        return;
    }
    char *from = base_format("%.*s", (int)(dots - value), value);
    r->asked->windowed = true;
    r->asked->from_ps = time_take(r, from, 0);
    r->asked->to_ps = time_take(r, dots + 2, INT64_MAX);
    base_free(from);
    if (r->asked->from_ps < 0 || r->asked->to_ps <= r->asked->from_ps)
        base_report_add(r->report, NULL, 0, "--%s %s: must end behind its begin, from 0 on", name,
                        value);
}

static void number_take(struct reading *r, const char *name, const char *value, int32_t *number)
{
    if (!config_number_parse(value, value + strlen(value), number))
        base_report_add(r->report, NULL, 0, "--%s %s: a whole number is wanted", name, value);
}

static void step_take(struct reading *r, const char *name, const char *value)
{
    r->stepped = true;
    number_take(r, name, value, &r->asked->step);
}

static void most_take(struct reading *r, const char *name, const char *value)
{
    int32_t most = MOST_SLICES;
    number_take(r, name, value, &most);
    r->asked->most = most;
}

/* "3" or "4-7", up to `end`. */
static bool range_take(struct app_trace_list *list, const char *text, const char *end)
{
    const char *dash = memchr(text, '-', (size_t)(end - text));
    size_t n = list->ranges;
    if (n == APP_TRACE_RANGES || !config_number_parse(text, dash ? dash : end, &list->from[n]))
        return false;
    list->to[n] = list->from[n];
    if (dash && !config_number_parse(dash + 1, end, &list->to[n]))
        return false;
    list->ranges++;
    return list->to[n] >= list->from[n];
}

static void list_take(struct reading *r, const char *name, const char *value,
                      struct app_trace_list *list)
{
    for (const char *at = value; at; at = *at == ',' ? at + 1 : NULL) {
        const char *end = at + strcspn(at, ",");
        if (!range_take(list, at, end)) {
            base_report_add(r->report, NULL, 0, "--%s %s: numbers and ranges are wanted: 0,4-7",
                            name, value);
            return;
        }
        at = end;
    }
}

static void chips_take(struct reading *r, const char *name, const char *value)
{
    list_take(r, name, value, &r->asked->chips);
}

static void gpus_take(struct reading *r, const char *name, const char *value)
{
    list_take(r, name, value, &r->asked->gpus);
}

static const struct option options[] = {
    {"o", output_take},  {"window", window_take}, {"step", step_take},
    {"most", most_take}, {"chip", chips_take},    {"gpu", gpus_take},
};

/* The option of "--name" or "-o", of `length` letters behind its dashes; NULL: there is none. */
static const struct option *option_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].name) == length && !strncmp(options[i].name, name, length))
            return &options[i];
    return NULL;
}

static void file_take(struct reading *r, const char *name)
{
    if (r->asked->file)
        base_report_add(r->report, NULL, 0, "%s and %s: one file of a run is enough",
                        r->asked->file, name);
    r->asked->file = name;
}

/* One word; returns how many further words it took. */
static int word_read(struct reading *r, char **word, int left)
{
    if (word[0][0] != '-') {
        file_take(r, word[0]);
        return 0;
    }
    const char *name = word[0] + 1 + (word[0][1] == '-'), *equals = strchr(name, '=');
    const struct option *option =
        option_find(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!strcmp(word[0], "--help"))
        r->asked->help = true;
    else if (!option)
        base_report_add(r->report, NULL, 0, "trace: unknown option %s; see trace --help", word[0]);
    else if (!equals && left == 0)
        base_report_add(r->report, NULL, 0, "%s needs an argument; see trace --help", word[0]);
    else
        option->take(r, option->name, equals ? equals + 1 : word[1]);
    return option && !equals && left > 0;
}

struct app_trace_question app_trace_read(int argc, char **argv, struct base_report *report)
{
    struct app_trace_question asked = {.most = MOST_SLICES};
    struct reading r = {.asked = &asked, .report = report};
    for (int i = 0; i < argc; i++)
        i += word_read(&r, argv + i, argc - i - 1);
    if (asked.help)
        return asked;
    if (!asked.file)
        base_report_add(report, NULL, 0,
                        "trace: no file of a run; try: lpusim-mp trace rack.h5 -o rack.json");
    if (!asked.output)
        base_report_add(report, NULL, 0, "trace needs -o T.json: the file to write");
    if (asked.windowed && r.stepped)
        base_report_add(report, NULL, 0, "--window and --step: one of the two is enough");
    return asked;
}
