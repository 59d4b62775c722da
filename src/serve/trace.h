/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces of requests as they are published, and this program's own. */
#ifndef SERVE_TRACE_H
#define SERVE_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/serve_spec.h"
#include "base/status.h"
#include "serve/requests.h"

enum {
    SERVE_MOST_TOKENS = 1000000000, /* of a prompt or an output */
    SERVE_MOST_TENANTS = 65536,
    SERVE_MOST_DAYS = 30,   /* between two arrivals */
    SERVE_TRACE_FAULTS = 20 /* that are listed of one file; the rest is counted */
};

/* Requests sorted by arrival, the first at 0; equal ones as they stand in the file. */
struct serve_trace {
    struct serve_request *request; /* owned */
    size_t count, capacity;
    size_t moved;     /* requests that stood behind a later one */
    bool has_tenants; /* else all are of tenant 0 */
};

/* Reads a whole file. Every fault names file, line, column, value and what would be right. Returns
 * whether there was none; release in either case. Lines may end in CR LF, the last one in nothing;
 * empty lines count as lines and hold nothing. */
bool serve_trace_read(const char *path, enum serve_format format, struct serve_trace *trace,
                      struct base_report *report);

/* The same of a text; `name` stands for the file in faults. */
bool serve_trace_parse(const char *name, const char *text, size_t bytes, enum serve_format format,
                       struct serve_trace *trace, struct base_report *report);

void serve_trace_release(struct serve_trace *trace);

#endif
