/* SPDX-License-Identifier: BSD-3-Clause */
/* Prediction of a serving point: a closed loop whose steps the cluster simulates. */
#ifndef MEASURED_SERVING_POINT_H
#define MEASURED_SERVING_POINT_H

#include "engines.h"
#include "kinds.h"
#include "serve/clients.h"

/* Tables of points of a closed loop, and of batches that begin together. */
extern const struct kind kind_serving, kind_serving_batch;

struct serving_point {
    const struct engine_kind *engine;
    const char *model, *number; /* number: "", "bfloat16", "fp8", "fp8_block" */
    int32_t tensor;
    int64_t clients, prompt, output, rounds;
    double shortest; /* as struct serve_clients has it */
    int64_t budget;  /* tokens of a step; 0: as the engine has it on this GPU */
    int64_t slots;   /* requests in the engine at once */
};

/* What a row of either kind describes; NULL, or why nothing can be predicted for it. */
const char *serving_row_point(const struct row *row, struct serving_point *point);
const char *serving_batch_row_point(const struct row *row, struct serving_point *point);

/* Fills the job of a point; NULL, or why there is none. */
const char *serving_point_job(const struct row *row, const struct serving_point *point,
                              struct gpu_job *job);

/* What a front end takes for 1,024 positions of a prompt, to be changed by who fits it. */
int64_t *serving_front_to_change(void);

/* NULL, or why the point cannot be predicted (text that lasts). */
const char *serving_point_predict(const struct row *row, const struct serving_point *point,
                                  struct serve_clients_times *times);

/* A step of the job, all sources frozen, rounded to a grid of batches: decode steps to the sizes
 * that graphs are captured for, keys and parts of prompts to steps of a few percent. Steps that
 * were asked for before are remembered. */
int64_t serving_step_ps(void *job, int32_t replica, int64_t iteration,
                        const struct gpu_batch *batch);

#endif
