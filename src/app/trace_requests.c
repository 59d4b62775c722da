/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests in a trace: each with its time in the queue, to the first token, and to the last. */
#include <inttypes.h>

#include "app/trace.h"
#include "base/memory.h"

enum { REQUESTS = 300000 };

struct walk {
    struct app_trace_job *job;
    int64_t from_ps, to_ps;
};

/* The last moment that is known of a request. */
static int64_t last_ps(const struct record_serve_request *r)
{
    int64_t last = r->arrival_ps;
    last = r->admitted_ps > last ? r->admitted_ps : last;
    last = r->first_token_ps > last ? r->first_token_ps : last;
    return r->finished_ps > last ? r->finished_ps : last;
}

static bool request_wants(void *context, const void *row)
{
    struct walk *w = context;
    const struct record_serve_request *r = row;
    int64_t end_ps = last_ps(r);
    if (end_ps > w->job->end_ps)
        w->job->end_ps = end_ps;
    return r->arrival_ps < w->to_ps && end_ps >= w->from_ps;
}

static void parts_show(struct app_trace *trace, const struct app_trace_spot *spot,
                       const struct record_serve_request *r)
{
    if (r->admitted_ps < 0)
        return;
    app_trace_within(trace, spot, "queue", r->arrival_ps, r->admitted_ps);
    if (r->first_token_ps < 0)
        return;
    app_trace_within(trace, spot, "to the first token", r->admitted_ps, r->first_token_ps);
    if (r->finished_ps >= 0)
        app_trace_within(trace, spot, "to the last token", r->first_token_ps, r->finished_ps);
}

static void request_take(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_serve_request *r = row;
    struct app_trace_place place = {.process = REQUESTS + r->machine, .thread_name = "requests"};
    snprintf(place.process_name, sizeof place.process_name, "requests at the %s",
             r->machine == RECORD_LPU ? "LPU rack" : "GPU cluster");
    char *name = base_format("request %" PRId32, r->request);
    const char *fate = record_label(record_layout(RECORD_SERVE_REQUESTS), "fate", r->fate);
    struct app_trace_spot spot = app_trace_slice(
        w->job->trace, &place, name, "request", r->arrival_ps, last_ps(r),
        "\"fate\":\"%s\",\"tenant\":%" PRId32 ",\"prompt_tokens\":%" PRId32
        ",\"output_tokens\":%" PRId32 ",\"replica\":%" PRId32 ",\"preemptions\":%" PRId32,
        fate, r->tenant, r->prompt_tokens, r->output_tokens, r->replica, r->preemptions);
    parts_show(w->job->trace, &spot, r);
    base_free(name);
}

void app_trace_requests(struct app_trace_job *job)
{
    static const char *const keys[] = {"arrival_ps", "admitted_ps", "first_token_ps", "finished_ps",
                                       NULL};
    const struct app_trace_question *asked = job->asked;
    bool has_steps =
        job->scanned[RECORD_LPU_STEPS].rows > 0 || job->scanned[RECORD_GPU_STEPS].rows > 0;
    struct walk w = {.job = job, .to_ps = INT64_C(1000000000000)};
    if (asked->windowed) {
        w.from_ps = asked->from_ps;
        w.to_ps = asked->to_ps;
    } else if (has_steps) {
        return;
    }
    struct app_scan scan = {RECORD_SERVE_REQUESTS, keys, request_wants, request_take, &w};
    app_trace_scan(job, &scan);
}
