/* SPDX-License-Identifier: BSD-3-Clause */
/* A ladder a rank and round; what comes out does not depend on who compiled it. */
#include "app/buckets_compile.h"

#include "app/artifact.h"
#include "app/lpu.h"
#include "app/trial.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/parallel.h"

/* What travels of a ladder. */
enum { FOUND = SERVE_BUCKETS + 9 };

static void set_buckets(struct bucket *bucket, const struct serve_ladder *ladder)
{
    bucket->rungs = ladder->buckets - 1;
    for (int32_t b = 0; b < bucket->rungs; b++)
        bucket->rung[b] = ladder->rung[b].positions;
}

static void measure(struct app_run *trial, bool sizes, int64_t found[FOUND])
{
    const struct app_lpu *lpu = trial->lpu;
    struct app_artifact_size size = {0};
    if (sizes)
        base_free(app_artifact_make(trial, &size));
    for (int32_t b = 0; b <= trial->scenario.bucket.rungs; b++)
        found[b] = lpu->outline.length_cycles[app_lpu_bucket(trial, b)];
    int64_t *next = &found[SERVE_BUCKETS];
    *next++ = true;
    *next++ = lpu->sharing.interval.mixed_cycles;
    *next++ = lpu->sharing.seats.placed;
    *next++ = plan_spare_bytes(lpu->plan);
    *next++ = size.instructions;
    *next++ = size.fullest_queue;
    *next++ = (int64_t)size.bytes;
    *next++ = lpu->outline.stages;
    *next++ = lpu->outline.group;
}

static void take(struct app_ladder *ladder, const int64_t found[FOUND])
{
    const int64_t *next = &found[SERVE_BUCKETS];
    for (int32_t b = 0; b < ladder->ladder.buckets; b++)
        ladder->ladder.rung[b].cycles = found[b];
    ladder->fits = *next++ != 0;
    ladder->slot_cycles = *next++;
    ladder->seats = *next++;
    ladder->spare_bytes = *next++;
    ladder->instructions = *next++;
    ladder->fullest_queue = *next++;
    ladder->artifact_bytes = *next++;
}

/* What does not fit beside these seats is found out, too, and no fault. */
static enum base_status compile_one(struct app_run *run, const struct app_ladder *ladder,
                                    bool sizes, int64_t found[FOUND])
{
    struct scenario scenario = run->buckets->scenario;
    struct app_run trial;
    set_buckets(&scenario.bucket, &ladder->ladder);
    enum base_status status = app_trial_open(run, &scenario, &trial);
    if (status == BASE_OK)
        measure(&trial, sizes, found);
    if (status == BASE_OK && !base_report_is_clean(&trial.report))
        status = BASE_CONTRACT;
    if (status == BASE_DOES_NOT_FIT && run->buckets->stages > 0)
        status = BASE_OK;
    for (size_t n = 0; n < trial.report.count && status != BASE_OK; n++)
        base_report_add(&run->report, NULL, 0, "%s", trial.report.message[n]);
    app_trial_close(&trial);
    return status;
}

/* Collective. Ladder first + rank on each rank. */
static enum base_status compile_round(struct app_run *run, struct app_ladder *ladder, size_t first,
                                      size_t count, bool sizes, int64_t *found)
{
    size_t number = first + (size_t)parallel_rank();
    enum base_status status = BASE_OK;
    if (number < count)
        status = compile_one(run, &ladder[number], sizes, &found[number * FOUND]);
    if (parallel_agree_status(status) != BASE_OK)
        return parallel_agree_report(&run->report, status);
    run->stop_signal = parallel_stop_requested();
    return run->stop_signal ? BASE_FAILURE : BASE_OK;
}

enum base_status app_buckets_compile(struct app_run *run, struct app_ladder *ladder, size_t count,
                                     bool sizes)
{
    size_t round = (size_t)parallel_size();
    int64_t *found = base_alloc(count * FOUND, sizeof *found);
    enum base_status status = BASE_OK;
    struct base_progress progress;
    base_progress_begin(&progress, "buckets", "ladders", (int64_t)count,
                        run->scenario.quiet || !parallel_is_first());
    for (size_t first = 0; first < count && status == BASE_OK; first += round) {
        status = compile_round(run, ladder, first, count, sizes, found);
        base_progress_update(&progress, (int64_t)(first + round < count ? first + round : count));
    }
    base_progress_end(&progress, (int64_t)count);
    parallel_sum_i64(found, count * FOUND);
    for (size_t n = 0; n < count && status == BASE_OK; n++)
        take(&ladder[n], &found[n * FOUND]);
    base_free(found);
    return status;
}

enum base_status app_buckets_compile_first(struct app_run *run, struct app_ladder *single)
{
    struct app_buckets *buckets = run->buckets;
    int64_t found[FOUND] = {0};
    enum base_status status = compile_round(run, single, 0, 1, true, found);
    parallel_sum_i64(found, FOUND);
    if (status != BASE_OK)
        return status;
    take(single, found);
    buckets->stages = (int32_t)found[FOUND - 2];
    buckets->group = (int32_t)found[FOUND - 1];
    buckets->scenario.lpu_rack.pipeline_stages = buckets->stages;
    buckets->scenario.lpu_rack.tensor_group = buckets->group;
    if (buckets->scenario.lpu_seats == 0 && single->seats > 1)
        buckets->scenario.lpu_seats = (int32_t)single->seats;
    return BASE_OK;
}
