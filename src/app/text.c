/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers into texts. */
#include "app/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct app_text app_text_count(int64_t value)
{
    char digits[24];
    struct app_text out = {""};
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    char *to = out.text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            *to++ = ',';
        *to++ = digits[i];
    }
    return out;
}

struct app_text app_text_time(int64_t ps)
{
    static const char *const unit[] = {"ps", "ns", "us", "ms", "s"};
    enum { UNITS = sizeof unit / sizeof unit[0] };
    double value = (double)ps;
    int i = 0;
    for (; i + 1 < UNITS && value >= 999.5; i++)
        value /= 1000;
    struct app_text out;
    snprintf(out.text, sizeof out.text, "%.*f %s",
             value < 10 && i > 0 ? 3
             : value < 100       ? 2
                                 : 1,
             value, unit[i]);
    return out;
}

struct app_text app_text_short(double value)
{
    struct app_text out;
    if (value < 9999.5)
        snprintf(out.text, sizeof out.text, "%.*f",
                 value < 99.5 && value != (double)(int64_t)value ? 1 : 0, value);
    else if (value < 999950)
        snprintf(out.text, sizeof out.text, "%.1f k", value / 1e3);
    else
        snprintf(out.text, sizeof out.text, "%.1f M", value / 1e6);
    return out;
}

struct app_text app_text_share(double part, double whole)
{
    struct app_text out;
    snprintf(out.text, sizeof out.text, "%.1f %%", whole > 0 ? 100 * part / whole : 0);
    return out;
}
