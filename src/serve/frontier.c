/* SPDX-License-Identifier: BSD-3-Clause */
/* Bisection on a grid of rates, so that searches for different limits share their points. */
#include "serve/frontier.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

const struct serve_point *serve_curve_at(struct serve_curve *curve, double rate)
{
    assert(rate > 0);
    size_t at = 0;
    while (at < curve->count && curve->point[at].rate < rate)
        at++;
    if (at < curve->count && curve->point[at].rate == rate)
        return &curve->point[at];
    struct serve_point point = {.rate = rate};
    if (curve->stopped || !curve->measure(curve->context, rate, &point)) {
        curve->stopped = true;
        return NULL;
    }
    curve->point =
        base_grow(curve->point, &curve->capacity, curve->count + 1, sizeof *curve->point);
    memmove(&curve->point[at + 1], &curve->point[at], (curve->count - at) * sizeof *curve->point);
    curve->point[at] = point;
    curve->count++;
    return &curve->point[at];
}

void serve_curve_release(struct serve_curve *curve)
{
    base_free(curve->point);
    curve->point = NULL;
    curve->count = curve->capacity = 0;
}

enum serve_verdict serve_limits_judge(const struct serve_limits *limits,
                                      const struct serve_measures *m)
{
    const int64_t hundred = 100;
    int64_t held = m->requests - m->fate[SERVE_TOO_LONG];
    if ((held - m->fate[SERVE_FINISHED]) * hundred > held)
        return SERVE_REFUSING;
    if (limits->ttft_ps > 0 && m->ttft.p99_ps > limits->ttft_ps)
        return SERVE_TTFT_BROKEN;
    if (limits->tpot_ps > 0 && m->tpot.p99_ps > limits->tpot_ps)
        return SERVE_TPOT_BROKEN;
    return SERVE_KEPT;
}

bool serve_frontier_find(struct serve_curve *curve, const struct serve_limits *limits,
                         double highest, struct serve_frontier *frontier)
{
    int low = 0, high = SERVE_FRONTIER_STEPS + 1; /* low keeps them, high is taken not to */
    *frontier = (struct serve_frontier){0};
    while (high - low > 1) {
        int middle = high > SERVE_FRONTIER_STEPS ? SERVE_FRONTIER_STEPS : (low + high) / 2;
        const struct serve_point *point =
            serve_curve_at(curve, highest * middle / SERVE_FRONTIER_STEPS);
        if (!point)
            return false;
        enum serve_verdict verdict = serve_limits_judge(limits, &point->measures);
        if (verdict == SERVE_KEPT) {
            low = middle;
            frontier->rate = point->rate;
        } else {
            high = middle;
            frontier->verdict = verdict;
        }
    }
    return true;
}
