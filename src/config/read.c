/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks .cfg files and overrides into a scenario; keeps going after a fault, so that one run shows
 * all. */
#include "config/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libconfig.h>

#include "base/memory.h"
#include "config/check.h"
#include "config/option.h"
#include "config/sources.h"
#include "config/text.h"

enum { DEEPEST_REFERENCE = 10 };

struct reader {
    struct scenario *scenario;
    struct config_sources *sources;
    struct base_report *report;
    int depth; /* files that refer to each other */
};

/* A setting's value is written in a file at a line, or in --set (file NULL). */
struct given {
    enum config_origin origin;
    const char *file;
    int line;
};

static void group_read(struct reader *r, const config_setting_t *group, const char *prefix,
                       const struct config_text *text);

static const char *blame(const struct given *given)
{
    return given->origin == CONFIG_SET ? "--set" : given->file;
}

/* Values below `prefix` were not read, for a reason already reported: they are not "missing". */
static void mark_unread(struct reader *r, const char *prefix)
{
    size_t n = strlen(prefix);
    for (const struct option *o = option_table; o < option_table + option_count; o++)
        if (strncmp(o->key, prefix, n) == 0 &&
            config_source_of(r->sources, o)->origin == CONFIG_ABSENT)
            config_source_note(r->sources, o, CONFIG_FAULTY, NULL, 0);
}

static char *key_below(const char *prefix, const char *name)
{
    return base_format("%s%s%s", prefix, *prefix ? "." : "", name);
}

/* "$HOME/models/x" with the variable's value; NULL with *error set where there is none. */
static char *environment_expand(const char *path, char **error)
{
    const char *dollar = strchr(path, '$');
    if (!dollar)
        return base_strdup(path);
    const char *name = dollar + (dollar[1] == '{' ? 2 : 1), *end = name;
    while (isalnum((unsigned char)*end) || *end == '_')
        end++;
    char *variable = base_format("%.*s", (int)(end - name), name);
    const char *value = getenv(variable);
    if (!value)
        *error = base_format("\"%s\": the environment has no %s", path, variable);
    base_free(variable);
    char *rest = value ? environment_expand(end + (dollar[1] == '{' && *end == '}'), error) : NULL;
    char *whole = rest ? base_format("%.*s%s%s", (int)(dollar - path), path, value, rest) : NULL;
    base_free(rest);
    return whole;
}

static char *absolute_path(const char *path)
{
    char folder[MACHINE_PATH_BYTES];
    if (path[0] == '/' || !getcwd(folder, sizeof folder))
        return base_strdup(path);
    return base_format("%s/%s", folder, path);
}

/* The absolute path of a file to read; NULL with *error set where it is not there. */
static char *input_path(const char *text, const char *beside, char **error)
{
    char *expanded = environment_expand(text, error);
    if (!expanded)
        return NULL;
    char *path = beside ? config_path_beside(beside, expanded) : base_strdup(expanded);
    char *absolute = access(path, R_OK) == 0 ? absolute_path(path) : NULL;
    if (!absolute)
        *error = base_format("\"%s\" is not there (looked for %s)", text, path);
    base_free(path);
    base_free(expanded);
    return absolute;
}

/* "" is no path; it is right where an option may name no file. */
static bool path_store(struct reader *r, const struct option *option, const char *text,
                       const struct given *given, char **error)
{
    if (!*text && option->default_text)
        return option_store(option, text, r->scenario, error);
    char *path = input_path(text, given->file, error);
    bool stored = path && option_store(option, path, r->scenario, error);
    base_free(path);
    return stored;
}

static void value_take(struct reader *r, const struct option *option, const char *text,
                       const struct given *given)
{
    char *error = NULL;
    bool named = option->type == OPTION_PATH && given->origin != CONFIG_KEPT;
    bool stored = named ? path_store(r, option, text, given, &error)
                        : option_store(option, text, r->scenario, &error);
    if (!stored)
        base_report_add(r->report, blame(given), given->line, "%s: %s", option->key, error);
    base_free(error);
    config_source_note(r->sources, option, stored ? given->origin : CONFIG_FAULTY, given->file,
                       given->line);
}

static void unknown_key(struct reader *r, const char *key, const struct given *given)
{
    base_report_add(r->report, blame(given), given->line,
                    "unknown key \"%s\"; the nearest known one is \"%s\"", key,
                    option_nearest(key)->key);
}

