/* SPDX-License-Identifier: BSD-3-Clause */
/* The books of one machine: every request in one state, times in order, promises kept. */
#include <inttypes.h>

#include "serve/measures.h"

static bool is_ordered(int64_t before, int64_t after)
{
    return after < 0 || (before >= 0 && before <= after);
}

/* Each returns what is wrong with a request, or NULL. */
typedef const char *rule(const struct serve_request *r, const struct serve_outcome *o,
                         int32_t replicas);

static const char *times_are_ordered(const struct serve_request *r, const struct serve_outcome *o,
                                     int32_t replicas)
{
    (void)replicas;
    if (!is_ordered(r->arrival_ps, o->admitted_ps))
        return "was admitted before it arrived";
    if (!is_ordered(o->admitted_ps, o->first_token_ps))
        return "has its first token before it was admitted";
    if (!is_ordered(o->first_token_ps, o->finished_ps))
        return "was finished before its first token";
    return NULL;
}

static const char *fate_is_told(const struct serve_request *r, const struct serve_outcome *o,
                                int32_t replicas)
{
    (void)r, (void)replicas;
    switch (o->fate) {
    case SERVE_FINISHED:
        return o->finished_ps < 0 ? "is finished at no time" : NULL;
    case SERVE_WAITING:
        return o->finished_ps >= 0 ? "waits, and is finished" : NULL;
    case SERVE_TOO_LONG:
    case SERVE_TOO_LATE:
    case SERVE_OVER_BUDGET:
        return o->admitted_ps >= 0 ? "is refused, and was admitted" : NULL;
    case SERVE_FATES:
        break;
    }
    return "is in no state that there is";
}

static const char *replica_exists(const struct serve_request *r, const struct serve_outcome *o,
                                  int32_t replicas)
{
    (void)r;
    if (o->admitted_ps >= 0 && (o->replica < 0 || o->replica >= replicas))
        return "was admitted by a replica that is not there";
    return NULL;
}

static const char *promise_is_kept(const struct serve_request *r, const struct serve_outcome *o,
                                   int32_t replicas)
{
    (void)r, (void)replicas;
    if (o->fate == SERVE_FINISHED && o->promised_ps >= 0 && o->promised_ps != o->finished_ps)
        return "was not finished at the time that it was promised";
    return NULL;
}

/* The longest gap is no shorter than the mean one, and no longer than all of them. */
static const char *gap_is_possible(const struct serve_request *r, const struct serve_outcome *o,
                                   int32_t replicas)
{
    int64_t span = o->finished_ps - o->first_token_ps, gaps = r->output_tokens - 1;
    (void)replicas;
    if (o->fate != SERVE_FINISHED)
        return NULL;
    if (gaps == 0)
        return span != 0 || o->longest_gap_ps != 0 ? "has one token, and time between tokens"
                                                   : NULL;
    if (o->longest_gap_ps > span || o->longest_gap_ps < (span + gaps - 1) / gaps)
        return "has a longest gap that is none of its gaps";
    return NULL;
}

static const char *fault_of(const struct serve_served *s, size_t i)
{
    static rule *const rules[] = {fate_is_told, times_are_ordered, replica_exists, promise_is_kept,
                                  gap_is_possible};
    const char *fault = NULL;
    for (size_t k = 0; !fault && k < sizeof rules / sizeof rules[0]; k++)
        fault = rules[k](&s->request[i], &s->outcome[i], s->replicas);
    return fault;
}

bool serve_outcomes_check(const struct serve_served *s, struct base_report *report)
{
    size_t faults = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct serve_outcome *o = &s->outcome[i];
        const char *fault = fault_of(s, i);
        if (!fault || ++faults > SERVE_OUTCOME_FAULTS)
            continue;
        base_report_add(report, NULL, 0,
                        "%s: request %zu %s: arrival %" PRId64 " ps, admitted %" PRId64
                        " ps, first token %" PRId64 " ps, finished %" PRId64 " ps, promised "
                        "%" PRId64 " ps, longest gap %" PRId64 " ps",
                        s->machine, i, fault, s->request[i].arrival_ps, o->admitted_ps,
                        o->first_token_ps, o->finished_ps, o->promised_ps, o->longest_gap_ps);
    }
    if (faults > SERVE_OUTCOME_FAULTS)
        base_report_add(report, NULL, 0, "%s: and %zu more requests", s->machine,
                        faults - SERVE_OUTCOME_FAULTS);
    return faults == 0;
}
