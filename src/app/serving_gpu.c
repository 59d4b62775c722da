/* SPDX-License-Identifier: BSD-3-Clause */
/* Serves requests on replicas of the GPU cluster. The engines run on the first rank; steps that
 * must be simulated are shared out over all. */
#include "app/serving_gpu.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/gpu.h"
#include "app/serving.h"
#include "app/serving_clock.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

/* vLLM's defaults: positions of a block, share of the memory that the engine takes. What
 * activations take of it: docs/gpu_validation.md. */
enum { BLOCK_TOKENS = 16 };
static const double MEMORY_SHARE = 0.90;
static const int64_t ACTIVATION_BYTES = INT64_C(4000000000);

/* Tokens of an iteration, vLLM's default: from Hopper on, and before. */
enum { HOPPER = 90, BUDGET = 8192, BUDGET_BEFORE = 2048 };

/* Iterations, or steps simulated for cells, between two looks at signals: a second or so. */
enum { CELLS_PATIENCE = 1 << 17, EXACT_PATIENCE = 32 };

/* Requests that saturate one replica: so many times those that may be in. */
enum { CAPACITY_ROUNDS = 6 };

/* A run on the first rank. */
struct session {
    struct app_run *run;
    struct app_gpu_door *door;
    struct app_simulations *simulations;
    const struct serve_request *request; /* that the door was opened for */
    size_t count;
    struct app_clock clock;
    struct base_progress progress;
    int64_t finished, iterations;
    int64_t simulated; /* at the last look at signals */
};

static struct serve_rules rules_of(const struct app_run *run, struct app_gpu_door *door)
{
    const struct serve_spec *spec = &run->scenario.serve;
    struct gpu_job job = run->gpu->job;
    int64_t budget = job.chip.sm_version >= HOPPER ? BUDGET : BUDGET_BEFORE;
    budget = spec->budget_tokens > 0 ? spec->budget_tokens : budget;
    job.bucket.max_sequence = BLOCK_TOKENS;
    job.bucket.batch = 0;
    door->weights_bytes = gpu_job_bytes_per_gpu(&job);
    job.bucket.batch = 1;
    door->block_bytes = gpu_job_bytes_per_gpu(&job) - door->weights_bytes;
    int64_t left = (int64_t)((double)job.chip.hbm_bytes * MEMORY_SHARE) - door->weights_bytes -
                   ACTIVATION_BYTES;
    return (struct serve_rules){.batching = spec->batching,
                                .budget_tokens = budget,
                                .max_sequences = spec->max_sequences < budget ? spec->max_sequences
                                                                              : (int32_t)budget,
                                .splits_prompts = spec->splits_prompts,
                                .preempts = spec->preempts,
                                .blocks = left > 0 ? left / door->block_bytes : 0,
                                .block_tokens = BLOCK_TOKENS,
                                .batch_delay_ps = spec->batch_delay_ps,
                                .preferred_sequences = spec->preferred_sequences};
}

/* Collective. Whether there is an engine for the job at all. */
static enum base_status check(struct app_run *run)
{
    const struct app_gpu_door *door = &run->gpu->door;
    int32_t stages = run->gpu->job.cluster.pipeline_parallel;
    if (stages > 1)
        base_report_add(&run->report, NULL, 0,
                        "gpu.pipeline_parallel = %" PRId32
                        ": serve runs one iteration at a time, which leaves all stages but one "
                        "idle; 1 is wanted, with more gpu.tensor_parallel or serve.gpu_replicas",
                        stages);
    if (door->rules.blocks < 1)
        base_report_add(&run->report, NULL, 0,
                        "serve: %" PRId64 " bytes of weights and %" PRId64
                        " of activations a GPU leave no room for a KV cache in %.0f %% of %" PRId64
                        "; more gpu.tensor_parallel is wanted",
                        door->weights_bytes, ACTIVATION_BYTES, 100 * MEMORY_SHARE,
                        run->gpu->job.chip.hbm_bytes);
    return parallel_agree_report(&run->report, stages > 1 ? BASE_USAGE : BASE_DOES_NOT_FIT);
}

static void ended(void *context, struct serve_load *load, int64_t now_ps, const size_t *finished,
                  size_t count)
{
    struct session *session = context;
    int64_t patience = session->clock.cells ? CELLS_PATIENCE : EXACT_PATIENCE,
            simulated = session->simulations->count;
    (void)now_ps;
    (void)finished;
    session->finished += (int64_t)count;
    base_progress_update(&session->progress, session->finished);
    if (++session->iterations % patience == 0 || simulated >= session->simulated + EXACT_PATIENCE) {
        session->simulated = simulated;
        load->stop = app_simulations_stop(session->simulations);
    }
}

static struct serve_replicas replicas_of(struct session *session, int32_t count)
{
    return (struct serve_replicas){.count = count,
                                   .router = session->run->scenario.serve.router,
                                   .rules = session->door->rules,
                                   .clock = {app_clock_iteration_ps, &session->clock}};
}

