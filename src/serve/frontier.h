/* SPDX-License-Identifier: BSD-3-Clause */
/* How many requests a second a machine takes before its percentiles break limits: found by
 * bisection over rates, each of which is measured once, whatever limits are asked about. */
#ifndef SERVE_FRONTIER_H
#define SERVE_FRONTIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/measures.h"

/* A machine under one load. */
struct serve_point {
    double rate; /* requests a second */
    struct serve_measures measures;
};

/* Serves the requests at `rate` > 0 and fills point->measures. false: it was stopped. */
typedef bool serve_measure_load(void *context, double rate, struct serve_point *point);

/* Points by rate, upward; release with serve_curve_release. */
struct serve_curve {
    serve_measure_load *measure;
    void *context;
    struct serve_point *point;
    size_t count, capacity;
    bool stopped;
};

/* The point at `rate`, measured if it has not been; NULL: stopped. Valid until the next call. */
const struct serve_point *serve_curve_at(struct serve_curve *curve, double rate);
void serve_curve_release(struct serve_curve *curve);

struct serve_limits {
    int64_t ttft_ps, tpot_ps; /* 0: no limit */
};

/* What a load breaks first. */
enum serve_verdict {
    SERVE_KEPT,
    SERVE_TTFT_BROKEN, /* p99 of finished requests is beyond the limit */
    SERVE_TPOT_BROKEN,
    SERVE_REFUSING, /* more than one in a hundred of those that a bucket holds was refused */
    SERVE_VERDICTS
};

enum serve_verdict serve_limits_judge(const struct serve_limits *limits,
                                      const struct serve_measures *measures);

enum { SERVE_FRONTIER_STEPS = 256 }; /* rates that are looked at: k / 256 of the highest */

struct serve_frontier {
    double rate;                /* the highest that keeps the limits; 0: none does */
    enum serve_verdict verdict; /* of the next rate; KEPT: the highest rate keeps them, too */
};

/* Percentiles are taken to grow with the rate. Returns false where the curve was stopped. */
bool serve_frontier_find(struct serve_curve *curve, const struct serve_limits *limits,
                         double highest, struct serve_frontier *frontier);

#endif
