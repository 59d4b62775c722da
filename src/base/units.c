/* SPDX-License-Identifier: BSD-3-Clause */
/* One table of units a kind; whole quantities go through integer arithmetic only. */
#include "base/units.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* value in base units = number * factor / divisor */
struct unit {
    const char *name;
    int64_t factor, divisor;
    bool printed; /* false: an accepted spelling that is never written */
};

struct kind {
    const char *what;    /* "a time" */
    const char *example; /* "722 ns" */
    bool bare;           /* a number without a unit is in base units */
    const char *base;
    struct unit unit[15];
};

#define KIBI INT64_C(1024)

/* clang-format off */
#define U(name, factor) {name, factor, 1, true}
#define ALSO(name, factor, divisor) {name, factor, divisor, false}
static const struct kind kinds[BASE_UNITS_KINDS] = {
    [BASE_UNITS_COUNT] = {"a plain number", "128", true, "1", {{0}}},
    [BASE_UNITS_CYCLES] = {"a number of cycles", "650 cycles", true, "cycles", {
        U("cycles", 1), ALSO("cycle", 1, 1)}},
    [BASE_UNITS_BYTES] = {"a size", "2.5 MiB", true, "B", {
        U("B", 1), U("kB", 1000), U("MB", 1000000), U("GB", 1000000000), U("TB", INT64_C(1000000000000)),
        U("KiB", KIBI), U("MiB", KIBI * KIBI), U("GiB", KIBI * KIBI * KIBI),
        U("TiB", KIBI * KIBI * KIBI * KIBI), ALSO("bytes", 1, 1)}},
    [BASE_UNITS_BYTE_RATE] = {"a rate in bytes", "450 GB/s", false, "B/s", {
        U("B/s", 1), U("kB/s", 1000), U("MB/s", 1000000), U("GB/s", 1000000000),
        U("TB/s", INT64_C(1000000000000)), ALSO("KiB/s", KIBI, 1), ALSO("MiB/s", KIBI * KIBI, 1),
        ALSO("GiB/s", KIBI * KIBI * KIBI, 1), ALSO("Mb/s", 1000000, 8), ALSO("Gb/s", 1000000000, 8)}},
    [BASE_UNITS_BIT_RATE] = {"a rate in bits", "100 Gb/s", false, "b/s", {
        U("b/s", 1), U("kb/s", 1000), U("Mb/s", 1000000), U("Gb/s", 1000000000),
        U("Tb/s", INT64_C(1000000000000)), ALSO("MB/s", 8000000, 1), ALSO("GB/s", INT64_C(8000000000), 1)}},
    [BASE_UNITS_FREQUENCY] = {"a frequency", "900 MHz", false, "Hz", {
        U("Hz", 1), U("kHz", 1000), U("MHz", 1000000), U("GHz", 1000000000)}},
    [BASE_UNITS_TIME] = {"a time", "722 ns", false, "ps", {
        U("ps", 1), U("ns", 1000), U("us", 1000000), U("ms", 1000000000),
        U("s", INT64_C(1000000000000)), ALSO("\xc2\xb5s", 1000000, 1)}},
    [BASE_UNITS_POWER] = {"a power", "300 W", false, "W", {
        U("W", 1), ALSO("kW", 1000, 1), ALSO("mW", 1, 1000)}},
    [BASE_UNITS_FLOP_RATE] = {"a rate of operations", "989 Tflop/s", false, "flop/s", {
        U("flop/s", 1), U("Gflop/s", 1000000000), U("Tflop/s", INT64_C(1000000000000)),
        U("Pflop/s", INT64_C(1000000000000000)), ALSO("TFLOP/s", INT64_C(1000000000000), 1),
        ALSO("TFLOPS", INT64_C(1000000000000), 1), ALSO("PFLOP/s", INT64_C(1000000000000000), 1)}},
    [BASE_UNITS_SHARE] = {"a share", "45 %", true, "1", {ALSO("%", 1, 100)}},
};
/* clang-format on */

/* A decimal number as written: digits / 10^decimals, and the unit that follows. */
struct written {
    int64_t digits;
    int decimals;
    bool exact; /* digits and decimals hold the number; otherwise only `number` does */
    double number;
    const char *unit;
};

static const struct unit *unit_find(const struct kind *kind, const char *name)
{
    for (const struct unit *u = kind->unit; u->name; u++)
        if (strcmp(u->name, name) == 0)
            return u;
    return NULL;
}

/* What `name` measures, or NULL where no kind knows it. */
static const struct kind *kind_of_unit(const char *name)
{
    for (const struct kind *k = kinds; k < kinds + BASE_UNITS_KINDS; k++)
        if (unit_find(k, name))
            return k;
    return NULL;
}