/* libconfig's complaint, with the line it stumbled over. */
static void syntax_fault(struct reader *r, const config_t *config, const struct config_text *text)
{
    unsigned line = (unsigned)(config_error_line(config) > 0 ? config_error_line(config) : 1);
    struct config_place place = config_text_place(text, line);
    const char *p = text->text;
    for (unsigned i = 1; i < line && strchr(p, '\n'); i++)
        p = strchr(p, '\n') + 1;
    p += strspn(p, " \t");
    bool twice = strstr(config_error_text(config), "duplicate") != NULL;
    base_report_add(r->report, place.file, place.line, "%s at \"%.*s\"%s",
                    config_error_text(config), (int)strcspn(p, "\n"), p,
                    twice ? ": write each key once" : "");
}

/* Reads `path` as the keys below `prefix`. */
static void file_read(struct reader *r, const char *path, const char *prefix)
{
    struct config_text text;
    if (!config_text_read(path, &text, r->report)) {
        mark_unread(r, prefix);
        config_text_release(&text);
        return;
    }
    config_t config;
    config_init(&config);
    bool parsed = config_read_string(&config, text.text) == CONFIG_TRUE;
    if (!parsed)
        syntax_fault(r, &config, &text);
    r->depth++;
    group_read(r, config_root_setting(&config), prefix, &text);
    r->depth--;
    if (!parsed || text.incomplete)
        mark_unread(r, prefix);
    config_destroy(&config);
    config_text_release(&text);
}

/* `prefix` is described in a file of its own, named relative to the file that says so, and by
 * nothing that was read before. */
static void reference_read(struct reader *r, const char *prefix, const char *name,
                           const struct given *given)
{
    if (r->depth >= DEEPEST_REFERENCE) {
        base_report_add(r->report, blame(given), given->line,
                        "\"%s\": files refer to each other without end", name);
        mark_unread(r, prefix);
        return;
    }
    char *path = given->file ? config_path_beside(given->file, name) : base_strdup(name);
    if (access(path, R_OK) == 0) {
        config_sources_forget(r->sources, prefix);
        file_read(r, path, prefix);
    } else {
        base_report_add(r->report, blame(given), given->line,
                        "%s: \"%s\" is not there (looked for %s)", prefix, name, path);
        mark_unread(r, prefix);
    }
    base_free(path);
}

/* The value of a scalar as a user writes it; free with base_free. */
static char *scalar_text(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return base_format("%lld", config_setting_get_int64(setting));
    case CONFIG_TYPE_FLOAT:
        return base_units_print_real(BASE_UNITS_COUNT, config_setting_get_float(setting));
    case CONFIG_TYPE_BOOL:
        return base_strdup(config_setting_get_bool(setting) ? "true" : "false");
    default:
        return base_strdup(config_setting_get_string(setting));
    }
}

/* The items of an array with commas; free with base_free. */
static char *array_text(const config_setting_t *setting)
{
    char *text = base_strdup("");
    for (int i = 0; i < config_setting_length(setting); i++) {
        char *item = scalar_text(config_setting_get_elem(setting, (unsigned)i));
        char *longer = base_format("%s%s%s", text, i ? "," : "", item);
        base_free(item);
        base_free(text);
        text = longer;
    }
    return text;
}

static bool wants_quotes(const struct option *option)
{
    return option->type == OPTION_TEXT || option->type == OPTION_PATH ||
           option->type == OPTION_CHOICE;
}

static void option_read(struct reader *r, const struct option *option,
                        const config_setting_t *setting, const struct given *given)
{
    bool array = option->type == OPTION_LADDER && config_setting_is_array(setting);
    if ((config_setting_is_aggregate(setting) && !array) ||
        (wants_quotes(option) && config_setting_type(setting) != CONFIG_TYPE_STRING)) {
        char *range = option_range(option);
        base_report_add(r->report, given->file, given->line, "%s: one value is wanted%s: %s",
                        option->key, wants_quotes(option) ? ", in quotes" : "", range);
        base_free(range);
        config_source_note(r->sources, option, CONFIG_FAULTY, NULL, 0);
        return;
    }
    char *text = array ? array_text(setting) : scalar_text(setting);
    value_take(r, option, text, given);
    base_free(text);
}

