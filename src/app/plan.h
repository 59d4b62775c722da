/* SPDX-License-Identifier: BSD-3-Clause */
/* Which chips, split, buckets and seats serve the requests of a run within their limits: the same
 * on all ranks. */
#ifndef APP_PLAN_H
#define APP_PLAN_H

#include "app/app.h"
#include "partition/survey.h"
#include "record/layout.h"
#include "serve/frontier.h"
#include "serve/ladder.h"
#include "serve/source.h"

/* What became of a candidate. */
enum app_plan_fate {
    APP_PLAN_NOT_TRIED, /* another split is no worse in anything, by the compiler's estimate */
    APP_PLAN_NO_FIT,
    APP_PLAN_BREAKS, /* no rate, or no number of replicas that was tried, keeps the limits */
    APP_PLAN_KEEPS,
    APP_PLAN_CHOSEN,
    APP_PLAN_FATES
};

enum { APP_PLAN_WHY = 96 };

/* A machine, what it can do alone, and how many of it serve the requests. */
struct app_plan_row {
    uint8_t machine, fate, verdict; /* verdict: enum serve_verdict, of the next higher rate */
    int32_t stages, group, chips;   /* of a replica; GPUs: chips alone */
    int32_t buckets, positions[SERVE_BUCKETS];
    int32_t asked_seats, seats; /* asked: as in the configuration */
    int64_t length_cycles,
        interval_cycles;      /* of a decode step in the largest bucket; 0: one seat */
    double capacity, highest; /* requests a second of a replica: at most, and within the limits */
    int32_t replicas;         /* that keep the limits at the rate of the run; 0: none */
    int64_t ttft_p50_ps, ttft_p99_ps, tpot_p50_ps, tpot_p99_ps; /* of these, as served */
    double token_joules;
    char why[APP_PLAN_WHY];
};

struct app_plan {
    double rate;                  /* requests a second */
    struct serve_limits limits;   /* of 99 % */
    struct serve_requests sample; /* the first requests; not owned */
    struct survey survey;         /* the first rank's */
    int64_t splits;               /* that fit */
    struct app_plan_row *row;     /* LPU candidates, then the GPU cluster */
    size_t rows, capacity;
    double seconds[2]; /* wall time, by enum record_machine */
};

void app_plan_free(struct app_plan *plan);

/* Adds a row to the plan and returns it, until the next is added. */
struct app_plan_row *app_plan_add(struct app_plan *plan, const struct app_plan_row *row);

/* Not collective. Fills a row by compiling it and serving requests on it; false: a fault is in the
 * report. */
bool app_plan_try(struct app_run *run, struct app_plan_row *row);

/* Collective. Adds the row of the GPU cluster. */
enum base_status app_plan_try_gpu(struct app_run *run);

/* Finds the least number of replicas at an open door of `served`, a run of its own or the run
 * itself, and fills what the row has of it. false: stopped, or a fault. */
struct app_door;
bool app_plan_search(const struct app_plan *plan, struct app_run *served,
                     const struct app_door *door, struct app_plan_row *row);

/* Collective. /serve/plans. */
void app_plan_record(struct app_run *run);

#endif
