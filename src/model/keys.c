/* SPDX-License-Identifier: BSD-3-Clause */
/* Typed keys of a JSON object, with a message for every way in which a value can be wrong. */
#include "model/keys.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { SHOWN_CHARACTERS = 40 };

const json_t *keys_value(const struct keys *keys, const char *key)
{
    const json_t *value = json_object_get(keys->object, key);
    return json_is_null(value) ? NULL : value;
}

/* What a message shows of a value; free with base_free. Containers are named only: they may be
 * huge. */
static char *shown(const json_t *value)
{
    if (json_is_object(value))
        return base_strdup("{...}");
    if (json_is_array(value))
        return base_strdup("[...]");
    char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    if (!dump)
        return base_strdup("?");
    bool is_long = strlen(dump) > SHOWN_CHARACTERS;
    char *text = base_format("%.*s%s", SHOWN_CHARACTERS, dump, is_long ? "..." : "");
    free(dump);
    return text;
}

void keys_fault(const struct keys *keys, const char *key, const char *advice)
{
    const json_t *value = keys_value(keys, key);
    char *text = value ? shown(value) : NULL;
    base_report_add(keys->report, keys->file, 0, "%s%s%s%s: %s", keys->prefix, key,
                    text ? " = " : "", text ? text : "", advice);
    base_free(text);
}

static void range_fault(const struct keys *keys, const char *key, int64_t low, int64_t high)
{
    char *advice = base_format("%s an integer from %" PRId64 " to %" PRId64,
                               keys_value(keys, key) ? "must be" : "missing;", low, high);
    keys_fault(keys, key, advice);
    base_free(advice);
}

int64_t keys_integer(const struct keys *keys, const char *key, int64_t low, int64_t high,
                     int64_t missing)
{
    const json_t *value = keys_value(keys, key);
    if (!value && missing >= low)
        return missing;
    int64_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= low && number <= high)
        return number;
    range_fault(keys, key, low, high);
    return low;
}

/* Stores an integer; whether VALUE is one from 0 to `high`. */
static bool read_member(const json_t *value, int64_t high, int64_t *out)
{
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= high;
}

int32_t keys_integers(const struct keys *keys, const char *key, int64_t high, int64_t *out,
                      int32_t most)
{
    const json_t *value = keys_value(keys, key);
    if (!value)
        return 0;
    if (read_member(value, high, out))
        return 1;
    size_t count = json_array_size(value), good = 0;
    for (size_t i = 0; i < count && count <= (size_t)most; i++)
        good += read_member(json_array_get(value, i), high, &out[i]);
    if (json_is_array(value) && good == count)
        return (int32_t)count;
    char *advice =
        base_format("must be an integer from 0 to %" PRId64 " or a list of up to %d", high, most);
    keys_fault(keys, key, advice);
    base_free(advice);
    return 0;
}

double keys_number(const struct keys *keys, const char *key, double low, double high,
                   double missing)
{
    const json_t *value = keys_value(keys, key);
    if (!value && !isnan(missing))
        return missing;
    double number = json_number_value(value);
    if (json_is_number(value) && number > low && number <= high)
        return number;
    char *advice = base_format("%s a number above %g and at most %g",
                               value ? "must be" : "missing;", low, high);
    keys_fault(keys, key, advice);
    base_free(advice);
    return high;
}

bool keys_boolean(const struct keys *keys, const char *key, bool missing)
{
    const json_t *value = keys_value(keys, key);
    if (value && !json_is_boolean(value))
        keys_fault(keys, key, "must be true or false");
    return json_is_boolean(value) ? json_is_true(value) : missing;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static void copy_string(const struct keys *keys, const char *key, const json_t *value, char *text,
                        size_t bytes)
{
    const char *string = json_string_value(value);
    text[0] = '\0';
    if (string && *string && strlen(string) < bytes && is_printable(string)) {
        memcpy(text, string, strlen(string) + 1);
        return;
    }
    char *advice = base_format("must be printable text of 1 to %zu characters", bytes - 1);
    keys_fault(keys, key, advice);
    base_free(advice);
}

void keys_string(const struct keys *keys, const char *key, char *text, size_t bytes)
{
    const json_t *value = keys_value(keys, key);
    text[0] = '\0';
    if (value)
        copy_string(keys, key, value, text, bytes);
}

void keys_first_string(const struct keys *keys, const char *key, char *text, size_t bytes)
{
    const json_t *value = keys_value(keys, key);
    text[0] = '\0';
    if (value && (!json_is_array(value) || json_array_size(value) == 0))
        keys_fault(keys, key, "must be a list of names");
    else if (value)
        copy_string(keys, key, json_array_get(value, 0), text, bytes);
}
