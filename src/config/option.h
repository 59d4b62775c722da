/* SPDX-License-Identifier: BSD-3-Clause */
/* The option table: one row per option drives reading, bounds, --set, --help, the echo and the
 * reference. */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "config/scenario.h"

enum option_type {
    OPTION_INT32,
    OPTION_INT64,
    OPTION_REAL,
    OPTION_LADDER, /* ascending positions of struct bucket, the last of them max_sequence */
    OPTION_BOOL,
    OPTION_TEXT,
    OPTION_PATH,   /* of a file to read: made absolute, relative to the file that names it */
    OPTION_CHOICE, /* an enum, each value with a name */
};

/* For which machine an option is wanted; a run of the other one may leave it out. */
enum option_side {
    OPTION_SHARED,
    OPTION_LPU,
    OPTION_GPU,
};

/* A group of keys. Any group may be given as the name of a file of its own; keys of no group have
 * the section with the prefix "". */
struct option_section {
    const char *prefix; /* "lpu.chip" */
    enum option_side side;
    const char *folder; /* where such files are shipped; NULL: usually written in place */
    const char *title;
};

struct option {
    const char *key;
    enum option_type type;
    enum base_units unit;
    const char *min, *max;    /* in the words of a user; NULL: no bound */
    const char *default_text; /* NULL: required */
    size_t offset, bytes;     /* of the field in struct scenario */
    const char *help;
    const char *const *choice; /* OPTION_CHOICE: names by value, NULL behind the last */
};

extern const struct option option_table[];
extern const size_t option_count;
extern const struct option_section option_sections[];
extern const size_t option_section_count;

const struct option *option_find(const char *key);

/* The known key with the least edit distance to `key`. */
const struct option *option_nearest(const char *key);

/* The section with the longest prefix of `key`, "" being one of keys without a dot; NULL where none
 * has one. */
const struct option_section *option_section_of(const char *key);

/* Whether the option's key continues `group` with a dot, and whether some key does. */
bool option_is_of_group(const struct option *option, const char *group);
bool option_is_group(const char *prefix);

/* Parses `text` and puts the value into `scenario`. On failure leaves it alone and sets *error to
 * what is wrong and what would be right; free it with base_free. */
bool option_store(const struct option *option, const char *text, struct scenario *scenario,
                  char **error);

/* The value in the words of a user; free with base_free. */
char *option_text(const struct option *option, const struct scenario *scenario);

/* Base unit of a number, "" for text and bool. */
const char *option_unit(const struct option *option);

/* "1 to 33", "at least 1", "true, false, on or off", ...; free with base_free. */
char *option_range(const struct option *option);

static inline const void *option_field(const struct option *option, const struct scenario *scenario)
{
    return (const char *)scenario + option->offset;
}

#endif
