/* SPDX-License-Identifier: BSD-3-Clause */
/* A rollout as rollout plays it: both artifacts, and the same requests with it and without. */
#ifndef APP_ROLLOUT_H
#define APP_ROLLOUT_H

#include "app/serving_lpu.h"
#include "serve/rollout.h"

/* An artifact that racks run. */
struct app_deployed {
    struct app_command command; /* that verifies it */
    char *override;
    struct app_run run;
    struct app_serving_rack rack; /* first rank */
    int64_t load_bytes;           /* of the fullest chip */
    int64_t load_ps;
    int64_t broken[SERVE_KINDS]; /* violations of a step of each kind; of the canary alone */
    int64_t executed;            /* instructions under the contract */
};

/* Found out by the first rank, known to all but for `without`. */
struct app_rollout {
    struct app_deployed version[SERVE_VERSIONS];
    struct serve_played played;    /* events and end; the rest is the first rank's */
    struct serve_outcome *without; /* [requests], without the rollout; first rank */
    struct serve_measures before;  /* without the rollout */
    double seconds;
};

void app_rollout_free(struct app_rollout *rollout);

/* Collective. /serve/rollout. */
void app_rollout_record(struct app_run *run);

/* The summary as JSON (app_json_writer). */
void app_rollout_json(FILE *out, const struct app_run *run);

#endif
