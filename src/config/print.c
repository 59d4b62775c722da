/* SPDX-License-Identifier: BSD-3-Clause */
/* The table read the other way: echo of a scenario, iteration, --help and the reference page. */
#include "config/config.h"

#include <string.h>

#include "base/memory.h"
#include "config/option.h"
#include "config/sources.h"

/* A ladder of one is a number. */
static enum config_value_type value_type(const struct option *option,
                                         const struct scenario *scenario)
{
    switch (option->type) {
    case OPTION_INT32:
    case OPTION_INT64:
        return CONFIG_INTEGER;
    case OPTION_REAL:
        return CONFIG_REAL;
    case OPTION_LADDER:
        return scenario->bucket.rungs ? CONFIG_TEXT : CONFIG_INTEGER;
    case OPTION_BOOL:
        return CONFIG_BOOL;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_CHOICE:
        break;
    }
    return CONFIG_TEXT;
}

static void number_fill(struct config_value *value, const struct option *option, const void *field)
{
    if (option->type == OPTION_INT32 || option->type == OPTION_LADDER)
        value->integer = *(const int32_t *)field;
    if (option->type == OPTION_INT64)
        value->integer = *(const int64_t *)field;
    if (option->type == OPTION_BOOL)
        value->integer = *(const bool *)field;
    if (option->type == OPTION_REAL)
        value->real = *(const double *)field;
}

void config_scenario_for_each(const struct scenario *scenario,
                              void (*visit)(void *context, const struct config_value *value),
                              void *context)
{
    static const struct config_source by_hand = {.origin = CONFIG_ABSENT};
    for (const struct option *o = option_table; o < option_table + option_count; o++) {
        const struct config_source *source =
            scenario->sources ? config_source_of(scenario->sources, o) : &by_hand;
        if (scenario->sources && source->origin < CONFIG_DEFAULT)
            continue;
        char *text = option_text(o, scenario), *from = config_source_text(source);
        struct config_value value = {.key = o->key,
                                     .text = text,
                                     .unit = option_unit(o),
                                     .source = from,
                                     .type = value_type(o, scenario)};
        number_fill(&value, o, option_field(o, scenario));
        visit(context, &value);
        base_free(text);
        base_free(from);
    }
}

/* The groups that are open while the echo is written: "lpu.chip". */
struct echo {
    FILE *stream;
    char group[64];
};

static void indent(FILE *stream, int depth)
{
    fprintf(stream, "%*s", 4 * depth, "");
}

static int group_depth(const char *group)
{
    int depth = *group != '\0';
    for (const char *p = group; *p; p++)
        depth += *p == '.';
    return depth;
}

static bool is_inside(const char *group, const char *key)
{
    size_t n = strlen(group);
    return n == 0 || (strncmp(group, key, n) == 0 && key[n] == '.');
}

static void group_close(struct echo *echo)
{
    char *dot = strrchr(echo->group, '.');
    *(dot ? dot : echo->group) = '\0';
    indent(echo->stream, group_depth(echo->group));
    fputs("};\n", echo->stream);
}

static void group_open(struct echo *echo, const char *key)
{
    size_t opened = strlen(echo->group), from = opened ? opened + 1 : 0;
    size_t length = strcspn(key + from, ".");
    indent(echo->stream, group_depth(echo->group));
    fprintf(echo->stream, "%.*s = {\n", (int)length, key + from);
    snprintf(echo->group, sizeof echo->group, "%.*s", (int)(from + length), key);
}

/* Closes and opens groups until `key` stands directly in the open one; returns its last word. */
static const char *group_enter(struct echo *echo, const char *key)
{
    while (!is_inside(echo->group, key))
        group_close(echo);
    size_t from;
    while (from = strlen(echo->group), strchr(key + from + (from > 0), '.'))
        group_open(echo, key);
    return key + from + (from > 0);
}

static void quoted_print(const char *text, FILE *stream)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

/* Quantities with a unit, texts: quoted. Plain numbers and bool: not. */
static bool is_quoted(const struct config_value *value)
{
    return value->type == CONFIG_TEXT ||
           (value->type != CONFIG_BOOL && strcmp(value->unit, "1") != 0);
}

