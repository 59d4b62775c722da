/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums over requests on one side, a walk through time on the other; both must agree. */
#include "serve/measures.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

/* Picoseconds of many requests together do not fit into 64 bits. */
__extension__ typedef __int128 wide;

static const double SECOND_PS = 1e12;

int64_t serve_percentile(const int64_t *sorted, size_t count, int percent)
{
    assert(count > 0 && percent > 0 && percent <= 100);
    return sorted[(count * (size_t)percent + 99) / 100 - 1];
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct serve_spread serve_spread_of(int64_t *time_ps, size_t count)
{
    wide sum = 0;
    if (count == 0)
        return (struct serve_spread){0};
    qsort(time_ps, count, sizeof *time_ps, ascending);
    for (size_t i = 0; i < count; i++)
        sum += time_ps[i];
    return (struct serve_spread){.count = (int64_t)count,
                                 .mean_ps = (double)sum / (double)count,
                                 .p50_ps = serve_percentile(time_ps, count, 50),
                                 .p90_ps = serve_percentile(time_ps, count, 90),
                                 .p99_ps = serve_percentile(time_ps, count, 99),
                                 .max_ps = time_ps[count - 1]};
}

/* A time of a request, or -1 where it has none. */
typedef int64_t time_of(const struct serve_request *request, const struct serve_outcome *outcome);

static int64_t queue_of(const struct serve_request *request, const struct serve_outcome *outcome)
{
    return outcome->admitted_ps < 0 ? -1 : outcome->admitted_ps - request->arrival_ps;
}

static int64_t ttft_of(const struct serve_request *request, const struct serve_outcome *outcome)
{
    return outcome->first_token_ps < 0 ? -1 : outcome->first_token_ps - request->arrival_ps;
}

static bool has_gaps(const struct serve_request *request, const struct serve_outcome *outcome)
{
    return outcome->fate == SERVE_FINISHED && request->output_tokens > 1;
}

static int64_t tpot_of(const struct serve_request *request, const struct serve_outcome *outcome)
{
    if (!has_gaps(request, outcome))
        return -1;
    return (outcome->finished_ps - outcome->first_token_ps) / (request->output_tokens - 1);
}

static int64_t gap_of(const struct serve_request *request, const struct serve_outcome *outcome)
{
    return has_gaps(request, outcome) ? outcome->longest_gap_ps : -1;
}

static int64_t whole_of(const struct serve_request *request, const struct serve_outcome *outcome)
{
    return outcome->fate == SERVE_FINISHED ? outcome->finished_ps - request->arrival_ps : -1;
}

static struct serve_spread spread(const struct serve_served *s, time_of *of)
{
    int64_t *time_ps = base_alloc(s->count, sizeof *time_ps);
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        int64_t time = of(&s->request[i], &s->outcome[i]);
        if (time >= 0)
            time_ps[count++] = time;
    }
    struct serve_spread result = serve_spread_of(time_ps, count);
    base_free(time_ps);
    return result;
}

static bool is_good(const struct serve_served *s, size_t i)
{
    const struct serve_outcome *o = &s->outcome[i];
    if (o->fate != SERVE_FINISHED)
        return false;
    bool first = !s->ttft_limit_ps || ttft_of(&s->request[i], o) <= s->ttft_limit_ps;
    wide allowed = (wide)s->tpot_limit_ps * (s->request[i].output_tokens - 1);
    return first && (!s->tpot_limit_ps || o->finished_ps - o->first_token_ps <= allowed);
}

static int64_t latest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_refused(enum serve_fate fate)
{
    return fate == SERVE_TOO_LONG || fate == SERVE_TOO_LATE || fate == SERVE_OVER_BUDGET;
}

static void count_all(const struct serve_served *s, struct serve_measures *m)
{
    m->requests = (int64_t)s->count;
    for (size_t i = 0; i < s->count; i++) {
        const struct serve_outcome *o = &s->outcome[i];
        bool finished = o->fate == SERVE_FINISHED;
        m->fate[o->fate]++;
        m->entered += !is_refused(o->fate);
        m->preemptions += o->preemptions;
        m->good += is_good(s, i);
        m->prompt_tokens += finished ? s->request[i].prompt_tokens : 0;
        m->output_tokens += finished ? s->request[i].output_tokens : 0;
        m->horizon_ps = latest(latest(m->horizon_ps, s->request[i].arrival_ps),
                               latest(latest(o->admitted_ps, o->first_token_ps), o->finished_ps));
    }
}

/* What happens at the door, in the order in which it does at one moment. */
enum kind { ARRIVES, STARTS, LEAVES };

struct event {
    int64_t at_ps;
    enum kind kind;
    int32_t replica;
};

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->at_ps != y->at_ps)
        return x->at_ps < y->at_ps ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

static size_t list_events(const struct serve_served *s, struct event *event)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct serve_outcome *o = &s->outcome[i];
        if (is_refused(o->fate))
            continue;
        event[count++] = (struct event){s->request[i].arrival_ps, ARRIVES, 0};
        if (o->admitted_ps >= 0)
            event[count++] = (struct event){o->admitted_ps, STARTS, o->replica};
        if (o->finished_ps >= 0)
            event[count++] = (struct event){o->finished_ps, LEAVES, o->replica};
    }
    qsort(event, count, sizeof *event, by_time);
    return count;
}

