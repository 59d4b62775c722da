/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers and dates as traces write them, exact to the picosecond. */
#ifndef SERVE_FIELDS_H
#define SERVE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of a line, not closed by a zero; at NULL: it is not there. */
struct serve_field {
    const char *at;
    size_t bytes;
};

/* A time since some start, of a clock or of a calendar: seconds, and picoseconds below one second.
 */
struct serve_instant {
    int64_t s, ps;
};

/* Without blanks around it. */
struct serve_field serve_field_trimmed(struct serve_field field);

/* Digits alone, at most `most`. */
bool serve_field_whole(struct serve_field field, int64_t most, int64_t *value);

/* A decimal number that is not negative, with or without a fraction and an exponent, in units of
 * 10^`power` seconds, less than 10^12 s. Digits below a picosecond are cut off. */
bool serve_field_decimal(struct serve_field field, int power, struct serve_instant *instant);

/* "2023-11-16 18:15:46.6805900", with up to 12 decimals or none; "T" may stand for the blank, and
 * "Z" or "+00:00" may follow. Seconds from 1970-01-01, years 1970 to 9999. */
bool serve_field_date(struct serve_field field, struct serve_instant *instant);

#endif
