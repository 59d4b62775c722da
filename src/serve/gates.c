/* SPDX-License-Identifier: BSD-3-Clause */
/* Percentiles of small samples scatter: a gate is broken where chance is no explanation. */
#include "serve/gates.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "serve/measures.h"

/* Of windows of a canary that is as good as its bound: that a gate may take for broken. */
static const double MISJUDGED = 0.001;
enum { PERCENT = 99 };

static void see(struct serve_times_seen *times, int64_t ps)
{
    times->ps = base_grow(times->ps, &times->capacity, times->count + 1, sizeof *times->ps);
    times->ps[times->count++] = ps;
}

void serve_sample_finish(struct serve_sample *sample, const struct serve_request *request,
                         const struct serve_outcome *outcome)
{
    see(&sample->ttft, outcome->first_token_ps - request->arrival_ps);
    if (request->output_tokens > 1)
        see(&sample->tpot,
            (outcome->finished_ps - outcome->first_token_ps) / (request->output_tokens - 1));
}

void serve_sample_clear(struct serve_sample *sample)
{
    sample->ttft.count = sample->tpot.count = 0;
    sample->decided = sample->refused = 0;
}

void serve_sample_release(struct serve_sample *sample)
{
    base_free(sample->ttft.ps);
    base_free(sample->tpot.ps);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t p99(struct serve_times_seen *times)
{
    if (times->count == 0)
        return -1;
    qsort(times->ps, times->count, sizeof *times->ps, by_size);
    return serve_percentile(times->ps, times->count, PERCENT);
}

struct serve_sight serve_sample_look(struct serve_sample *sample)
{
    return (struct serve_sight){.finished = (int64_t)sample->ttft.count,
                                .decided = sample->decided,
                                .refused = sample->refused,
                                .ttft_p99_ps = p99(&sample->ttft),
                                .tpot_p99_ps = p99(&sample->tpot)};
}

double serve_gates_chance(int64_t trials, int64_t hits, double p)
{
    double n = (double)trials, chance = 0;
    if (hits <= 0 || p >= 1)
        return 1;
    for (int64_t k = hits; k <= trials && p > 0; k++) {
        double ways = lgamma(n + 1) - lgamma((double)k + 1) - lgamma(n - (double)k + 1);
        chance += exp(ways + (double)k * log(p) + (double)(trials - k) * log1p(-p));
    }
    return chance < 1 ? chance : 1;
}

/* Whether more have something than a share of `p`, and not by chance. */
static bool is_more(int64_t hits, int64_t trials, double p)
{
    return (double)hits > p * (double)trials && serve_gates_chance(trials, hits, p) < MISJUDGED;
}

static bool is_beyond(const struct serve_times_seen *times, double bound_ps)
{
    int64_t beyond = 0;
    for (size_t n = 0; n < times->count; n++)
        beyond += (double)times->ps[n] > bound_ps;
    return is_more(beyond, (int64_t)times->count, (100 - PERCENT) / 100.0);
}

/* Against what the stable schedule did, if enough is known of both. */
static bool is_worse(struct serve_times_seen *canary, struct serve_times_seen *stable, double ratio,
                     int32_t least)
{
    bool known = canary->count >= (size_t)least && stable->count >= (size_t)least;
    return known && is_beyond(canary, ratio * (double)p99(stable));
}

static bool refuses_more(const struct serve_sample *canary, const struct serve_sample *stable,
                         double allowed)
{
    double usual = stable->decided ? (double)stable->refused / (double)stable->decided : 0;
    return is_more(canary->refused, canary->decided, usual + allowed);
}

enum serve_gate serve_gates_judge(const struct serve_spec *spec,
                                  struct serve_sample sample[SERVE_VERSIONS])
{
    const struct serve_rollout_spec *r = &spec->rollout;
    struct serve_sample *canary = &sample[SERVE_CANARY], *stable = &sample[SERVE_STABLE];
    if (spec->ttft_limit_ps > 0 && is_beyond(&canary->ttft, (double)spec->ttft_limit_ps))
        return SERVE_GATE_TTFT_LIMIT;
    if (spec->tpot_limit_ps > 0 && is_beyond(&canary->tpot, (double)spec->tpot_limit_ps))
        return SERVE_GATE_TPOT_LIMIT;
    if (is_worse(&canary->ttft, &stable->ttft, r->ttft_ratio, r->least))
        return SERVE_GATE_TTFT_RATIO;
    if (is_worse(&canary->tpot, &stable->tpot, r->tpot_ratio, r->least))
        return SERVE_GATE_TPOT_RATIO;
    return refuses_more(canary, stable, r->refusals) ? SERVE_GATE_REFUSALS : SERVE_GATE_NONE;
}
