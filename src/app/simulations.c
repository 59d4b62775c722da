/* SPDX-License-Identifier: BSD-3-Clause */
/* Orders of the first rank, and how the others carry them out. */
#include "app/simulations.h"

#include <string.h>

#include "base/memory.h"
#include "gpu_cluster/step.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

enum order { ORDER_SIMULATE, ORDER_STOP_QUERY, ORDER_END };

struct header {
    int64_t order, count;
};

int64_t app_simulation_ps(const struct gpu_job *job, const struct app_simulation *wanted)
{
    struct gpu_job one = *job;
    one.seed = wanted->seed;
    one.run_seed = wanted->run_seed;
    one.frozen = wanted->frozen;
    return wanted->whole ? gpu_step_simulate(&one, &wanted->batch).ps
                         : gpu_step_estimate_ps(&one, &wanted->batch);
}

/* Collective. Every rank its block; times in order, on the first rank (base_free). */
static int64_t *simulate_all(const struct gpu_job *job, const struct app_simulation *wanted,
                             int64_t count)
{
    struct parallel_block mine = parallel_block_of(count, parallel_size(), parallel_rank());
    int64_t *ps = base_alloc((size_t)mine.count, sizeof *ps);
    for (int64_t i = 0; i < mine.count; i++)
        ps[i] = app_simulation_ps(job, &wanted[mine.first + i]);
    size_t bytes;
    int64_t *all = parallel_gather(ps, (size_t)mine.count * sizeof *ps, &bytes);
    base_free(ps);
    return all;
}

static void order(enum order what, size_t count)
{
    struct header header = {what, (int64_t)count};
    parallel_broadcast(&header, sizeof header);
}

void app_simulations_run(struct app_simulations *simulations, const struct app_simulation *wanted,
                         size_t count, int64_t *ps)
{
    double start_s = parallel_wall_seconds();
    struct app_simulation *copy = base_alloc(count, sizeof *copy);
    memcpy(copy, wanted, count * sizeof *copy);
    order(ORDER_SIMULATE, count);
    parallel_broadcast(copy, count * sizeof *copy);
    int64_t *all = simulate_all(simulations->job, copy, (int64_t)count);
    memcpy(ps, all, count * sizeof *ps);
    base_free(all);
    base_free(copy);
    simulations->count += (int64_t)count;
    simulations->seconds += parallel_wall_seconds() - start_s;
}

bool app_simulations_stop(struct app_simulations *simulations)
{
    order(ORDER_STOP_QUERY, 0);
    simulations->stop_signal = parallel_stop_requested();
    return simulations->stop_signal != 0;
}

static void help_once(const struct app_simulations *simulations, int64_t count)
{
    struct app_simulation *wanted = base_alloc((size_t)count, sizeof *wanted);
    parallel_broadcast(wanted, (size_t)count * sizeof *wanted);
    base_free(simulate_all(simulations->job, wanted, count));
    base_free(wanted);
}

void app_simulations_help(struct app_simulations *simulations)
{
    struct header header;
    do {
        parallel_broadcast(&header, sizeof header);
        if (header.order == ORDER_SIMULATE)
            help_once(simulations, header.count);
        else if (header.order == ORDER_STOP_QUERY)
            simulations->stop_signal = parallel_stop_requested();
    } while (header.order != ORDER_END);
}

void app_simulations_end(void)
{
    order(ORDER_END, 0);
}