static void group_refuse(struct reader *r, const char *key, const struct given *given)
{
    base_report_add(r->report, given->file, given->line,
                    "%s: a group { ... } or the name of a file is wanted", key);
    mark_unread(r, key);
}

/* A setting that is no option: a group, a reference to a file, or a mistake. */
static void other_read(struct reader *r, const char *key, const config_setting_t *setting,
                       const struct given *given, const struct config_text *text)
{
    if (config_setting_is_group(setting) && config_setting_length(setting) > 0)
        group_read(r, setting, key, text);
    else if (!option_is_group(key))
        unknown_key(r, key, given);
    else if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        reference_read(r, key, config_setting_get_string(setting), given);
    else if (!config_setting_is_group(setting))
        group_refuse(r, key, given);
}

static struct given given_at(const config_setting_t *setting, const struct config_text *text)
{
    struct config_place place = config_text_place(text, config_setting_source_line(setting));
    return (struct given){CONFIG_FILE, place.file, place.line};
}

/* `file = "base.cfg"` in a group: its keys first, then the group's own. */
static void base_file_read(struct reader *r, const config_setting_t *group, const char *prefix,
                           const struct config_text *text)
{
    const config_setting_t *base = config_setting_get_member(group, "file");
    if (!base)
        return;
    struct given given = given_at(base, text);
    if (config_setting_type(base) == CONFIG_TYPE_STRING)
        reference_read(r, prefix, config_setting_get_string(base), &given);
    else
        base_report_add(r->report, given.file, given.line, "file: the name of a file is wanted");
}

/* A setting at which the parser gave up. */
static bool is_unfinished(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_NONE;
}

static void group_read(struct reader *r, const config_setting_t *group, const char *prefix,
                       const struct config_text *text)
{
    base_file_read(r, group, prefix, text);
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        if (strcmp(config_setting_name(setting), "file") == 0 || is_unfinished(setting))
            continue;
        char *key = key_below(prefix, config_setting_name(setting));
        const struct option *option = option_find(key);
        struct given given = given_at(setting, text);
        if (option)
            option_read(r, option, setting, &given);
        else
            other_read(r, key, setting, &given, text);
        base_free(key);
    }
}

/* Without blanks around it and one pair of quotes; free with base_free. */
static char *trimmed(const char *from, const char *end)
{
    while (from < end && isspace((unsigned char)*from))
        from++;
    while (from < end && isspace((unsigned char)end[-1]))
        end--;
    if (end - from >= 2 && *from == '"' && end[-1] == '"')
        from++, end--;
    return base_format("%.*s", (int)(end - from), from);
}

static void override_read(struct reader *r, const char *override, const struct given *given)
{
    const char *equals = strchr(override, '=');
    if (!equals) {
        base_report_add(r->report, blame(given), given->line, "\"%s\": write key=value", override);
        return;
    }
    char *key = trimmed(override, equals);
    char *value = trimmed(equals + 1, equals + strlen(equals));
    const struct option *option = option_find(key);
    if (option)
        value_take(r, option, value, given);
    else if (option_is_group(key) && given->origin == CONFIG_SET)
        reference_read(r, key, value, given);
    else
        unknown_key(r, key, given);
    base_free(key);
    base_free(value);
}

static void defaults_take(struct reader *r)
{
    for (const struct option *o = option_table; o < option_table + option_count; o++)
        if (o->default_text && config_source_of(r->sources, o)->origin == CONFIG_ABSENT)
            value_take(r, o, o->default_text, &(struct given){.origin = CONFIG_DEFAULT});
}

/* The file that gave other values of the section, or `fallback`; *any: whether there was one. */
static const char *section_file(const struct reader *r, const struct option_section *section,
                                const char *fallback, bool *any)
{
    for (const struct option *o = option_table; o < option_table + option_count; o++) {
        const struct config_source *source = config_source_of(r->sources, o);
        if (option_section_of(o->key) != section || source->origin == CONFIG_ABSENT ||
            source->origin == CONFIG_DEFAULT)
            continue;
        *any = true;
        if (source->file)
            return source->file;
    }
    return fallback;
}

/* Reports what the section lacks: by its own name where nothing of it was given, else key by key.
 */
