/* SPDX-License-Identifier: BSD-3-Clause */
/* Shares of the variance and of the tail of token intervals, source by source. */
#ifndef GPU_CLUSTER_ATTRIBUTION_H
#define GPU_CLUSTER_ATTRIBUTION_H

#include <stdint.h>

/* Intervals of runs under common random numbers, [runs][repeats][steps]. In run 0 everything
 * varies; in each of the others something is frozen, in the last one everything that can be. */
struct gpu_intervals {
    const int64_t *interval_ps;
    int32_t runs, repeats, steps;
};

/* One run. Shares are what freezing takes away, of 1: of the variance, and of p99 - p50
 * (nearest-rank percentiles over all repeats); negative where it adds. `error` is the standard
 * error of the share of variance by the jackknife over repeats; 0 with a single repeat. */
struct gpu_attribution {
    int64_t p50_ps, p99_ps;
    double mean_ps, deviation_ps;
    double variance_share, variance_error, tail_share;
};
struct gpu_attribution gpu_attribution_of(const struct gpu_intervals *all, int32_t run);

/* What neither the sources one by one nor the run with all frozen account for, in the share fields:
 * interactions. `row` is that of every run. */
struct gpu_attribution gpu_attribution_rest(const struct gpu_attribution *row, int32_t runs);

#endif
