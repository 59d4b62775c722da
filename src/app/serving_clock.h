/* SPDX-License-Identifier: BSD-3-Clause */
/* How long iterations on the GPU cluster take: simulated one by one, or from cells; and how far the
 * cells are off. First rank only, the others being in app_simulations_help. */
#ifndef APP_SERVING_CLOCK_H
#define APP_SERVING_CLOCK_H

#include "app/serving_gpu.h"
#include "app/simulations.h"
#include "serve/cells.h"

/* Iterations that are looked at again: of each kind those with the smallest numbers drawn. */
enum { APP_CHECKS = 8, APP_CHECK_DRAWS = 6 };

struct app_checked {
    uint64_t number; /* drawn */
    int32_t replica;
    int64_t iteration;
    struct gpu_batch batch;
};

struct app_clock {
    struct app_simulations *simulations;
    struct serve_cells *cells; /* NULL: exact */
    uint64_t seed;
    double *run_factor;                      /* [replicas] */
    struct app_checked check[2][APP_CHECKS]; /* without prompts, with; descending numbers */
    int32_t checks[2];
    bool samples; /* iterations are considered for a check */
};

/* Cells for batches as the rules allow them and requests of up to so many positions, or none:
 * exact. Release it. */
struct app_clock app_clock_create(struct app_simulations *simulations, uint64_t seed,
                                  int32_t replicas);
void app_clock_take_cells(struct app_clock *clock, const struct serve_rules *rules,
                          int64_t most_keys);
void app_clock_release(struct app_clock *clock);

/* For struct serve_clock; `clock` is a struct app_clock. */
int64_t app_clock_iteration_ps(void *clock, int32_t replica, int64_t iteration,
                               const struct gpu_batch *batch);

/* Simulates the sampled iterations again and fills what the door says of cells. */
void app_clock_check(struct app_clock *clock, struct app_gpu_door *door);

#endif
