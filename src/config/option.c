/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be asked of one row: find it, store a text in its field, say its value and its range. */
#include "config/option.h"

#include <string.h>

#include "base/memory.h"

const struct option *option_find(const char *key)
{
    for (const struct option *o = option_table; o < option_table + option_count; o++)
        if (strcmp(o->key, key) == 0)
            return o;
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance, one row of the matrix at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    size_t *row = base_alloc(n + 1, sizeof *row);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    size_t distance = row[n];
    base_free(row);
    return distance;
}

static const char *last_word(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

/* An abbreviation is near, however much it leaves out. */
static size_t word_distance(const char *word, const char *known)
{
    return strncmp(word, known, strlen(word)) == 0 ? 0 : edit_distance(word, known);
}

/* Distance of whole keys; where the word abbreviates, of the groups; where there is no group, of
 * words. */
static size_t key_distance(const char *key, const char *known)
{
    const char *word = last_word(key), *known_word = last_word(known);
    if (word == key)
        return edit_distance(word, known_word);
    if (strncmp(word, known_word, strlen(word)) != 0)
        return edit_distance(key, known);
    char *abbreviated = base_format("%.*s%s", (int)(known_word - known), known, word);
    size_t distance = edit_distance(key, abbreviated) + (strcmp(word, known_word) != 0);
    base_free(abbreviated);
    return distance;
}

const struct option *option_nearest(const char *key)
{
    const struct option *nearest = NULL;
    size_t best = SIZE_MAX;
    for (const struct option *o = option_table; o < option_table + option_count; o++) {
        /* the last word counts twice: the group is often right, or missing as a whole */
        size_t distance =
            key_distance(key, o->key) + word_distance(last_word(key), last_word(o->key));
        if (distance < best) {
            best = distance;
            nearest = o;
        }
    }
    return nearest;
}

static bool is_prefix(const char *prefix, const char *key)
{
    size_t n = strlen(prefix);
    return strncmp(prefix, key, n) == 0 && key[n] == '.';
}

bool option_is_of_group(const struct option *option, const char *group)
{
    return is_prefix(group, option->key);
}

bool option_is_group(const char *prefix)
{
    for (const struct option *o = option_table; o < option_table + option_count; o++)
        if (option_is_of_group(o, prefix))
            return true;
    return false;
}

static bool is_in_section(const struct option_section *section, const char *key)
{
    return *section->prefix ? is_prefix(section->prefix, key) : !strchr(key, '.');
}

const struct option_section *option_section_of(const char *key)
{
    const struct option_section *best = NULL;
    for (size_t i = 0; i < option_section_count; i++)
        if (is_in_section(&option_sections[i], key) &&
            (!best || strlen(best->prefix) < strlen(option_sections[i].prefix)))
            best = &option_sections[i];
    return best;
}

/* "lpu", "gpu" or "both"; free with base_free. */
static char *choice_list(const char *const *choice)
{
    char *list = base_format("\"%s\"", choice[0]);
    for (int i = 1; choice[i]; i++) {
        char *longer = base_format("%s%s\"%s\"", list, choice[i + 1] ? ", " : " or ", choice[i]);
        base_free(list);
        list = longer;
    }
    return list;
}

char *option_range(const struct option *option)
{
    if (option->type == OPTION_BOOL)
        return base_strdup("true, false, on or off");
    if (option->type == OPTION_CHOICE)
        return choice_list(option->choice);
    if (option->type == OPTION_PATH)
        return base_strdup("path of a file or folder that exists");
    if (option->type == OPTION_TEXT)
        return base_format("text of at most %zu bytes", option->bytes - 1);
    if (option->min && option->max)
        return base_format("%s to %s", option->min, option->max);
    if (option->min || option->max)
        return base_format("%s %s", option->min ? "at least" : "at most",
                           option->min ? option->min : option->max);
    return base_strdup("any number");
}

static char *range_fault(const struct option *option, const char *text)
{
    char *range = option_range(option);
    char *fault = base_format("%s is out of range: %s", text, range);
    base_free(range);
    return fault;
}

/* Bounds are texts of the table, so they parse. */
static bool integer_is_within(const struct option *option, int64_t value)
{
    char *error = NULL;
    int64_t min = option->type == OPTION_INT32 ? INT32_MIN : INT64_MIN;
    int64_t max = option->type == OPTION_INT32 ? INT32_MAX : INT64_MAX;
    if (option->min && !base_units_parse_integer(option->unit, option->min, &min, &error))
        base_free(error);
    if (option->max && !base_units_parse_integer(option->unit, option->max, &max, &error))
        base_free(error);
    return min <= value && value <= max;
}

static bool real_is_within(const struct option *option, double value)
{
    char *error = NULL;
    double min = value, max = value;
    if (option->min && !base_units_parse_real(option->unit, option->min, &min, &error))
        base_free(error);
    if (option->max && !base_units_parse_real(option->unit, option->max, &max, &error))
        base_free(error);
    return min <= value && value <= max;
}

static bool integer_store(const struct option *option, const char *text, void *field, char **error)
{
    int64_t value;
    if (!base_units_parse_integer(option->unit, text, &value, error))
        return false;
    if (!integer_is_within(option, value) ||
        (option->type == OPTION_INT32 && (value > INT32_MAX || value < INT32_MIN))) {
        *error = range_fault(option, text);
        return false;
    }
    if (option->type == OPTION_INT32)
        *(int32_t *)field = (int32_t)value;
    else
        *(int64_t *)field = value;
    return true;
}

static bool real_store(const struct option *option, const char *text, double *field, char **error)
{
    double value;
    if (!base_units_parse_real(option->unit, text, &value, error))
        return false;
    if (!real_is_within(option, value)) {
        *error = range_fault(option, text);
        return false;
    }
    *field = value;
    return true;
}

static bool bool_store(const char *text, bool *field, char **error)
{
    bool yes = strcmp(text, "true") == 0 || strcmp(text, "on") == 0;
    if (!yes && strcmp(text, "false") != 0 && strcmp(text, "off") != 0) {
        *error = base_format("\"%s\": write true, false, on or off", text);
        return false;
    }
    *field = yes;
    return true;
}

static bool choice_store(const struct option *option, const char *text, unsigned *field,
                         char **error)
{
    for (unsigned i = 0; option->choice[i]; i++)
        if (strcmp(text, option->choice[i]) == 0) {
            *field = i;
            return true;
        }
    char *list = choice_list(option->choice);
    *error = base_format("\"%s\": write %s", text, list);
    base_free(list);
    return false;
}

static bool text_store(const struct option *option, const char *text, char *field, char **error)
{
    size_t bytes = strlen(text) + 1;
    if (bytes > option->bytes) {
        *error =
            base_format("\"%.40s...\" is too long: at most %zu bytes", text, option->bytes - 1);
        return false;
    }
    memcpy(field, text, bytes);
    return true;
}

/* One item of a ladder, [from, end). */
static bool rung_store(const struct option *option, const char *from, const char *end,
                       struct bucket *bucket, char **error)
{
    int64_t value = 0;
    char *item = base_format("%.*s", (int)(end - from), from);
    bool number = base_units_parse_integer(option->unit, item, &value, error);
    if (number && !integer_is_within(option, value))
        *error = range_fault(option, item);
    else if (number && value <= bucket->max_sequence)
        *error = base_format("%s after %d: the positions of a ladder ascend", item,
                             bucket->max_sequence);
    else if (number && bucket->rungs == BUCKET_RUNGS)
        *error = base_format("%s is one too many: a ladder has up to %d", item, BUCKET_RUNGS + 1);
    base_free(item);
    if (*error)
        return false;
    if (bucket->max_sequence > 0)
        bucket->rung[bucket->rungs++] = bucket->max_sequence;
    bucket->max_sequence = (int32_t)value;
    return true;
}

static bool ladder_store(const struct option *option, const char *text, struct bucket *bucket,
                         char **error)
{
    struct bucket ladder = *bucket;
    ladder.max_sequence = ladder.rungs = 0;
    for (const char *end = text; *end || end == text; text = end + 1) {
        end = text + strcspn(text, ",");
        if (!rung_store(option, text, end, &ladder, error))
            return false;
        if (!*end)
            break;
    }
    *bucket = ladder;
    return true;
}

/* "512,1024,2048"; free with base_free. */
static char *ladder_text(const struct bucket *bucket)
{
    char *text = base_strdup("");
    for (int32_t n = 0; n <= bucket->rungs; n++) {
        int32_t value = n < bucket->rungs ? bucket->rung[n] : bucket->max_sequence;
        char *longer = base_format("%s%s%d", text, n ? "," : "", value);
        base_free(text);
        text = longer;
    }
    return text;
}

bool option_store(const struct option *option, const char *text, struct scenario *scenario,
                  char **error)
{
    void *field = (char *)scenario + option->offset;
    switch (option->type) {
    case OPTION_INT32:
    case OPTION_INT64:
        return integer_store(option, text, field, error);
    case OPTION_REAL:
        return real_store(option, text, field, error);
    case OPTION_LADDER:
        return ladder_store(option, text, &scenario->bucket, error);
    case OPTION_BOOL:
        return bool_store(text, field, error);
    case OPTION_CHOICE:
        return choice_store(option, text, field, error);
    case OPTION_TEXT:
    case OPTION_PATH:
        break;
    }
    return text_store(option, text, field, error);
}

char *option_text(const struct option *option, const struct scenario *scenario)
{
    const void *field = option_field(option, scenario);
    switch (option->type) {
    case OPTION_INT32:
        return base_units_print_integer(option->unit, *(const int32_t *)field);
    case OPTION_INT64:
        return base_units_print_integer(option->unit, *(const int64_t *)field);
    case OPTION_REAL:
        return base_units_print_real(option->unit, *(const double *)field);
    case OPTION_LADDER:
        return ladder_text(&scenario->bucket);
    case OPTION_BOOL:
        return base_strdup(*(const bool *)field ? "true" : "false");
    case OPTION_CHOICE:
        return base_strdup(option->choice[*(const unsigned *)field]);
    case OPTION_TEXT:
    case OPTION_PATH:
        break;
    }
    return base_strdup(field);
}

const char *option_unit(const struct option *option)
{
    bool number = option->type == OPTION_INT32 || option->type == OPTION_INT64 ||
                  option->type == OPTION_REAL || option->type == OPTION_LADDER;
    return number ? base_units_base(option->unit) : "";
}
