/* SPDX-License-Identifier: BSD-3-Clause */
/* Two runs of the same requests side by side. */
#include <assert.h>

#include "serve/rollout.h"

bool serve_event_is_decision(enum serve_event_kind kind)
{
    return kind == SERVE_EVENT_START || kind == SERVE_EVENT_GO_ON || kind == SERVE_EVENT_PROMOTE ||
           kind == SERVE_EVENT_ROLL_BACK || kind == SERVE_EVENT_KEEP;
}

static bool is_refused(const struct serve_outcome *o)
{
    return o->fate != SERVE_WAITING && o->fate != SERVE_FINISHED;
}

/* The last decision at or before a moment; the first one where there is none. */
static struct serve_event *decision_at(struct serve_played *played, int64_t at_ps)
{
    struct serve_event *found = &played->event[0];
    for (size_t n = 0; n < played->events && played->event[n].at_ps <= at_ps; n++)
        if (serve_event_is_decision(played->event[n].kind))
            found = &played->event[n];
    return found;
}

/* When a request without the rollout was let in, or refused as it came. */
static int64_t decided_ps(const struct serve_request *request, const struct serve_outcome *without)
{
    return without->admitted_ps >= 0 ? without->admitted_ps : request->arrival_ps;
}

static struct serve_cost cost_of(const struct serve_outcome *o, const struct serve_outcome *without,
                                 const struct serve_course *course)
{
    struct serve_cost cost = {.failed = course->failures,
                              .refused = is_refused(o) && !is_refused(without)};
    if (o->fate != SERVE_FINISHED || without->fate != SERVE_FINISHED)
        return cost;
    int64_t delay = o->finished_ps - without->finished_ps;
    cost.delayed = delay > 0;
    cost.sooner = delay < 0;
    cost.delay_ps = delay > 0 ? delay : 0;
    return cost;
}

static void charge(struct serve_cost *sum, const struct serve_cost *cost)
{
    sum->delayed += cost->delayed;
    sum->delay_ps += cost->delay_ps;
    sum->sooner += cost->sooner;
    sum->failed += cost->failed;
    sum->refused += cost->refused;
}

void serve_rollout_charge(struct serve_played *played, const struct serve_request *request,
                          size_t count, const struct serve_outcome *outcome,
                          const struct serve_outcome *without)
{
    for (size_t n = 0; n < count && played->events > 0; n++) {
        struct serve_cost cost = cost_of(&outcome[n], &without[n], &played->course[n]);
        int64_t at = decided_ps(&request[n], &without[n]), own = played->course[n].first_ps;
        at = own >= 0 && own < at ? own : at;
        charge(&decision_at(played, at)->cost, &cost);
    }
}