char *base_units_accepted(enum base_units kind)
{
    char *list = base_strdup("");
    for (const struct unit *u = kinds[kind].unit; u->name; u++) {
        if (!u->printed && u != kinds[kind].unit)
            continue;
        char *longer = base_format("%s%s%s", list, *list ? ", " : "", u->name);
        base_free(list);
        list = longer;
    }
    return list;
}

const char *base_units_base(enum base_units kind)
{
    return kinds[kind].base;
}

static char *unit_fault(enum base_units kind, const char *text, const char *unit)
{
    const struct kind *k = &kinds[kind], *other = kind_of_unit(unit);
    if (!k->unit[0].name)
        return base_format("\"%s\": a plain number is wanted here, without the unit \"%s\"", text,
                           unit);
    char *accepted = base_units_accepted(kind);
    char *fault = *unit == '\0' ? base_format("\"%s\" has no unit; %s is written in %s: \"%s\"",
                                              text, k->what, accepted, k->example)
                  : other ? base_format("\"%s\": \"%s\" is a unit of %s; %s is written in %s: "
                                        "\"%s\"",
                                        text, unit, other->what, k->what, accepted, k->example)
                          : base_format("\"%s\": unknown unit \"%s\"; %s is written in %s: \"%s\"",
                                        text, unit, k->what, accepted, k->example);
    base_free(accepted);
    return fault;
}

static char *number_fault(enum base_units kind, const char *text)
{
    return base_format("\"%s\" is not a number; %s is written like \"%s\"", text, kinds[kind].what,
                       kinds[kind].example);
}

/* Takes one digit; gives up on exactness where 63 bits do not suffice. */
static void digit_take(struct written *w, char c, bool after_point)
{
    int64_t larger;
    if (__builtin_mul_overflow(w->digits, 10, &larger) ||
        __builtin_add_overflow(larger, c - '0', &larger)) {
        w->exact = false;
        return;
    }
    w->digits = larger;
    w->decimals += after_point;
}

/* Applies "e12" at `text`; returns what follows it, `text` itself where there is no exponent. */
static const char *exponent_take(struct written *w, const char *text)
{
    if (*text != 'e' && *text != 'E')
        return text;
    char *end;
    long exponent = strtol(text + 1, &end, 10);
    if (end == text + 1 || isspace((unsigned char)text[1]))
        return text;
    if (exponent > 18 || exponent < -18)
        w->exact = false;
    for (; w->exact && exponent < 0; exponent++)
        w->decimals++;
    for (; w->exact && exponent > 0; exponent--) {
        if (w->decimals > 0)
            w->decimals--;
        else
            digit_take(w, '0', false);
    }
    return end;
}

/* Splits "-2.5e3 MiB" into number and unit; false where it does not start with a number. */
static bool written_split(const char *text, struct written *w)
{
    *w = (struct written){.exact = true};
    while (isspace((unsigned char)*text))
        text++;
    const char *start = text, *digits = text + (*text == '-' || *text == '+');
    const char *p = digits;
    bool point = false, any = false;
    for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
        if (*p == '.')
            point = true;
        else
            digit_take(w, *p, point), any = true;
    }
    if (!any)
        return false;
    p = exponent_take(w, p);
    w->number = strtod(start, NULL);
    if (*start == '-')
        w->digits = -w->digits;
    while (isspace((unsigned char)*p))
        p++;
    w->unit = p;
    return true;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

enum exactness { WHOLE, FRACTION, TOO_LARGE };

/* digits * factor / (10^decimals * divisor), if that is a whole number of 63 bits. */
static enum exactness written_scale(const struct written *w, const struct unit *unit,
                                    int64_t *value)
{
    if (!w->exact)
        return fabs(w->number) >= 1 ? TOO_LARGE : FRACTION;
    int64_t below = unit->divisor, above = unit->factor, digits = w->digits;
    for (int i = 0; i < w->decimals; i++)
        if (digits % 10 == 0)
            digits /= 10;
        else if (__builtin_mul_overflow(below, 10, &below))
            return FRACTION;
    int64_t common = common_divisor(above, below);
    above /= common;
    below /= common;
    if (digits % below != 0)
        return FRACTION;
    return __builtin_mul_overflow(digits / below, above, value) ? TOO_LARGE : WHOLE;
}

/* Reads number and unit; on failure sets *error. */
static const struct unit *quantity_read(enum base_units kind, const char *text, struct written *w,
                                        char **error)
{
    static const struct unit one = {"", 1, 1, true};
    if (!written_split(text, w)) {
        *error = number_fault(kind, text);
        return NULL;
    }
    /* unit names carry no trailing space: a copy without it is compared */
    char *name = base_strdup(w->unit);
    for (size_t n = strlen(name); n > 0 && isspace((unsigned char)name[n - 1]); n--)
        name[n - 1] = '\0';
    const struct unit *unit =
        *name == '\0' && kinds[kind].bare ? &one : unit_find(&kinds[kind], name);
    if (!unit)
        *error = unit_fault(kind, text, name);
    base_free(name);
    return unit;
}

