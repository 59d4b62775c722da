/* SPDX-License-Identifier: BSD-3-Clause */
/* What became of all requests together: percentiles, goodput, queues over time, and whether the
 * books balance. */
#ifndef SERVE_MEASURES_H
#define SERVE_MEASURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "serve/requests.h"

enum { SERVE_OUTCOME_FAULTS = 20 }; /* that are listed of one machine; the rest is counted */

/* Requests of one machine, and what became of them. */
struct serve_served {
    const char *machine; /* "LPU": what faults call it */
    const struct serve_request *request;
    const struct serve_outcome *outcome;
    size_t count;
    int32_t replicas;
    int64_t ttft_limit_ps, tpot_limit_ps; /* of a good request; 0: no limit */
};

/* The least of `count` values, sorted upward, that `percent` of all do not exceed (nearest rank).
 * count at least 1, percent 1 to 100. */
int64_t serve_percentile(const int64_t *sorted, size_t count, int percent);

/* A time over many requests; all 0 where count is. */
struct serve_spread {
    int64_t count;
    double mean_ps;
    int64_t p50_ps, p90_ps, p99_ps, max_ps;
};

/* Sorts `time_ps`. */
struct serve_spread serve_spread_of(int64_t *time_ps, size_t count);

/* A number of requests over time, from 0 to the horizon. */
struct serve_level {
    double mean;   /* weighted by time */
    int64_t most;  /* at any time, if only for a picosecond */
    double mean_s; /* time that one of them spends in it */
};

/* Over all requests, and over time from 0 to the horizon: the last arrival, admission or token. A
 * refused request leaves at its arrival. */
struct serve_measures {
    int64_t requests, fate[SERVE_FATES];
    int64_t horizon_ps;
    struct serve_spread queue;   /* arrival to admission, of all that were admitted */
    struct serve_spread ttft;    /* arrival to first token, of all that have one */
    struct serve_spread tpot;    /* mean time from token to token of a finished request of two
                                    tokens or more, to the next lower picosecond */
    struct serve_spread gap;     /* its longest time from token to token */
    struct serve_spread request; /* arrival to last token, of finished requests */
    int64_t prompt_tokens, output_tokens; /* of finished requests */
    double output_tokens_per_s;           /* over the horizon */
    int64_t good;                         /* finished within both limits */
    double good_share, good_per_s;        /* of all requests; over the horizon */
    int64_t preemptions;
    double busy_share; /* of the replicas' time, with a request in service */
    /* Little's law on the sample path: entered / horizon x time of one = mean number. */
    int64_t entered;                             /* requests that were not refused at arrival */
    struct serve_level waiting, serving, inside; /* inside: both */
};

/* Every request is in exactly one state, its times are in order and its promise was kept. Adds a
 * fault for each that is not. Returns whether there was none. */
bool serve_outcomes_check(const struct serve_served *served, struct base_report *report);

/* Of outcomes that passed. Adds a fault, and returns false, where Little's law does not hold to the
 * picosecond or numbers of requests do not add up. */
bool serve_measures_take(const struct serve_served *served, struct serve_measures *measures,
                         struct base_report *report);

#endif
