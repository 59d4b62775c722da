/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the variance of token intervals on the GPU cluster comes from; the same on all ranks. */
#ifndef APP_ATTRIBUTE_H
#define APP_ATTRIBUTE_H

#include "app/app.h"
#include "gpu_cluster/attribution.h"
#include "gpu_cluster/variation.h"

/* Runs: nothing frozen, each source that the job lets vary, all of them. */
struct app_attribution {
    uint32_t frozen[GPU_SOURCES + 2]; /* by run, as gpu_job.frozen */
    const char *name[GPU_SOURCES + 2];
    struct gpu_intervals all;
    int64_t *interval_ps; /* owned; all.interval_ps */
    struct gpu_attribution row[GPU_SOURCES + 2], rest;
    double seconds; /* wall time of all simulations */
};

void app_attribution_free(struct app_attribution *attribution);

#endif