static bool serve(void *self, const struct serve_request *request, size_t count,
                  struct serve_outcome *outcome, bool quiet)
{
    struct session *session = self;
    struct app_gpu_door *door = session->door;
    struct serve_replicas replicas =
        replicas_of(session, session->run->scenario.serve.gpu_replicas);
    struct serve_load load = {
        .outcome = outcome, .count = count, .capacity = count, .ended = ended, .context = session};
    load.request = base_alloc(count, sizeof *load.request);
    for (size_t i = 0; i < count; i++)
        load.request[i] = request[i];
    session->finished = 0;
    door->tally = (struct serve_tally){0};
    base_progress_begin(&session->progress, "GPU replicas", "requests", (int64_t)count, quiet);
    session->clock.samples = true;
    door->end_ps = serve_replicas_run(&replicas, &load, &door->tally);
    session->clock.samples = false;
    base_progress_end(&session->progress, session->finished);
    base_free(load.request);
    return !load.stop;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of such requests, all there at the start, what finishes in the middle half of the time. */
static double saturated_rate(struct session *session, struct serve_load *load, double *tokens)
{
    struct serve_replicas one = replicas_of(session, 1);
    struct serve_tally tally = {0};
    int64_t *end_ps = base_alloc(load->count, sizeof *end_ps);
    size_t count = 0;
    serve_replicas_run(&one, load, &tally);
    for (size_t i = 0; i < load->count; i++)
        if (load->outcome[i].fate == SERVE_FINISHED)
            end_ps[count++] = load->outcome[i].finished_ps;
    qsort(end_ps, count, sizeof *end_ps, ascending);
    size_t low = count / 4, high = 3 * count / 4;
    double span_s = high > low ? (double)(end_ps[high] - end_ps[low]) / 1e12 : 0;
    base_free(end_ps);
    *tokens = count > 0 ? (double)tally.output_tokens / (double)count : 0;
    return span_s > 0 ? (double)(high - low) / span_s : 0;
}

/* Some of the requests that the door was opened for, all there at the start. */
static struct serve_load crowd_of(struct session *session)
{
    size_t most = (size_t)session->door->rules.max_sequences * CAPACITY_ROUNDS;
    struct serve_load load = {
        .count = session->count < most ? session->count : most, .ended = ended, .context = session};
    load.request = base_alloc(load.count, sizeof *load.request);
    load.outcome = base_alloc(load.count, sizeof *load.outcome);
    for (size_t i = 0; i < load.count; i++) {
        load.request[i] = session->request[i * session->count / load.count];
        load.request[i].arrival_ps = 0;
    }
    return load;
}

static double capacity(void *self)
{
    struct session *session = self;
    struct serve_load load = crowd_of(session);
    double tokens;
    session->finished = 0;
    base_progress_begin(&session->progress, "GPU replica at its limit", "requests",
                        (int64_t)load.count, session->run->scenario.quiet);
    double rate = saturated_rate(session, &load, &tokens);
    base_progress_end(&session->progress, session->finished);
    base_free(load.outcome);
    base_free(load.request);
    if (load.stop)
        return 0;
    session->door->capacity_requests_per_s = rate * session->run->scenario.serve.gpu_replicas;
    session->door->capacity_tokens_per_s = session->door->capacity_requests_per_s * tokens;
    return session->door->capacity_requests_per_s;
}

static int64_t most_positions(const struct serve_request *request, size_t count)
{
    int64_t most = 1;
    for (size_t i = 0; i < count; i++) {
        int64_t positions = (int64_t)request[i].prompt_tokens + request[i].output_tokens;
        most = positions > most ? positions : most;
    }
    return most;
}

static void note_cells(struct session *session)
{
    struct app_gpu_door *door = session->door;
    door->points = (int64_t)serve_cells_points(session->clock.cells);
    door->regions = (int64_t)serve_cells_regions(session->clock.cells);
    door->simulations = session->simulations->count;
    door->cells_seconds = session->simulations->seconds;
    if (!session->simulations->stop_signal)
        app_clock_check(&session->clock, door);
}

/* The first rank's part, while the others help. */
static void lead(struct session *session, app_door_visitor *visit, void *context)
{
    const struct serve_spec *spec = &session->run->scenario.serve;
    struct app_clock *clock = &session->clock;
    struct app_door door = {session, serve, capacity};
    *clock = app_clock_create(session->simulations, (uint64_t)session->run->scenario.seed,
                              spec->gpu_replicas);
    if (spec->fidelity == SERVE_CELLS)
        app_clock_take_cells(clock, &session->door->rules,
                             most_positions(session->request, session->count));
    visit(context, &door);
    if (clock->cells && session->door->capacity_requests_per_s == 0 &&
        !session->simulations->stop_signal)
        capacity(session);
    if (clock->cells)
        note_cells(session);
    app_clock_release(clock);
    app_simulations_end();
}

enum base_status app_serving_gpu(struct app_run *run, const struct serve_request *request,
                                 size_t count, app_door_visitor *visit, void *context)
{
    struct app_gpu_door *door = &run->gpu->door;
    struct app_simulations simulations = {.job = &run->gpu->job};
    door->rules = rules_of(run, door);
    enum base_status status = check(run);
    if (status != BASE_OK)
        return status;
    if (parallel_is_first()) {
        struct session session = {.run = run,
                                  .door = door,
                                  .simulations = &simulations,
                                  .request = request,
                                  .count = count};
        lead(&session, visit, context);
    } else {
        app_simulations_help(&simulations);
    }
    parallel_broadcast(door, sizeof *door);
    run->stop_signal = simulations.stop_signal;
    return run->stop_signal ? BASE_FAILURE : BASE_OK;
}
