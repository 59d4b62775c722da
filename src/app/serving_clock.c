/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeds: what is the same for a whole run is of the replica, everything else of the iteration or of
 * the point of the grid, so that results depend on neither ranks nor order. */
#include "app/serving_clock.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "gpu_cluster/step.h"
#include "gpu_cluster/variation.h"

/* Draws of a point of the grid: a per cent of noise or two a draw, and up to four points around a
 * batch that generates alone, sixteen around one with prompts. */
enum { POINT_DRAWS = 2 };

/* Who draws: entities of BASE_RANDOM_BATCH. */
enum entity { OF_POINT, OF_REGION, OF_RUN, OF_ITERATION, OF_RESIDUAL, OF_SAMPLE };

static uint64_t entity_of(enum entity who, uint64_t number)
{
    return (uint64_t)who << 56 | number;
}

static uint64_t seed_of(const struct app_clock *clock, enum entity who, uint64_t number,
                        uint64_t index)
{
    return base_random_u64(clock->seed, BASE_RANDOM_BATCH, entity_of(who, number), index);
}

/* Never 0, which stands for none. */
static uint64_t run_seed_of(const struct app_clock *clock, int32_t replica)
{
    return seed_of(clock, OF_RUN, (uint64_t)replica, 0) | 1;
}

struct app_clock app_clock_create(struct app_simulations *simulations, uint64_t seed,
                                  int32_t replicas)
{
    struct app_clock clock = {.simulations = simulations, .seed = seed, .samples = true};
    struct gpu_job job = *simulations->job;
    clock.run_factor = base_alloc((size_t)replicas, sizeof *clock.run_factor);
    for (int32_t i = 0; i < replicas; i++) {
        job.run_seed = run_seed_of(&clock, i);
        clock.run_factor[i] = gpu_run_factor(&job);
    }
    return clock;
}

/* Cells are of a mean run on the GPUs of the first replica. */
static struct app_simulation for_cells(const struct app_clock *clock, const struct gpu_batch *batch)
{
    return (struct app_simulation){
        .batch = *batch, .run_seed = run_seed_of(clock, 0), .frozen = 1U << GPU_SOURCE_RUN};
}

static size_t point_draws(const struct gpu_batch *batch)
{
    return gpu_batch_has_prompt(batch) ? 1 : POINT_DRAWS;
}

static void take_means(void *context, const struct gpu_batch *batch, const uint64_t *key,
                       size_t count, double *mean_ps)
{
    struct app_clock *clock = context;
    struct app_simulation wanted[SERVE_CELLS_POINTS * POINT_DRAWS] = {0};
    int64_t ps[SERVE_CELLS_POINTS * POINT_DRAWS], *next = ps;
    size_t steps = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < point_draws(&batch[i]); k++) {
            wanted[steps] = for_cells(clock, &batch[i]);
            wanted[steps++].seed = seed_of(clock, OF_POINT, key[i], k);
        }
    app_simulations_run(clock->simulations, wanted, steps, ps);
    for (size_t i = 0; i < count; i++) {
        size_t draws = point_draws(&batch[i]);
        mean_ps[i] = 0;
        for (size_t k = 0; k < draws; k++)
            mean_ps[i] += (double)*next++ / (double)draws;
    }
}

static void take_draws(void *context, const struct gpu_batch *batch, uint64_t key, size_t count,
                       double *drawn_ps)
{
    struct app_clock *clock = context;
    struct app_simulation wanted[SERVE_CELLS_DRAWS] = {0};
    int64_t ps[SERVE_CELLS_DRAWS];
    for (size_t i = 0; i < count; i++) {
        wanted[i] = for_cells(clock, batch);
        wanted[i].whole = true;
        wanted[i].seed = seed_of(clock, OF_REGION, key, i);
    }
    app_simulations_run(clock->simulations, wanted, count, ps);
    for (size_t i = 0; i < count; i++)
        drawn_ps[i] = (double)ps[i];
}

void app_clock_take_cells(struct app_clock *clock, const struct serve_rules *rules,
                          int64_t most_keys)
{
    const struct serve_cells_source source = {take_means, take_draws, clock};
    clock->cells =
        serve_cells_create(rules->max_sequences, rules->budget_tokens, most_keys, &source);
}

void app_clock_release(struct app_clock *clock)
{
    serve_cells_free(clock->cells);
    base_free(clock->run_factor);
}

