/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp trace: a window of a run as Chrome trace events. */
#ifndef APP_TRACE_H
#define APP_TRACE_H

#include "app/scan.h"
#include "app/trace_write.h"

enum { APP_TRACE_RANGES = 64 };

/* Numbers that are wanted; 0 ranges: all. */
struct app_trace_list {
    int32_t from[APP_TRACE_RANGES], to[APP_TRACE_RANGES];
    size_t ranges;
};

/* What is wanted. Texts point into argv. */
struct app_trace_question {
    const char *file, *output;
    bool windowed; /* a part of the run's time; else one decode step of each machine */
    int64_t from_ps, to_ps;
    int32_t step; /* decode step, from 0 */
    int64_t most; /* slices */
    struct app_trace_list chips, gpus;
    bool help;
};

/* A file on its way into a trace. */
struct app_trace_job {
    const struct app_trace_question *asked;
    const struct record_reader *reader;
    struct base_report *report;
    struct app_trace *trace;
    int64_t from_ps[2];   /* what is shown begins there, by enum record_machine; -1: nothing is */
    int64_t end_ps;       /* the last moment of the run that was seen */
    int64_t other_bucket; /* LPU steps in the window whose programs are not in the file */
    struct app_scanned scanned[RECORD_TABLES]; /* rows and what was shown of them */
};

bool app_trace_lists(const struct app_trace_list *list, int32_t number);

/* Whether what lasts from `start_ps` to `end_ps` touches the window. */
bool app_trace_in_window(const struct app_trace_question *asked, int64_t start_ps, int64_t end_ps);

/* Walks a table and keeps count. */
void app_trace_scan(struct app_trace_job *job, const struct app_scan *scan);

/* Each adds slices; what a file does not have adds none. */
void app_trace_lpu(struct app_trace_job *job);
void app_trace_gpu(struct app_trace_job *job);
void app_trace_requests(struct app_trace_job *job);

struct app_trace_question app_trace_read(int argc, char **argv, struct base_report *report);

/* Answers the words behind "trace". Not collective: call it on one rank. Returns the status of the
 * process. */
enum base_status app_trace_answer(int argc, char **argv);

#endif
