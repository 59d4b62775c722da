/* SPDX-License-Identifier: BSD-3-Clause */
/* At one machine's open door: the highest rate that a replica bears within limits, and how many
 * replicas bear the rate of the run. */
#include <math.h>
#include <stdio.h>

#include "app/plan.h"
#include "app/serving.h"
#include "base/memory.h"

/* Replicas that are tried behind the first guess. */
enum { MOST_TRIES = 6 };

/* One machine on its way into a row. */
struct search {
    const struct app_plan *plan;
    struct app_run *served;
    const struct app_door *door;
    struct app_plan_row *row;
    struct serve_request *request; /* at the rate at hand */
    struct serve_outcome *outcome;
};

static int32_t *replicas_of(struct search *s)
{
    struct serve_spec *spec = &s->served->scenario.serve;
    return s->row->machine == RECORD_LPU ? &spec->lpu_replicas : &spec->gpu_replicas;
}

/* Serves requests at a rate on so many replicas. */
static bool serve(struct search *s, const struct serve_requests *requests, double rate,
                  int32_t replicas, struct serve_measures *measures)
{
    *replicas_of(s) = replicas;
    struct serve_served served =
        app_serving_served(s->served, (enum record_machine)s->row->machine);
    served.request = s->request;
    served.outcome = s->outcome;
    served.count = requests->count;
    serve_requests_pace(requests, rate, s->request);
    return s->door->serve(s->door->self, s->request, requests->count, s->outcome, true) &&
           serve_outcomes_check(&served, &s->served->report) &&
           serve_measures_take(&served, measures, &s->served->report);
}

static bool measure(void *context, double rate, struct serve_point *point)
{
    struct search *s = context;
    return serve(s, &s->plan->sample, rate, 1, &point->measures);
}

static bool find_highest(struct search *s)
{
    struct serve_curve curve = {.measure = measure, .context = s};
    struct serve_frontier frontier;
    *replicas_of(s) = 1;
    s->row->capacity = s->door->capacity(s->door->self);
    bool found = s->row->capacity > 0 &&
                 serve_frontier_find(&curve, &s->plan->limits, s->row->capacity, &frontier);
    serve_curve_release(&curve);
    if (!found)
        return false;
    s->row->highest = frontier.rate;
    s->row->verdict = (uint8_t)frontier.verdict;
    return true;
}

static double watts(const struct search *s)
{
    const struct scenario *scenario = &s->served->scenario;
    return s->row->chips * (s->row->machine == RECORD_LPU ? scenario->lpu_chip.power_average_w
                                                          : scenario->gpu_chip.power_w);
}

static void take(struct search *s, int32_t replicas, const struct serve_measures *m)
{
    struct app_plan_row *row = s->row;
    row->fate = APP_PLAN_KEEPS;
    row->replicas = replicas;
    row->ttft_p50_ps = m->ttft.p50_ps;
    row->ttft_p99_ps = m->ttft.p99_ps;
    row->tpot_p50_ps = m->tpot.p50_ps;
    row->tpot_p99_ps = m->tpot.p99_ps;
    row->token_joules =
        m->output_tokens_per_s > 0 ? watts(s) * replicas / m->output_tokens_per_s : 0;
}

/* From a guess upward until limits are kept, or downward as long as they are. */
static bool find_replicas(struct search *s, int32_t guess)
{
    const struct serve_requests *all = &s->served->serving->requests;
    int32_t up = 0, replicas = guess;
    for (int tries = 0; tries < MOST_TRIES && replicas > 0; tries++) {
        struct serve_measures m;
        if (!serve(s, all, s->plan->rate, replicas, &m))
            return false;
        enum serve_verdict verdict = serve_limits_judge(&s->plan->limits, &m);
        bool keeps = verdict == SERVE_KEPT && replicas * s->row->capacity >= s->plan->rate;
        if (keeps)
            take(s, replicas, &m);
        if (keeps ? up > 0 : s->row->replicas > 0)
            break;
        up = keeps ? up : 1;
        replicas += keeps ? -1 : 1;
    }
    return true;
}

static const char *broken(enum serve_verdict verdict)
{
    static const char *const text[SERVE_VERDICTS] = {"nothing", "TTFT", "TPOT", "refusals"};
    return text[verdict];
}

static bool search(struct search *s)
{
    struct app_plan_row *row = s->row;
    if (!find_highest(s))
        return false;
    row->fate = APP_PLAN_BREAKS;
    if (row->highest <= 0) {
        snprintf(row->why, sizeof row->why, "%s breaks its limit at any rate",
                 broken((enum serve_verdict)row->verdict));
        return true;
    }
    int32_t guess = (int32_t)ceil(s->plan->rate / row->highest);
    if (!find_replicas(s, guess))
        return false;
    if (row->fate == APP_PLAN_BREAKS)
        snprintf(row->why, sizeof row->why, "more than %d replicas would be needed",
                 (int)guess + MOST_TRIES - 1);
    return true;
}

bool app_plan_search(const struct app_plan *plan, struct app_run *served,
                     const struct app_door *door, struct app_plan_row *row)
{
    size_t count = served->serving->requests.count;
    struct search s = {.plan = plan, .served = served, .door = door, .row = row};
    s.request = base_alloc(count, sizeof *s.request);
    s.outcome = base_alloc(count, sizeof *s.outcome);
    bool done = search(&s);
    base_free(s.outcome);
    base_free(s.request);
    return done;
}
