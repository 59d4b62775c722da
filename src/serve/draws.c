/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrivals are sums of whole picoseconds; every number is drawn by the request's own key. */
#include "serve/draws.h"

#include <math.h>

#include "base/random.h"
#include "serve/trace.h"

static const double SECOND_PS = 1e12;
static const int64_t MOST_PS = SERVE_MOST_DAYS * INT64_C(86400000000000000);

/* The process of arrivals up to request `next`. */
struct arrivals {
    const struct serve_source *source;
    uint64_t seed;
    uint64_t next;
    double mean_ps; /* of the intervals, while on */
    int64_t now_ps; /* of the last arrival; of the process alone, without time off */
    /* BURSTS */
    uint64_t period;         /* number of times on so far */
    int64_t on_ps, shift_ps; /* end of this time on without times off; all times off so far */
};

/* Gamma with mean 1 and shape k >= 1: G. Marsaglia, W. W. Tsang, "A simple method for generating
 * gamma variables", ACM TOMS 26 (2000). */
static double gamma_of(uint64_t seed, uint64_t entity, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint64_t turn = 0;; turn++) {
        double x = base_random_normal(seed, BASE_RANDOM_ARRIVAL, entity, 2 * turn + 1);
        double u = base_random_uniform(seed, BASE_RANDOM_ARRIVAL, entity, 2 * turn + 2);
        double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
        if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v / shape;
    }
}

/* Mean 1; a shape below 1 by way of shape + 1 and a power of a uniform number (same source). */
static double gamma_interval(uint64_t seed, uint64_t entity, double cv)
{
    double shape = 1 / (cv * cv);
    if (shape >= 1)
        return gamma_of(seed, entity, shape);
    double u = base_random_uniform(seed, BASE_RANDOM_ARRIVAL, entity, 0);
    return gamma_of(seed, entity, shape + 1) * (shape + 1) / shape * pow(u, 1 / shape);
}

/* In mean intervals. */
static double interval_of(const struct arrivals *a)
{
    switch (a->source->arrivals) {
    case SERVE_GAMMA:
        return gamma_interval(a->seed, a->next, a->source->arrival_cv);
    case SERVE_EVEN:
        return 1;
    case SERVE_POISSON:
    case SERVE_BURSTS:
        break;
    }
    return base_random_exponential(a->seed, BASE_RANDOM_ARRIVAL, a->next, 0);
}

/* Times beyond the limit are as good as the limit. */
static int64_t whole_ps(double ps)
{
    return ps < (double)MOST_PS ? (int64_t)llround(ps) : MOST_PS;
}

/* Begins another time on: `period` counts them. */
static void period_begin(struct arrivals *a)
{
    const struct serve_source *s = a->source;
    double on = base_random_exponential(a->seed, BASE_RANDOM_BURST, a->period, 0);
    double off = base_random_exponential(a->seed, BASE_RANDOM_BURST, a->period, 1);
    a->on_ps += whole_ps(on * (double)s->burst_on_ps);
    a->shift_ps += whole_ps(off * (double)s->burst_off_ps);
    a->period++;
}

/* The process is met at any moment: it is off with the share of its time off, and what is left of
 * that time is as long as all of it, for an exponential time has no memory. */
static void bursts_begin(struct arrivals *a)
{
    double on = (double)a->source->burst_on_ps, off = (double)a->source->burst_off_ps;
    a->mean_ps *= on / (on + off);
    period_begin(a);
    if (base_random_uniform(a->seed, BASE_RANDOM_BURST, 0, 2) < on / (on + off))
        a->shift_ps = 0;
}

static int64_t arrival_take(struct arrivals *a)
{
    a->now_ps += whole_ps(interval_of(a) * a->mean_ps);
    while (a->source->arrivals == SERVE_BURSTS && a->now_ps > a->on_ps && a->shift_ps < MOST_PS)
        period_begin(a);
    a->next++;
    return a->now_ps + a->shift_ps;
}

/* Log-normal with this mean and coefficient of variation, rounded, at least 1. */
static int32_t length_of(uint64_t seed, uint64_t entity, uint64_t which, double mean, double cv)
{
    double variance = log1p(cv * cv);
    double normal = base_random_normal(seed, BASE_RANDOM_LENGTH, entity, which);
    double length = round(mean * exp(sqrt(variance) * normal - variance / 2));
    return length < 1 ? 1 : length < SERVE_MOST_TOKENS ? (int32_t)length : SERVE_MOST_TOKENS;
}

bool serve_draws_take(const struct serve_source *source, uint64_t seed, size_t count,
                      struct serve_request *request)
{
    struct arrivals a = {.source = source, .seed = seed, .mean_ps = SECOND_PS / source->rate};
    if (source->arrivals == SERVE_BURSTS)
        bursts_begin(&a);
    for (size_t i = 0; i < count; i++) {
        request[i] = (struct serve_request){
            .arrival_ps = arrival_take(&a),
            .prompt_tokens = length_of(seed, i, 0, source->prompt_mean, source->prompt_cv),
            .output_tokens = length_of(seed, i, 1, source->output_mean, source->output_cv)};
        if (request[i].arrival_ps > MOST_PS)
            return false;
    }
    return true;
}