static void value_print(void *context, const struct config_value *value)
{
    struct echo *echo = context;
    const char *name = group_enter(echo, value->key);
    indent(echo->stream, group_depth(echo->group));
    fprintf(echo->stream, "%s = ", name);
    if (is_quoted(value))
        quoted_print(value->text, echo->stream);
    else
        fputs(value->text, echo->stream);
    fprintf(echo->stream, ";%s%s\n", *value->source ? " # " : "", value->source);
}

void config_scenario_print(const struct scenario *scenario, FILE *stream)
{
    struct echo echo = {.stream = stream};
    config_scenario_for_each(scenario, value_print, &echo);
    while (*echo.group)
        group_close(&echo);
}

static void default_print(const struct option *option, FILE *stream)
{
    if (!option->default_text)
        fputs("required", stream);
    else if (*option->default_text == '\0')
        fputs("default empty", stream);
    else
        fprintf(stream, "default %s", option->default_text);
}

void config_help_print(FILE *stream)
{
    const struct option_section *section = NULL;
    for (const struct option *o = option_table; o < option_table + option_count; o++) {
        if (option_section_of(o->key) != section) {
            section = option_section_of(o->key);
            fprintf(stream, "\n%s\n", section->title);
        }
        char *range = option_range(o);
        fprintf(stream, "  %s\n      %s\n      %s; ", o->key, o->help, range);
        default_print(o, stream);
        fputc('\n', stream);
        base_free(range);
    }
}

static const char reference_intro[] =
    "<!-- SPDX-License-Identifier: BSD-3-Clause -->\n"
    "# Every option\n"
    "\n"
    "This page is written from the option table of the program.\n"
    "\n"
    "A key `lpu.rack.nodes` is `nodes` in the group `rack` in the group `lpu` of a `.cfg`\n"
    "file, or `--set lpu.rack.nodes=9` on the command line, which wins over files.\n"
    "A key without a dot stands in no group: `values = true;`.\n"
    "\n"
    "- Quantities are texts with a unit: `\"900 MHz\"`, `\"2.5 MiB\"`, `\"722 ns\"`.\n"
    "  Cycles, bytes and shares may also be plain numbers.\n"
    "- Integers of up to 64 bits need no suffix; fractions may be written as `25`.\n"
    "- What is `true` or `false` may also be `\"on\"` or `\"off\"`, in a file with quotes.\n"
    "- Any group may be a file of its own: `chip = \"chips/lpu-v1.cfg\"`.\n"
    "- Single values of such a file are changed like this:\n"
    "  `chip = { file = \"chips/lpu-v1.cfg\"; clock = \"1 GHz\"; }`.\n"
    "- Names of files are relative to the file they stand in, on the command line to\n"
    "  the working directory. `@include` works the same way.\n"
    "- A machine that `run.mode` leaves out need not be described.\n";

static void section_write(const struct option_section *section, FILE *stream)
{
    if (*section->prefix)
        fprintf(stream, "\n## %s: `%s`\n\n", section->title, section->prefix);
    else
        fprintf(stream, "\n## %s\n\n", section->title);
    if (section->folder)
        fprintf(stream, "Shipped descriptions: `configs/%s/`.\n\n", section->folder);
    fputs("| key | meaning | values | default |\n|---|---|---|---|\n", stream);
}

/* "1 MHz to 10 GHz; in Hz, kHz, MHz, GHz" */
static void values_write(const struct option *option, FILE *stream)
{
    char *range = option_range(option), *units = base_units_accepted(option->unit);
    bool number = *option_unit(option) != '\0';
    fprintf(stream, "%s%s%s", range, number && *units ? "; in " : "", number ? units : "");
    base_free(range);
    base_free(units);
}

static void row_write(const struct option *option, FILE *stream)
{
    fprintf(stream, "| `%s` | %s | ", option->key, option->help);
    values_write(option, stream);
    if (!option->default_text)
        fputs(" | required |\n", stream);
    else if (*option->default_text == '\0')
        fputs(" | empty |\n", stream);
    else
        fprintf(stream, " | %s |\n", option->default_text);
}

void config_reference_write(FILE *stream)
{
    const struct option_section *section = NULL;
    fputs(reference_intro, stream);
    for (const struct option *o = option_table; o < option_table + option_count; o++) {
        if (option_section_of(o->key) != section) {
            section = option_section_of(o->key);
            section_write(section, stream);
        }
        row_write(o, stream);
    }
}
