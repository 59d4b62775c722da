/* SPDX-License-Identifier: BSD-3-Clause */
/* Typed keys of a JSON object: each reader returns a usable value and reports what is wrong with
 * the one it found. */
#ifndef MODEL_KEYS_H
#define MODEL_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"

/* An object of a file and where its faults go. `prefix` precedes keys in messages: "" or
 * "rope_scaling.". */
struct keys {
    const json_t *object;
    const char *file, *prefix;
    struct base_report *report;
};

/* The value of KEY; NULL where it is missing or null, which Hugging Face files use alike. */
const json_t *keys_value(const struct keys *keys, const char *key);

/* Integer from `low` to `high`; `missing` where absent, and a fault where absent and `missing` <
 * `low`. A value that was reported reads as `low`. */
int64_t keys_integer(const struct keys *keys, const char *key, int64_t low, int64_t high,
                     int64_t missing);

/* One integer from 0 to `high`, or a list of up to `most` of them; returns how many it put into
 * `out`, 0 where absent or reported. */
int32_t keys_integers(const struct keys *keys, const char *key, int64_t high, int64_t *out,
                      int32_t most);

/* Number with low < value <= high, given as integer or real; `missing` as above, with NAN for a
 * required key. */
double keys_number(const struct keys *keys, const char *key, double low, double high,
                   double missing);

bool keys_boolean(const struct keys *keys, const char *key, bool missing);

/* Copies printable ASCII of 1 to bytes - 1 characters; leaves "" where absent or reported. */
void keys_string(const struct keys *keys, const char *key, char *text, size_t bytes);

/* As keys_string, for the first string of a list. */
void keys_first_string(const struct keys *keys, const char *key, char *text, size_t bytes);

/* Reports "KEY = VALUE: ADVICE"; the value in JSON notation, shortened, without control characters.
 */
void keys_fault(const struct keys *keys, const char *key, const char *advice);

#endif
