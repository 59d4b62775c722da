/* SPDX-License-Identifier: BSD-3-Clause */
/* The fault collector: formats once, keeps order, prints together. */
#include "base/status.h"

#include <stdarg.h>
#include <string.h>

#include "base/memory.h"

static char *prefix_format(const char *file, int line)
{
    if (!file)
        return base_format("%s", "");
    if (line > 0)
        return base_format("%s:%d: ", file, line);
    return base_format("%s: ", file);
}

void base_report_add(struct base_report *report, const char *file, int line, const char *format,
                     ...)
{
    va_list args;
    va_start(args, format);
    char *text = base_vformat(format, args);
    va_end(args);
    char *prefix = prefix_format(file, line);
    report->message =
        base_grow(report->message, &report->capacity, report->count + 1, sizeof(char *));
    report->message[report->count++] = base_format("%s%s", prefix, text);
    base_free(prefix);
    base_free(text);
}

void base_report_print(const struct base_report *report, FILE *stream)
{
    for (size_t i = 0; i < report->count; i++)
        fprintf(stream, "lpusim-mp: error: %s\n", report->message[i]);
}

char *base_report_text(const struct base_report *report)
{
    size_t length = 1;
    for (size_t i = 0; i < report->count; i++)
        length += strlen(report->message[i]) + 1;
    char *text = base_alloc(length, 1);
    char *end = text;
    for (size_t i = 0; i < report->count; i++) {
        size_t n = strlen(report->message[i]);
        memcpy(end, report->message[i], n);
        end += n;
        *end++ = i + 1 < report->count ? '\n' : '\0';
    }
    return text;
}

void base_report_release(struct base_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        base_free(report->message[i]);
    base_free(report->message);
    *report = (struct base_report){0};
}