/* A number and the area under it. */
struct level {
    int64_t now, most;
    wide area;
};

struct walk {
    int64_t now_ps;
    struct level waiting, serving, inside, working; /* working: replicas with work */
    int64_t *on_replica;
    bool negative; /* somebody left whom nobody had seen come */
};

static void level_pass(struct level *level, int64_t span_ps)
{
    level->area += (wide)level->now * span_ps;
    if (span_ps > 0 && level->now > level->most)
        level->most = level->now;
}

static void walk_to(struct walk *w, int64_t at_ps)
{
    int64_t span = at_ps - w->now_ps;
    level_pass(&w->waiting, span);
    level_pass(&w->serving, span);
    level_pass(&w->inside, span);
    level_pass(&w->working, span);
    w->now_ps = at_ps;
}

static void happen(struct walk *w, const struct event *e)
{
    int64_t *on = &w->on_replica[e->replica];
    switch (e->kind) {
    case ARRIVES:
        w->waiting.now++;
        w->inside.now++;
        break;
    case STARTS:
        w->waiting.now--;
        w->serving.now++;
        w->working.now += (*on)++ == 0;
        break;
    case LEAVES:
        w->serving.now--;
        w->inside.now--;
        w->working.now -= --(*on) == 0;
        break;
    }
    w->negative = w->negative || w->waiting.now < 0 || w->serving.now < 0 || *on < 0;
}

static struct walk walk_through(const struct serve_served *s, int64_t horizon_ps)
{
    struct event *event = base_alloc(3 * s->count, sizeof *event);
    size_t count = list_events(s, event);
    struct walk w = {.on_replica = base_alloc((size_t)s->replicas, sizeof(int64_t))};
    for (size_t i = 0; i < count; i++) {
        walk_to(&w, event[i].at_ps);
        happen(&w, &event[i]);
    }
    walk_to(&w, horizon_ps);
    base_free(w.on_replica);
    w.on_replica = NULL;
    base_free(event);
    return w;
}

/* Times of all requests that entered, by their own words. */
struct sums {
    wide waiting, serving;
    int64_t still_waiting, still_serving;
};

static struct sums sum_times(const struct serve_served *s, int64_t horizon_ps)
{
    struct sums sums = {0, 0, 0, 0};
    for (size_t i = 0; i < s->count; i++) {
        const struct serve_outcome *o = &s->outcome[i];
        if (is_refused(o->fate))
            continue;
        int64_t start = o->admitted_ps < 0 ? horizon_ps : o->admitted_ps;
        int64_t end = o->finished_ps < 0 ? horizon_ps : o->finished_ps;
        sums.waiting += start - s->request[i].arrival_ps;
        sums.serving += end - start;
        sums.still_waiting += o->admitted_ps < 0;
        sums.still_serving += o->admitted_ps >= 0 && o->finished_ps < 0;
    }
    return sums;
}

static struct serve_level level_of(const struct level *level, wide time, int64_t entered,
                                   int64_t horizon_ps)
{
    return (struct serve_level){
        .mean = horizon_ps > 0 ? (double)level->area / (double)horizon_ps : 0,
        .most = level->most,
        .mean_s = entered > 0 ? (double)time / SECOND_PS / (double)entered : 0};
}

/* The areas of the walk are the times of the requests: L = lambda W, times the horizon. */
static bool balances(const struct walk *w, const struct sums *sums)
{
    return !w->negative && w->waiting.area == sums->waiting && w->serving.area == sums->serving &&
           w->inside.area == sums->waiting + sums->serving &&
           w->waiting.now == sums->still_waiting && w->serving.now == sums->still_serving;
}

static bool take_levels(const struct serve_served *s, struct serve_measures *m)
{
    struct walk w = walk_through(s, m->horizon_ps);
    struct sums sums = sum_times(s, m->horizon_ps);
    m->waiting = level_of(&w.waiting, sums.waiting, m->entered, m->horizon_ps);
    m->serving = level_of(&w.serving, sums.serving, m->entered, m->horizon_ps);
    m->inside = level_of(&w.inside, sums.waiting + sums.serving, m->entered, m->horizon_ps);
    if (m->horizon_ps > 0)
        m->busy_share = (double)w.working.area / (double)m->horizon_ps / s->replicas;
    return balances(&w, &sums);
}

bool serve_measures_take(const struct serve_served *served, struct serve_measures *m,
                         struct base_report *report)
{
    *m = (struct serve_measures){0};
    count_all(served, m);
    m->queue = spread(served, queue_of);
    m->ttft = spread(served, ttft_of);
    m->tpot = spread(served, tpot_of);
    m->gap = spread(served, gap_of);
    m->request = spread(served, whole_of);
    m->good_share = m->requests > 0 ? (double)m->good / (double)m->requests : 0;
    if (m->horizon_ps > 0) {
        m->output_tokens_per_s = (double)m->output_tokens * SECOND_PS / (double)m->horizon_ps;
        m->good_per_s = (double)m->good * SECOND_PS / (double)m->horizon_ps;
    }
    bool good = take_levels(served, m);
    if (!good)
        base_report_add(report, NULL, 0,
                        "%s: Little's law does not hold on this run: requests over time and the "
                        "times of requests are two different things",
                        served->machine);
    return good;
}
