/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps of the GPU cluster that the first rank wants to know, simulated by all ranks. */
#ifndef APP_SIMULATIONS_H
#define APP_SIMULATIONS_H

#include "gpu_cluster/gpu_cluster.h"

/* One step, a function of what stands here. */
struct app_simulation {
    struct gpu_batch batch;
    uint64_t seed, run_seed; /* as struct gpu_job has them */
    uint32_t frozen;
    bool whole; /* all layers, or an estimate from few */
};

/* While the first rank goes its way, the others help. */
struct app_simulations {
    const struct gpu_job *job;
    int64_t count;  /* simulated so far */
    double seconds; /* wall time of the first rank in them */
    int stop_signal;
};

/* One of them, on this rank alone. */
int64_t app_simulation_ps(const struct gpu_job *job, const struct app_simulation *wanted);

/* First rank only; the others are in app_simulations_help. Times of `count` steps in picoseconds,
 * the same for any number of ranks. */
void app_simulations_run(struct app_simulations *simulations, const struct app_simulation *wanted,
                         size_t count, int64_t *ps);

/* First rank only, the others helping. Whether some rank has been asked to stop. */
bool app_simulations_stop(struct app_simulations *simulations);

/* All ranks but the first; returns when that has called app_simulations_end. */
void app_simulations_help(struct app_simulations *simulations);
void app_simulations_end(void);

#endif
