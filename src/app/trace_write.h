/* SPDX-License-Identifier: BSD-3-Clause */
/* Chrome trace events, streamed: slices on the threads of processes, and arrows between them.
 *
 * Viewers want slices of one thread to nest. Here they never overlap at all, but for slices that
 * are put inside of another on purpose: a slice that would overlap goes to a further lane of its
 * thread. Times are picoseconds; in the file they are microseconds with whole nanoseconds, rounded
 * down, so that what did not overlap still does not. */
#ifndef APP_TRACE_WRITE_H
#define APP_TRACE_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct app_trace_lane;

struct app_trace {
    FILE *stream;
    int64_t most;            /* slices to write */
    int64_t slices, refused; /* written; beyond `most` */
    int64_t arrows;
    int32_t threads; /* also the newest thread's id */
    bool begun;
    struct app_trace_lane *lane; /* a hash table */
    size_t lanes, capacity;
};

/* A row of the viewer. Numbers give the order; names are needed where it is new. */
struct app_trace_place {
    int32_t process, thread; /* process > 0 */
    char process_name[64], thread_name[64];
};

/* Where a slice went; thread 0: nowhere, there were too many. */
struct app_trace_spot {
    int32_t process, thread;
    int64_t start_ps, end_ps;
};

void app_trace_begin(struct app_trace *trace, FILE *stream, int64_t most);

/* One slice. `details` formats the members of "args": "\"layer\":3". */
struct app_trace_spot app_trace_slice(struct app_trace *trace, const struct app_trace_place *place,
                                      const char *name, const char *category, int64_t start_ps,
                                      int64_t end_ps, const char *details, ...)
    __attribute__((format(printf, 7, 8)));

/* A slice within `spot`, behind those put there before. */
void app_trace_within(struct app_trace *trace, const struct app_trace_spot *spot, const char *name,
                      int64_t start_ps, int64_t end_ps);

/* An arrow from the start of one slice to the start of another; none where one was refused. */
void app_trace_arrow(struct app_trace *trace, const struct app_trace_spot *from,
                     const struct app_trace_spot *to);

/* Closes the list and adds what the file says about itself: pairs of name and text, NULL behind. */
void app_trace_end(struct app_trace *trace, const char *const *about);

#endif
