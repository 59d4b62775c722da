/* SPDX-License-Identifier: BSD-3-Clause */
/* A heap for each tenant whose budget counts, else one for all. A budget is the moment from which
 * its tenant has tokens again: a request moves it by what it costs, and it never lies more than
 * SAVED_PS back (a bucket that holds so much of its flow). */
#include "serve/waiting.h"

#include <assert.h>
#include <math.h>

#include "base/memory.h"

/* A tenant may save up a second's tokens. */
#define SAVED_PS INT64_C(1000000000000)

struct entry {
    int64_t key;
    size_t number;
};

struct line {
    struct entry *entry; /* a heap: the least first */
    size_t count, capacity;
    int64_t solvent_ps; /* from which the tenant has tokens */
};

struct serve_waiting {
    const struct serve_spec *spec;
    const struct serve_request *request;
    struct line *line;
    size_t lines;
    double ps_per_token; /* 0: tokens cost nothing */
    bool *held;          /* [requests] */
};

static bool has_budgets(const struct serve_spec *spec)
{
    return spec->policy == SERVE_TENANT_BUDGET;
}

struct serve_waiting *serve_waiting_create(const struct serve_spec *spec,
                                           const struct serve_request *request, size_t count,
                                           double share)
{
    struct serve_waiting *w = base_alloc(1, sizeof *w);
    w->spec = spec;
    w->request = request;
    w->lines = 1;
    for (size_t n = 0; n < count && has_budgets(spec); n++)
        if ((size_t)request[n].tenant >= w->lines)
            w->lines = (size_t)request[n].tenant + 1;
    w->line = base_alloc(w->lines, sizeof *w->line);
    for (size_t n = 0; n < w->lines; n++)
        w->line[n].solvent_ps = -SAVED_PS;
    w->held = base_alloc(count, sizeof *w->held);
    assert(!has_budgets(spec) || spec->tenant_tokens_per_s > 0);
    if (has_budgets(spec))
        w->ps_per_token = 1e12 / (spec->tenant_tokens_per_s * share);
    return w;
}

void serve_waiting_release(struct serve_waiting *waiting)
{
    for (size_t n = 0; n < waiting->lines; n++)
        base_free(waiting->line[n].entry);
    base_free(waiting->line);
    base_free(waiting->held);
    base_free(waiting);
}

static struct line *line_of(const struct serve_waiting *w, size_t number)
{
    return &w->line[has_budgets(w->spec) ? (size_t)w->request[number].tenant : 0];
}

static int64_t deadline(const struct serve_spec *spec, const struct serve_request *r)
{
    return r->arrival_ps + spec->ttft_limit_ps + (r->output_tokens - 1) * spec->tpot_limit_ps;
}

/* Requests are numbered by arrival. */
static bool is_before(const struct entry *a, const struct entry *b)
{
    return a->key < b->key || (a->key == b->key && a->number < b->number);
}

static void swap(struct entry *a, struct entry *b)
{
    struct entry kept = *a;
    *a = *b;
    *b = kept;
}

void serve_waiting_push(struct serve_waiting *waiting, size_t number)
{
    struct line *line = line_of(waiting, number);
    bool by_deadline = waiting->spec->policy == SERVE_EARLIEST_DEADLINE;
    int64_t key = by_deadline ? deadline(waiting->spec, &waiting->request[number]) : 0;
    line->entry = base_grow(line->entry, &line->capacity, line->count + 1, sizeof *line->entry);
    line->entry[line->count] = (struct entry){key, number};
    for (size_t n = line->count++; n > 0 && is_before(&line->entry[n], &line->entry[(n - 1) / 2]);
         n = (n - 1) / 2)
        swap(&line->entry[n], &line->entry[(n - 1) / 2]);
}

static void pop(struct line *line)
{
    line->entry[0] = line->entry[--line->count];
    for (size_t n = 0, child; (child = 2 * n + 1) < line->count; n = child) {
        if (child + 1 < line->count && is_before(&line->entry[child + 1], &line->entry[child]))
            child++;
        if (is_before(&line->entry[n], &line->entry[child]))
            return;
        swap(&line->entry[n], &line->entry[child]);
    }
}

int64_t serve_waiting_ready_ps(struct serve_waiting *waiting, int64_t from_ps)
{
    int64_t ready = INT64_MAX;
    for (size_t n = 0; n < waiting->lines; n++) {
        const struct line *line = &waiting->line[n];
        if (!line->count)
            continue;
        bool held = line->solvent_ps > from_ps;
        int64_t at = held ? line->solvent_ps : from_ps;
        waiting->held[line->entry[0].number] |= held;
        ready = at < ready ? at : ready;
    }
    return ready;
}

size_t serve_waiting_take(struct serve_waiting *waiting, int64_t at_ps)
{
    struct line *next = NULL;
    for (size_t n = 0; n < waiting->lines; n++) {
        struct line *line = &waiting->line[n];
        bool may = line->count && line->solvent_ps <= at_ps;
        if (may && (!next || is_before(&line->entry[0], &next->entry[0])))
            next = line;
    }
    assert(next);
    size_t number = next->entry[0].number;
    pop(next);
    return number;
}

bool serve_waiting_was_held(const struct serve_waiting *waiting, size_t number)
{
    return waiting->held[number];
}

void serve_waiting_charge(struct serve_waiting *waiting, size_t number, int64_t at_ps)
{
    const struct serve_request *r = &waiting->request[number];
    struct line *line = line_of(waiting, number);
    int64_t tokens = (int64_t)r->prompt_tokens + r->output_tokens, saved = at_ps - SAVED_PS;
    int64_t from = line->solvent_ps > saved ? line->solvent_ps : saved;
    line->solvent_ps = from + llround((double)tokens * waiting->ps_per_token);
}
