/* SPDX-License-Identifier: BSD-3-Clause */
/* Digit by digit: no floating-point number stands between a trace and a picosecond. */
#include "serve/fields.h"

#include <string.h>

enum { MOST_PLACE = 11, LEAST_PLACE = -12, MOST_EXPONENT = 1000 };

static bool is_digit(char c)
{
    return '0' <= c && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

struct serve_field serve_field_trimmed(struct serve_field field)
{
    while (field.bytes > 0 && is_blank(field.at[0]))
        field.at++, field.bytes--;
    while (field.bytes > 0 && is_blank(field.at[field.bytes - 1]))
        field.bytes--;
    return field;
}

bool serve_field_whole(struct serve_field field, int64_t most, int64_t *value)
{
    int64_t sum = 0;
    for (size_t i = 0; i < field.bytes; i++) {
        int64_t digit = field.at[i] - '0';
        if (!is_digit(field.at[i]) || sum > (most - digit) / 10)
            return false;
        sum = 10 * sum + digit;
    }
    *value = sum;
    return field.bytes > 0;
}

static int64_t power_of_ten(int power)
{
    int64_t value = 1;
    while (power-- > 0)
        value *= 10;
    return value;
}

/* Takes the digits at the start of a field away; returns how many there were. */
static size_t digits_take(struct serve_field *field)
{
    size_t count = 0;
    while (count < field->bytes && is_digit(field->at[count]))
        count++;
    field->at += count;
    field->bytes -= count;
    return count;
}

static bool character_take(struct serve_field *field, const char *any)
{
    bool there = field->bytes > 0 && field->at[0] && strchr(any, field->at[0]);
    if (there)
        field->at++, field->bytes--;
    return there;
}

/* "e-05" and nothing behind it. */
static bool exponent_take(struct serve_field field, int *exponent)
{
    int64_t value = 0;
    *exponent = 0;
    if (field.bytes == 0)
        return true;
    if (!character_take(&field, "eE"))
        return false;
    bool negative = field.bytes > 0 && field.at[0] == '-';
    character_take(&field, "+-");
    if (!serve_field_whole(field, MOST_EXPONENT, &value))
        return false;
    *exponent = negative ? -(int)value : (int)value;
    return true;
}

/* Adds digits of which the first has the place `place`: 0 for seconds, -1 for tenths. */
static bool digits_add(const char *digit, size_t count, int64_t place,
                       struct serve_instant *instant)
{
    for (size_t i = 0; i < count; i++, place--) {
        int64_t value = digit[i] - '0';
        if (value > 0 && place > MOST_PLACE)
            return false;
        if (value > 0 && place >= 0)
            instant->s += value * power_of_ten((int)place);
        else if (value > 0 && place >= LEAST_PLACE)
            instant->ps += value * power_of_ten((int)(place - LEAST_PLACE));
    }
    return true;
}

bool serve_field_decimal(struct serve_field field, int power, struct serve_instant *instant)
{
    struct serve_field rest = field;
    size_t whole = digits_take(&rest), fraction = 0;
    int exponent;
    const char *behind_point = rest.at;
    if (character_take(&rest, ".")) {
        behind_point = rest.at;
        fraction = digits_take(&rest);
        if (fraction == 0)
            return false;
    }
    if (whole == 0 || !exponent_take(rest, &exponent))
        return false;
    int64_t unit = power + exponent;
    *instant = (struct serve_instant){0, 0};
    return digits_add(field.at, whole, (int64_t)whole - 1 + unit, instant) &&
           digits_add(behind_point, fraction, unit - 1, instant);
}

/* Days from 1970-01-01 in the Gregorian calendar, years from March on, so that a leap day is the
 * last of its year: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - 400 * era;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + 365 * of_era + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    return month == 12 ? 31 : days_of(year, month + 1, 1) - days_of(year, month, 1);
}

/* Numbers where `pattern` has a digit 0 to 5, which says whose; other characters as they stand, but
 * that a blank may be a T. */
static bool pattern_take(struct serve_field *field, const char *pattern, int64_t number[6])
{
    size_t i = 0;
    for (; pattern[i]; i++) {
        if (i == field->bytes)
            return false;
        char c = field->at[i];
        if (is_digit(pattern[i]) ? !is_digit(c)
                                 : c != pattern[i] && !(pattern[i] == ' ' && c == 'T'))
            return false;
        if (is_digit(pattern[i]))
            number[pattern[i] - '0'] = 10 * number[pattern[i] - '0'] + c - '0';
    }
    field->at += i;
    field->bytes -= i;
    return true;
}

static bool is_utc(struct serve_field rest)
{
    static const char *const zone[] = {"", "Z", "+00:00"};
    for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++)
        if (rest.bytes == strlen(zone[i]) && memcmp(rest.at, zone[i], rest.bytes) == 0)
            return true;
    return false;
}

bool serve_field_date(struct serve_field field, struct serve_instant *instant)
{
    enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND };
    int64_t n[6] = {0};
    if (!field.at || !pattern_take(&field, "0000-11-22 33:44:55", n))
        return false;
    if (n[YEAR] < 1970 || n[MONTH] < 1 || n[MONTH] > 12 || n[DAY] < 1 ||
        n[DAY] > days_of_month(n[YEAR], n[MONTH]) || n[HOUR] > 23 || n[MINUTE] > 59 ||
        n[SECOND] > 59)
        return false;
    int64_t minutes = (days_of(n[YEAR], n[MONTH], n[DAY]) * 24 + n[HOUR]) * 60 + n[MINUTE];
    *instant = (struct serve_instant){minutes * 60 + n[SECOND], 0};
    if (character_take(&field, ".")) {
        const char *digit = field.at;
        size_t count = digits_take(&field);
        if (count == 0 || count > 12)
            return false;
        digits_add(digit, count, -1, instant);
    }
    return is_utc(field);
}