/* Keeps the iteration if its number is among the smallest of its kind, the largest first. */
static void sample(struct app_clock *clock, int32_t replica, int64_t iteration,
                   const struct gpu_batch *batch)
{
    uint64_t number = seed_of(clock, OF_SAMPLE, (uint64_t)replica, (uint64_t)iteration);
    bool prompts = gpu_batch_has_prompt(batch);
    struct app_checked *check = clock->check[prompts];
    int32_t *count = &clock->checks[prompts], at = 0;
    if (*count == APP_CHECKS && number > check[0].number)
        return;
    int32_t drop = *count == APP_CHECKS;
    for (; at + drop < *count && check[at + drop].number > number; at++)
        check[at] = check[at + drop];
    for (int32_t i = *count; !drop && i > at; i--)
        check[i] = check[i - 1];
    check[at] = (struct app_checked){number, replica, iteration, *batch};
    *count += !drop;
}

static double mean_of(struct app_clock *clock, int32_t replica, const struct gpu_batch *batch)
{
    return serve_cells_mean_ps(clock->cells, batch) * clock->run_factor[replica];
}

/* The iteration itself, all sources varying; draw 0 is what exact fidelity takes. */
static struct app_simulation exactly(const struct app_clock *clock, int32_t replica,
                                     int64_t iteration, uint64_t draw,
                                     const struct gpu_batch *batch)
{
    return (struct app_simulation){
        .batch = *batch,
        .seed = seed_of(clock, OF_ITERATION, (uint64_t)replica, (uint64_t)iteration | draw << 48),
        .run_seed = run_seed_of(clock, replica),
        .whole = true};
}

int64_t app_clock_iteration_ps(void *context, int32_t replica, int64_t iteration,
                               const struct gpu_batch *batch)
{
    struct app_clock *clock = context;
    if (!clock->cells) {
        struct app_simulation wanted = exactly(clock, replica, iteration, 0, batch);
        return app_simulation_ps(clock->simulations->job, &wanted);
    }
    double u = base_random_uniform(clock->seed, BASE_RANDOM_BATCH,
                                   entity_of(OF_RESIDUAL, (uint64_t)replica), (uint64_t)iteration);
    double ps = mean_of(clock, replica, batch) * serve_cells_factor(clock->cells, batch, u);
    if (clock->samples)
        sample(clock, replica, iteration, batch);
    return llround(ps);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct app_gpu_deviation deviation_of(double *value, int32_t count)
{
    qsort(value, (size_t)count, sizeof *value, ascending);
    return (struct app_gpu_deviation){value[count / 2], value[(count * 9) / 10], value[count - 1]};
}

/* Mean and coefficient of variation of one iteration's draws. */
static void moments(const int64_t *ps, double *mean, double *variation)
{
    double square = 0;
    *mean = 0;
    for (int32_t i = 0; i < APP_CHECK_DRAWS; i++)
        *mean += (double)ps[i] / APP_CHECK_DRAWS;
    for (int32_t i = 0; i < APP_CHECK_DRAWS; i++)
        square += ((double)ps[i] - *mean) * ((double)ps[i] - *mean) / (APP_CHECK_DRAWS - 1);
    *variation = sqrt(square) / *mean;
}

static void compare(struct app_clock *clock, const struct app_checked *const *check, int32_t count,
                    const int64_t *ps, struct app_gpu_door *door)
{
    double mean_off[2 * APP_CHECKS], variation_off[2 * APP_CHECKS];
    for (int32_t i = 0; i < count; i++) {
        double mean, variation;
        moments(ps + i * APP_CHECK_DRAWS, &mean, &variation);
        double off = mean_of(clock, check[i]->replica, &check[i]->batch) / mean - 1;
        door->bias += off / count;
        mean_off[i] = fabs(off);
        variation_off[i] = fabs(serve_cells_deviation(clock->cells, &check[i]->batch) - variation);
    }
    door->checked = count;
    door->check_draws = APP_CHECK_DRAWS;
    door->mean = deviation_of(mean_off, count);
    door->variation = deviation_of(variation_off, count);
}

void app_clock_check(struct app_clock *clock, struct app_gpu_door *door)
{
    const struct app_checked *check[2 * APP_CHECKS];
    struct app_simulation wanted[2 * APP_CHECKS * APP_CHECK_DRAWS];
    int64_t ps[2 * APP_CHECKS * APP_CHECK_DRAWS];
    int32_t count = 0;
    for (int32_t kind = 0; kind < 2; kind++)
        for (int32_t i = 0; i < clock->checks[kind]; i++)
            check[count++] = &clock->check[kind][i];
    for (int32_t i = 0; i < count * APP_CHECK_DRAWS; i++) {
        const struct app_checked *one = check[i / APP_CHECK_DRAWS];
        wanted[i] = exactly(clock, one->replica, one->iteration, (uint64_t)(i % APP_CHECK_DRAWS),
                            &one->batch);
    }
    if (count == 0)
        return;
    app_simulations_run(clock->simulations, wanted, (size_t)(count * APP_CHECK_DRAWS), ps);
    compare(clock, check, count, ps, door);
}
