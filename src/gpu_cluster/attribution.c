/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics of token intervals with one source frozen at a time; sums run in a fixed order. */
#include "gpu_cluster/attribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const int64_t *of_run(const struct gpu_intervals *all, int32_t run)
{
    return all->interval_ps + (size_t)run * (size_t)all->repeats * (size_t)all->steps;
}

/* Mean and variance over all repeats but one; `without` -1: over all. */
struct moments {
    double mean, variance;
};

static struct moments moments_of(const struct gpu_intervals *all, int32_t run, int32_t without)
{
    const int64_t *interval = of_run(all, run);
    double mean = 0, squares = 0;
    int64_t count = 0;
    for (int32_t r = 0; r < all->repeats; r++) {
        for (int32_t s = 0; r != without && s < all->steps; s++) {
            double x = (double)interval[(size_t)r * (size_t)all->steps + (size_t)s], off = x - mean;
            mean += off / (double)++count;
            squares += off * (x - mean);
        }
    }
    return (struct moments){mean, count > 0 ? squares / (double)count : 0};
}

static double share_taken(double left, double whole)
{
    return whole > 0 ? 1 - left / whole : 0;
}

static double variance_share(const struct gpu_intervals *all, int32_t run, int32_t without)
{
    return share_taken(moments_of(all, run, without).variance,
                       moments_of(all, 0, without).variance);
}

static double jackknife(const struct gpu_intervals *all, int32_t run)
{
    double sum = 0, squares = 0, n = all->repeats;
    for (int32_t r = 0; all->repeats > 1 && r < all->repeats; r++) {
        double share = variance_share(all, run, r);
        sum += share;
        squares += share * share;
    }
    double spread = squares - sum * sum / n;
    return spread > 0 ? sqrt((n - 1) / n * spread) : 0;
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct tail {
    int64_t p50_ps, p99_ps;
};

/* Nearest rank: the least value that so many percent of all do not exceed. */
static struct tail tail_of(const struct gpu_intervals *all, int32_t run)
{
    size_t count = (size_t)all->repeats * (size_t)all->steps;
    int64_t *sorted = base_alloc(count, sizeof *sorted);
    memcpy(sorted, of_run(all, run), count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    struct tail tail = {sorted[(count * 50 + 99) / 100 - 1], sorted[(count * 99 + 99) / 100 - 1]};
    base_free(sorted);
    return tail;
}

struct gpu_attribution gpu_attribution_of(const struct gpu_intervals *all, int32_t run)
{
    struct moments moments = moments_of(all, run, -1);
    struct tail tail = tail_of(all, run), whole = tail_of(all, 0);
    return (struct gpu_attribution){
        .p50_ps = tail.p50_ps,
        .p99_ps = tail.p99_ps,
        .mean_ps = moments.mean,
        .deviation_ps = sqrt(moments.variance),
        .variance_share = variance_share(all, run, -1),
        .variance_error = jackknife(all, run),
        .tail_share =
            share_taken((double)(tail.p99_ps - tail.p50_ps), (double)(whole.p99_ps - whole.p50_ps)),
    };
}

struct gpu_attribution gpu_attribution_rest(const struct gpu_attribution *row, int32_t runs)
{
    struct gpu_attribution rest = {.variance_share = row[runs - 1].variance_share,
                                   .tail_share = row[runs - 1].tail_share};
    for (int32_t run = 1; run < runs - 1; run++) {
        rest.variance_share -= row[run].variance_share;
        rest.tail_share -= row[run].tail_share;
    }
    return rest;
}
