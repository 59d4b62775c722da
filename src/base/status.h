/* SPDX-License-Identifier: BSD-3-Clause */
/* Exit statuses of the program, and the collector for faults that a user can mend. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What a process leaves to its caller. Signals end it with 128 + number. */
enum base_status {
    BASE_OK = 0,
    BASE_FAILURE = 1,      /* anything that has no status of its own */
    BASE_USAGE = 2,        /* command line or configuration is wrong */
    BASE_CONTRACT = 3,     /* a compiled schedule broke a promise */
    BASE_NO_PROGRESS = 4,  /* somebody waits for what nobody will send */
    BASE_IO = 5,           /* a file could not be read or written */
    BASE_DOES_NOT_FIT = 6, /* the model does not fit into the machine */
};

/* Faults found so far, in order. Zero-initialise; every fault is kept, none is printed here. */
struct base_report {
    char **message;
    size_t count, capacity;
};

/* Adds one fault; `file` may be NULL, `line` 0 where there is none. Text: what is wrong, what would
 * be right. */
void base_report_add(struct base_report *report, const char *file, int line, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* Prints "lpusim-mp: error: FILE:LINE: MESSAGE", a line each. */
void base_report_print(const struct base_report *report, FILE *stream);

/* All messages joined by newlines; the caller frees it with base_free. */
char *base_report_text(const struct base_report *report);

void base_report_release(struct base_report *report);

static inline bool base_report_is_clean(const struct base_report *report)
{
    return report->count == 0;
}

#endif
