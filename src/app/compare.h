/* SPDX-License-Identifier: BSD-3-Clause */
/* Both machines on one scale: the figures of /compare, of the summary and of its JSON. */
#ifndef APP_COMPARE_H
#define APP_COMPARE_H

#include "app/app.h"
#include "record/layout.h"

/* Time between tokens: nearest-rank percentiles over all intervals; count 0: there are none. */
struct app_intervals {
    int64_t count, min_ps, p50_ps, p99_ps, max_ps;
};

/* What a user of one machine sees. */
struct app_figures {
    bool runs;
    int64_t ttft_ps, finished_ps;
    struct app_intervals tpot;
    double tokens_per_s; /* after the first token; of a single token, over all */
};

/* Rows of the four tables, on every rank. */
struct app_compare {
    struct app_figures machine[2]; /* by enum record_machine */
    struct app_figures quiet;      /* the GPU cluster without its neighbour */
    bool lpu_steps_equal;          /* every executed decode step took the compiled length */
    struct record_compare_metric *metric;
    struct record_compare_decision *decision;
    struct record_compare_share *share;
    struct record_compare_step *step;
    size_t metrics, decisions, shares, steps;
    size_t metric_capacity, decision_capacity, share_capacity, step_capacity;
};

void app_compare_free(struct app_compare *compare);

/* Sorts `interval_ps`. */
struct app_intervals app_intervals_of(int64_t *interval_ps, size_t count);

/* Fill the rows of one machine that took part. */
void app_compare_add_lpu(struct app_compare *compare, const struct app_run *run);
void app_compare_add_gpu(struct app_compare *compare, const struct app_run *run);

void app_compare_metric(struct app_compare *compare, enum record_machine machine, const char *name,
                        double value, const char *units);
void app_compare_decision(struct app_compare *compare, enum record_machine machine,
                          enum record_when when, const char *name, int64_t count, double per_token);
void app_compare_share(struct app_compare *compare, enum record_machine machine,
                       enum record_phase phase, const char *name, int64_t time_ps);
void app_compare_step(struct app_compare *compare, struct record_compare_step step);

#endif
