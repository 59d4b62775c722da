/* SPDX-License-Identifier: BSD-3-Clause */
/* All starts of a run kept in a list, and rehearsed from it. */
#ifndef TESTS_SERVE_STARTS_H
#define TESTS_SERVE_STARTS_H

#include <string.h>

#include "base/memory.h"
#include "serve/rehearsal.h"

struct starts {
    struct serve_start *start; /* base_free */
    size_t count, capacity;
};

/* A serve_note; `context` is the list. */
static inline void starts_note(void *context, const struct serve_start *start, size_t count,
                               int64_t cycle)
{
    struct starts *s = context;
    (void)cycle;
    s->start = base_grow(s->start, &s->capacity, s->count + count, sizeof *s->start);
    memcpy(s->start + s->count, start, count * sizeof *start);
    s->count += count;
}

static inline struct serve_rehearsal
starts_rehearse(const struct starts *starts, const struct serve_machine *machine,
                const struct serve_request *request, size_t count,
                const struct serve_outcome *outcome, int32_t replicas)
{
    struct serve_rehearsing *r = serve_rehearsal_open(machine, request, count, outcome, replicas);
    for (size_t n = 0; n < starts->count; n++)
        serve_rehearsal_note(r, &starts->start[n], 1, 0);
    return serve_rehearsal_close(r);
}

#endif
