/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress text and its pace: ten redraws a second on a terminal, a line every five seconds
 * elsewhere. */
#include "base/progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

enum { BAR_CELLS = 24 };
static const double REDRAW_S = 0.1, LINE_S = 5.0;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void base_progress_begin(struct base_progress *progress, const char *what, const char *unit,
                         int64_t total, bool quiet)
{
    const char *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(STDERR_FILENO) == 1;
    *progress = (struct base_progress){
        .stream = quiet ? NULL : stderr,
        .terminal = terminal,
        .colour = terminal && !(no_colour && *no_colour),
        .now = seconds_now,
        .what = what,
        .unit = unit,
        .total = total,
        .begun_s = seconds_now(),
    };
    progress->shown_s = progress->begun_s;
}

static char *time_left_text(const struct base_progress *progress, int64_t done, double rate)
{
    if (progress->total <= done || rate <= 0)
        return base_strdup("");
    double left = (double)(progress->total - done) / rate;
    if (left < 120)
        return base_format("  %.0f s left", left);
    return left < 7200 ? base_format("  %.0f min left", left / 60)
                       : base_format("  %.1f h left", left / 3600);
}

char *base_progress_text(const struct base_progress *progress, int64_t done, double elapsed_s)
{
    double rate = elapsed_s > 0 ? (double)done / elapsed_s : 0;
    char *left = time_left_text(progress, done, rate), *text;
    int decimals = rate < 10 ? 1 : 0;
    if (progress->total > 0)
        text = base_format("%s  %lld/%lld %s  %.0f %%  %.*f %s/s%s", progress->what,
                           (long long)done, (long long)progress->total, progress->unit,
                           100.0 * (double)done / (double)progress->total, decimals, rate,
                           progress->unit, left);
    else
        text = base_format("%s  %lld %s  %.*f %s/s", progress->what, (long long)done,
                           progress->unit, decimals, rate, progress->unit);
    base_free(left);
    return text;
}

static void bar_print(const struct base_progress *progress, int64_t done)
{
    double share = progress->total > 0 ? (double)done / (double)progress->total : 0;
    int full = share >= 1 ? BAR_CELLS : (int)(share * BAR_CELLS);
    char cells[BAR_CELLS + 1];
    memset(cells, '-', BAR_CELLS);
    memset(cells, '#', (size_t)(full < 0 ? 0 : full));
    cells[BAR_CELLS] = '\0';
    fprintf(progress->stream, "\r%s[%s]%s ", progress->colour ? "\033[32m" : "", cells,
            progress->colour ? "\033[0m" : "");
}

/* Trailing blanks wipe what a longer text left on a terminal's line. */
static void show(struct base_progress *progress, int64_t done, double now)
{
    char *text = base_progress_text(progress, done, now - progress->begun_s);
    if (progress->terminal)
        bar_print(progress, done);
    fprintf(progress->stream, progress->terminal ? "%-72s" : "%s\n", text);
    fflush(progress->stream);
    base_free(text);
    progress->shown_s = now;
}

void base_progress_update(struct base_progress *progress, int64_t done)
{
    if (!progress->stream)
        return;
    double now = progress->now();
    if (now - progress->shown_s >= (progress->terminal ? REDRAW_S : LINE_S))
        show(progress, done, now);
}

void base_progress_end(struct base_progress *progress, int64_t done)
{
    if (!progress->stream)
        return;
    show(progress, done, progress->now());
    if (progress->terminal)
        fputc('\n', progress->stream);
    progress->stream = NULL;
}
