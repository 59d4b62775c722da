/* SPDX-License-Identifier: BSD-3-Clause */
/* Quantities with units as users write them ("2.5 MiB", "722 ns"), exact in one base unit a kind.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* What a quantity measures; the base unit of each stands beside it. */
enum base_units {
    BASE_UNITS_COUNT,     /* 1; plain numbers only */
    BASE_UNITS_CYCLES,    /* clock cycles; the unit may be left out */
    BASE_UNITS_BYTES,     /* B; the unit may be left out */
    BASE_UNITS_BYTE_RATE, /* B/s */
    BASE_UNITS_BIT_RATE,  /* b/s */
    BASE_UNITS_FREQUENCY, /* Hz */
    BASE_UNITS_TIME,      /* ps */
    BASE_UNITS_POWER,     /* W */
    BASE_UNITS_FLOP_RATE, /* flop/s */
    BASE_UNITS_SHARE,     /* 1; "45 %" and 0.45 are the same */
    BASE_UNITS_KINDS
};

/* Parses `text` into a whole number of base units. On failure returns false and sets *error to a
 * text that says what is wrong and what would be right; free it with base_free. */
bool base_units_parse_integer(enum base_units kind, const char *text, int64_t *value, char **error);

/* The same for quantities that need not be whole; nearest double. */
bool base_units_parse_real(enum base_units kind, const char *text, double *value, char **error);

/* The shortest text that parses back to exactly `value`; free with base_free. */
char *base_units_print_integer(enum base_units kind, int64_t value);
char *base_units_print_real(enum base_units kind, double value);

/* "Hz", "B/s", ...; "1" for plain numbers. */
const char *base_units_base(enum base_units kind);

/* "kHz, MHz, GHz, Hz": what may be written; "" for plain numbers. Free with base_free. */
char *base_units_accepted(enum base_units kind);

#endif
