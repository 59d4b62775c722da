/* SPDX-License-Identifier: BSD-3-Clause */
/* Shares of a GPU: collectives and another tenant's kernels beside the kernel at hand. */
#include "gpu_cluster/contention.h"

#include <math.h>

#include "base/random.h"

struct gpu_taken gpu_taken_by_collective(int32_t channels, double link_bytes_per_s)
{
    return (struct gpu_taken){
        .sms = channels,
        .hbm_bytes_per_s = link_bytes_per_s,
        .l2_bytes_per_s = 2 * link_bytes_per_s,
    };
}

/* `of` is how much of its share the tenant takes. */
static struct gpu_taken tenant_share(const struct gpu_chip *chip,
                                     const struct gpu_cluster_spec *spec, double of)
{
    return (struct gpu_taken){
        .sms = (int32_t)lround(of * spec->tenant_sms * chip->sms),
        .hbm_bytes_per_s =
            of * spec->tenant_bandwidth * chip->hbm_bytes_per_s * chip->hbm_efficiency,
        .l2_bytes_per_s = of * spec->tenant_bandwidth * chip->l2_bytes_per_s,
    };
}

struct gpu_taken gpu_taken_by_tenant(const struct gpu_chip *chip,
                                     const struct gpu_cluster_spec *spec, bool running)
{
    return tenant_share(chip, spec, running ? 1 : 0);
}

struct gpu_taken gpu_taken_steadily(const struct gpu_chip *chip,
                                    const struct gpu_cluster_spec *spec)
{
    return tenant_share(chip, spec, spec->tenant_load);
}

struct gpu_taken gpu_taken_together(struct gpu_taken a, struct gpu_taken b)
{
    return (struct gpu_taken){a.sms + b.sms, a.hbm_bytes_per_s + b.hbm_bytes_per_s,
                              a.l2_bytes_per_s + b.l2_bytes_per_s};
}

static double rate_left(double achievable, double taken)
{
    return taken < achievable / 2 ? achievable - taken : achievable / 2;
}

struct gpu_chip gpu_chip_left(const struct gpu_chip *chip, const struct gpu_taken *taken)
{
    struct gpu_chip left = *chip;
    left.sms = taken->sms < chip->sms ? chip->sms - taken->sms : 1;
    left.hbm_bytes_per_s =
        rate_left(chip->hbm_bytes_per_s * chip->hbm_efficiency, taken->hbm_bytes_per_s) /
        chip->hbm_efficiency;
    left.l2_bytes_per_s = rate_left(chip->l2_bytes_per_s, taken->l2_bytes_per_s);
    return left;
}

/* Entity 0 draws pauses, 1 runs. */
static int64_t drawn_ps(uint64_t seed, uint64_t entity, int64_t run, double mean_ps)
{
    return llround(mean_ps *
                   base_random_exponential(seed, BASE_RANDOM_TENANT, entity, (uint64_t)run));
}

bool gpu_tenant_runs(struct gpu_tenant *tenant, const struct gpu_cluster_spec *spec, uint64_t seed,
                     int64_t now_ps)
{
    double run_ps = (double)spec->tenant_run_ps;
    double pause_ps = run_ps * (1 - spec->tenant_load) / spec->tenant_load;
    while (tenant->until_ps <= now_ps) {
        tenant->from_ps = tenant->until_ps + drawn_ps(seed, 0, tenant->runs, pause_ps);
        tenant->until_ps = tenant->from_ps + drawn_ps(seed, 1, tenant->runs, run_ps);
        tenant->runs++;
    }
    return now_ps >= tenant->from_ps;
}
