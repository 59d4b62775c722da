/* SPDX-License-Identifier: BSD-3-Clause */
/* The GPU cluster's door: what an engine is given, and what its run found out. */
#ifndef APP_SERVING_GPU_H
#define APP_SERVING_GPU_H

#include "serve/replicas.h"

struct app_paint; /* app/rows.h */
struct app_run;   /* app/app.h */

/* Deviations of iterations that were simulated again, whole. */
struct app_gpu_deviation {
    double median, p90, worst;
};

/* The same on all ranks. */
struct app_gpu_door {
    struct serve_rules rules;
    struct serve_tally tally;           /* of all replicas */
    int64_t end_ps;                     /* of the last iteration */
    int64_t weights_bytes, block_bytes; /* of a GPU */
    /* Cells, 0 where each iteration was simulated exactly */
    int64_t points, regions, simulations;
    double cells_seconds; /* wall time of simulations for cells */
    /* Iterations that were simulated again, so many with prompts and so many without, so often
     * each: the mean over that of the cells, and the coefficient of variation beside theirs. */
    int32_t checked, check_draws;
    struct app_gpu_deviation mean, variation;
    double bias; /* mean over checked iterations, cells over exact, less 1 */
    /* All replicas, busy all the time with such requests; 0: not measured */
    double capacity_requests_per_s, capacity_tokens_per_s; /* tokens: of output */
};

/* Iterations, memory, capacity, and how far cells were off, on the terminal. */
void app_gpu_door_show(const struct app_run *run, const struct app_paint *p);

#endif
