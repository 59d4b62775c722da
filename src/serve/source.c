/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts the slice out of a trace, stretches its time, deals tenants. */
#include "serve/source.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "serve/draws.h"
#include "serve/trace.h"

static const double SECOND_PS = 1e12;

void serve_requests_release(struct serve_requests *requests)
{
    base_free(requests->request);
    *requests = (struct serve_requests){0};
}

double serve_requests_rate(const struct serve_requests *requests)
{
    size_t n = requests->count;
    if (n < 2)
        return 0;
    int64_t span = requests->request[n - 1].arrival_ps - requests->request[0].arrival_ps;
    return span > 0 ? (double)(n - 1) * SECOND_PS / (double)span : 0;
}

/* Request i of a trace, or of all draws, is of tenant i modulo their number. */
static void tenants_deal(const struct serve_source *source, int64_t first,
                         struct serve_requests *requests)
{
    for (size_t i = 0; i < requests->count; i++)
        requests->request[i].tenant =
            (int32_t)((first + (int64_t)i) % (source->tenants > 0 ? source->tenants : 1));
}

/* Multiplies all times by one factor: what was sorted stays so. */
static void stretch(const struct serve_source *source, struct serve_requests *requests,
                    struct base_report *report)
{
    const double most_ps = SERVE_MOST_DAYS * 86400 * SECOND_PS;
    double rate = serve_requests_rate(requests), factor = rate / source->rate;
    if (requests->count < 2)
        return;
    if (rate == 0) {
        base_report_add(report, source->trace, 0,
                        "serve.rate = %g: the %zu requests of the slice arrive all at once, which "
                        "no stretch of time changes: 0",
                        source->rate, requests->count);
        return;
    }
    if (factor * (double)requests->request[requests->count - 1].arrival_ps > most_ps) {
        base_report_add(report, source->trace, 0,
                        "serve.rate = %g: the %zu requests of the slice would last longer than %d "
                        "days: a higher rate or fewer serve.requests",
                        source->rate, requests->count, SERVE_MOST_DAYS);
        return;
    }
    for (size_t i = 0; i < requests->count; i++)
        requests->request[i].arrival_ps =
            (int64_t)llround(factor * (double)requests->request[i].arrival_ps);
}

/* Leaves requests first, first + 1, ... of the trace, the first of them at 0. */
static bool slice(const struct serve_source *source, struct serve_requests *requests,
                  struct base_report *report)
{
    size_t first = (size_t)source->first, wanted = (size_t)source->requests;
    size_t left = first < requests->count ? requests->count - first : 0;
    if (left == 0 || wanted > left) {
        base_report_add(report, source->trace, 0,
                        "serve.first = %zu and serve.requests = %zu want more than the %zu "
                        "requests of the trace",
                        first, wanted, requests->count);
        return false;
    }
    requests->count = wanted > 0 ? wanted : left;
    int64_t start_ps = requests->request[first].arrival_ps;
    memmove(requests->request, requests->request + first,
            requests->count * sizeof *requests->request);
    for (size_t i = 0; i < requests->count; i++)
        requests->request[i].arrival_ps -= start_ps;
    return true;
}

static void trace_take(const struct serve_source *source, struct serve_requests *requests,
                       struct base_report *report)
{
    struct serve_trace trace;
    if (!serve_trace_read(source->trace, source->format, &trace, report)) {
        serve_trace_release(&trace);
        return;
    }
    *requests = (struct serve_requests){trace.request, trace.count, trace.moved};
    if (!slice(source, requests, report))
        return;
    if (source->rate > 0)
        stretch(source, requests, report);
    if (!trace.has_tenants)
        tenants_deal(source, source->first, requests);
}

static void draws_take(const struct serve_source *source, uint64_t seed,
                       struct serve_requests *requests, struct base_report *report)
{
    size_t before = report->count;
    if (source->rate <= 0)
        base_report_add(
            report, NULL, 0,
            "serve.rate: 0 is the rate of a trace, and serve.trace names none: requests "
            "a second, more than 0");
    if (source->requests <= 0)
        base_report_add(report, NULL, 0,
                        "serve.requests: 0 is all of a trace, and serve.trace names none: at least "
                        "1");
    if (source->first > 0)
        base_report_add(report, NULL, 0,
                        "serve.first: %lld requests of a trace, and serve.trace names none: 0",
                        (long long)source->first);
    if (report->count > before)
        return;
    requests->count = (size_t)source->requests;
    requests->request = base_alloc(requests->count, sizeof *requests->request);
    if (!serve_draws_take(source, seed, requests->count, requests->request))
        base_report_add(report, NULL, 0,
                        "serve.rate = %g: %zu requests would arrive for longer than %d days: a "
                        "higher rate or fewer serve.requests",
                        source->rate, requests->count, SERVE_MOST_DAYS);
    tenants_deal(source, 0, requests);
}

bool serve_source_take(const struct serve_source *source, uint64_t seed,
                       struct serve_requests *requests, struct base_report *report)
{
    size_t before = report->count;
    *requests = (struct serve_requests){0};
    if (source->trace[0])
        trace_take(source, requests, report);
    else
        draws_take(source, seed, requests, report);
    return report->count == before;
}

void serve_requests_pace(const struct serve_requests *requests, double rate,
                         struct serve_request *paced)
{
    double scale = serve_requests_rate(requests) / rate;
    for (size_t i = 0; i < requests->count; i++) {
        paced[i] = requests->request[i];
        paced[i].arrival_ps = (int64_t)((double)paced[i].arrival_ps * scale);
    }
}