bool base_units_parse_integer(enum base_units kind, const char *text, int64_t *value, char **error)
{
    struct written w;
    const struct unit *unit = quantity_read(kind, text, &w, error);
    if (!unit)
        return false;
    enum exactness exactness = written_scale(&w, unit, value);
    const char *base = strcmp(kinds[kind].base, "1") == 0 ? "" : kinds[kind].base;
    if (exactness == FRACTION)
        *error = base_format("\"%s\" is not a whole number%s%s", text, *base ? " of " : "", base);
    if (exactness == TOO_LARGE)
        *error = base_format("\"%s\" is too large: at most 9223372036854775807%s%s", text,
                             *base ? " " : "", base);
    return exactness == WHOLE;
}

bool base_units_parse_real(enum base_units kind, const char *text, double *value, char **error)
{
    struct written w;
    const struct unit *unit = quantity_read(kind, text, &w, error);
    if (!unit)
        return false;
    int64_t whole;
    if (written_scale(&w, unit, &whole) == WHOLE)
        *value = (double)whole;
    else
        *value = w.number * (double)unit->factor / (double)unit->divisor;
    if (isfinite(*value))
        return true;
    *error = base_format("\"%s\" is too large", text);
    return false;
}

/* Keeps the shorter of two texts, the larger unit where they are equally long, but no "0.1 Tb/s"
 * for "100 Gb/s"; frees the other. */
static char *shorter(char *best, char *next)
{
    bool keep = best && (!next || strncmp(next, "0.", 2) == 0 || strlen(best) < strlen(next));
    base_free(keep ? next : best);
    return keep ? best : next;
}

/* "2.5 MiB" where three decimals at most say it exactly; otherwise NULL. */
static char *integer_in_unit(const struct unit *unit, int64_t value)
{
    int64_t thousandths;
    if (!unit->printed || unit->divisor != 1 || __builtin_mul_overflow(value, 1000, &thousandths) ||
        thousandths % unit->factor != 0)
        return NULL;
    thousandths /= unit->factor;
    char *number = base_format("%s%lld.%03lld", thousandths < 0 ? "-" : "",
                               llabs(thousandths / 1000), llabs(thousandths % 1000));
    char *end = number + strlen(number);
    while (end[-1] == '0')
        *--end = '\0';
    if (end[-1] == '.')
        *--end = '\0';
    char *text = base_format("%s %s", number, unit->name);
    base_free(number);
    return text;
}

char *base_units_print_integer(enum base_units kind, int64_t value)
{
    const struct kind *k = &kinds[kind];
    if (!k->unit[0].name || !k->unit[0].printed)
        return base_format("%lld", (long long)value);
    char *best = base_format("%lld %s", (long long)value, k->base);
    for (const struct unit *u = k->unit; u->name; u++)
        best = shorter(best, integer_in_unit(u, value));
    return best;
}

/* value / factor with so many digits and its unit, if that reads back as `value`; otherwise NULL.
 */
static char *real_with_digits(enum base_units kind, const struct unit *unit, double value,
                              int digits, bool exponent)
{
    double back;
    char *error = NULL, *text = base_format("%.*g%s%s", digits, value / (double)unit->factor,
                                            unit->name[0] ? " " : "", unit->name);
    bool plain = exponent || !memchr(text, 'e', strcspn(text, " "));
    bool same = plain && base_units_parse_real(kind, text, &back, &error) &&
                memcmp(&back, &value, sizeof value) == 0;
    base_free(error);
    if (same)
        return text;
    base_free(text);
    return NULL;
}

/* The fewest digits that read back, without an exponent where that is possible; NULL where no 17
 * do. */
static char *real_in_unit(enum base_units kind, const struct unit *unit, double value)
{
    char *text = NULL;
    for (int exponent = 0; exponent < 2; exponent++)
        for (int digits = 1; digits <= 17 && !text; digits++)
            text = real_with_digits(kind, unit, value, digits, exponent);
    return text;
}

char *base_units_print_real(enum base_units kind, double value)
{
    static const struct unit plain[] = {{"", 1, 1, true}, {0}};
    const struct kind *k = &kinds[kind];
    char *best = NULL;
    for (const struct unit *u = k->bare ? plain : k->unit; u->name; u++)
        if (u->printed)
            best = shorter(best, real_in_unit(kind, u, value));
    return best ? best : base_format("%g", value);
}
