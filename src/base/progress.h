/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress of a long loop on stderr: a bar on a terminal, a line now and then elsewhere, or
 * silence. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One loop being watched. Fields are set by base_progress_begin; tests may replace stream,
 * terminal, colour and now before the first update. */
struct base_progress {
    FILE *stream;  /* NULL: silent */
    bool terminal; /* redraw one line, at most 10 times a second; otherwise a line every 5 s */
    bool colour;   /* off where NO_COLOR is set */
    double (*now)(void); /* seconds, monotonic */
    const char *what;    /* "decode": not copied */
    const char *unit;    /* "steps": not copied */
    int64_t total;       /* 0: unknown */
    double begun_s, shown_s;
};

/* `what` and `unit` must live until base_progress_end. */
void base_progress_begin(struct base_progress *progress, const char *what, const char *unit,
                         int64_t total, bool quiet);

/* `done` of `total` are finished. Cheap enough for every step: one clock reading. */
void base_progress_update(struct base_progress *progress, int64_t done);

/* Shows the final state once and ends the line. */
void base_progress_end(struct base_progress *progress, int64_t done);

/* "decode  1200/4096 steps  29 %  310 steps/s  9 s left": what both forms show. Free with
 * base_free. */
char *base_progress_text(const struct base_progress *progress, int64_t done, double elapsed_s);

#endif