static void section_require(struct reader *r, const struct option_section *section,
                            const char *main_file)
{
    bool any = false;
    const char *file = section_file(r, section, main_file, &any);
    for (const struct option *o = option_table; o < option_table + option_count; o++) {
        if (option_section_of(o->key) != section ||
            config_source_of(r->sources, o)->origin != CONFIG_ABSENT)
            continue;
        if (!any && section->folder && o->type != OPTION_PATH) {
            base_report_add(r->report, file, 0,
                            "%s is missing: name a file of %s/ or write a group", section->prefix,
                            section->folder);
            return;
        }
        char *range = option_range(o);
        base_report_add(r->report, file, 0, "%s is missing: %s (%s)", o->key, o->help, range);
        base_free(range);
    }
}

/* What files or kept values leave to do: overrides, defaults, and a look at the whole. */
static void finish(struct reader *r, const char *file, const char *const *override, size_t count)
{
    const struct given given = {.origin = CONFIG_SET};
    for (size_t i = 0; i < count; i++)
        override_read(r, override[i], &given);
    defaults_take(r);
    for (size_t i = 0; i < option_section_count; i++)
        if (config_side_is_wanted(r->scenario, r->sources, option_sections[i].side))
            section_require(r, &option_sections[i], file);
    config_check(r->scenario, r->sources, r->report);
}

bool config_scenario_read(const char *file, const char *const *override, size_t count,
                          struct scenario *scenario, struct base_report *report)
{
    size_t faults_before = report->count;
    *scenario = (struct scenario){.sources = config_sources_new()};
    struct reader reader = {scenario, scenario->sources, report, 0};
    file_read(&reader, file, "");
    finish(&reader, file, override, count);
    return report->count == faults_before;
}

bool config_scenario_restore(const char *file, const char *const *kept, size_t kept_count,
                             const char *const *override, size_t count, struct scenario *scenario,
                             struct base_report *report)
{
    size_t faults_before = report->count;
    *scenario = (struct scenario){.sources = config_sources_new()};
    struct reader reader = {scenario, scenario->sources, report, 0};
    for (size_t i = 0; i < kept_count; i++)
        override_read(&reader, kept[i], &(struct given){CONFIG_KEPT, file, (int)i + 1});
    finish(&reader, file, override, count);
    return report->count == faults_before;
}

/* A scenario of one group alone; `what` it describes. */
static bool lone_group_read(const char *group, const char *what, const char *file,
                            const char *const *override, size_t count, struct scenario *scenario,
                            struct base_report *report)
{
    const struct given set = {.origin = CONFIG_SET};
    size_t faults_before = report->count;
    *scenario = (struct scenario){.sources = config_sources_new()};
    struct reader reader = {scenario, scenario->sources, report, 0};
    if (access(file, R_OK) != 0) {
        base_report_add(report, NULL, 0, "%s is not there: a description of %s is wanted", file,
                        what);
        mark_unread(&reader, group);
    } else {
        file_read(&reader, file, group);
    }
    for (size_t i = 0; i < count; i++)
        override_read(&reader, override[i], &set);
    defaults_take(&reader);
    for (size_t i = 0; i < option_section_count; i++)
        if (strcmp(option_sections[i].prefix, group) == 0)
            section_require(&reader, &option_sections[i], file);
    return report->count == faults_before;
}

bool config_gpu_chip_read(const char *file, const char *const *override, size_t count,
                          struct gpu_chip *chip, struct base_report *report)
{
    struct scenario scenario;
    bool good = lone_group_read("gpu.chip", "a GPU", file, override, count, &scenario, report);
    *chip = scenario.gpu_chip;
    config_scenario_release(&scenario);
    return good;
}

bool config_gpu_cluster_read(const char *file, const char *const *override, size_t count,
                             struct gpu_cluster_spec *cluster, struct base_report *report)
{
    struct scenario scenario;
    bool good =
        lone_group_read("gpu.cluster", "a cluster", file, override, count, &scenario, report);
    *cluster = scenario.gpu_cluster;
    config_scenario_release(&scenario);
    return good;
}

void config_scenario_counted(struct scenario *scenario, const char *key)
{
    if (scenario->sources)
        config_source_note(scenario->sources, option_find(key), CONFIG_COUNTED, NULL, 0);
}

void config_scenario_release(struct scenario *scenario)
{
    config_sources_free(scenario->sources);
    *scenario = (struct scenario){0};
}
