/* SPDX-License-Identifier: BSD-3-Clause */
/* From all splits that fit to the one that is recommended: those that are best in something by the
 * compiler's estimate are compiled and served; of the best of these, other buckets and other
 * numbers of seats, too. */
#include "app/plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/lpu.h"
#include "app/serving.h"
#include "base/memory.h"
#include "base/progress.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

/* Requests that rates are looked for with; splits that are compiled, and refined. */
enum { SAMPLE = 2048, MOST_SPLITS = 10, FINALISTS = 2 };

void app_plan_free(struct app_plan *plan)
{
    if (!plan)
        return;
    survey_release(&plan->survey);
    base_free(plan->row);
    base_free(plan);
}

struct app_plan_row *app_plan_add(struct app_plan *plan, const struct app_plan_row *row)
{
    plan->row = base_grow(plan->row, &plan->capacity, plan->rows + 1, sizeof *plan->row);
    plan->row[plan->rows] = *row;
    return &plan->row[plan->rows++];
}

static struct app_plan_row row_of(const struct app_run *run, int32_t stages, int32_t group)
{
    const struct bucket *bucket = &run->scenario.bucket;
    struct app_plan_row row = {.machine = RECORD_LPU,
                               .stages = stages,
                               .group = group,
                               .chips = stages * group,
                               .buckets = bucket->rungs + 1};
    for (int32_t b = 0; b < bucket->rungs; b++)
        row.positions[b] = bucket->rung[b];
    row.positions[bucket->rungs] = bucket->max_sequence;
    return row;
}

static void add_miss(struct app_run *run, const struct partition_candidate *miss)
{
    struct app_plan_row row = row_of(run, miss->stages, miss->group);
    row.fate = APP_PLAN_NO_FIT;
    snprintf(row.why, sizeof row.why, "%s%s", miss->why_not,
             miss->stages > 1 ? ", as with fewer stages" : "");
    app_plan_add(run->plan, &row);
}

/* First rank. Rows of the splits that are worth a compilation, and of those that do not fit. */
static void list_splits(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct app_plan *plan = run->plan;
    struct partition_input input = {
        &s->lpu_chip, &s->lpu_rack, &run->lpu->topology, &run->model, &s->bucket, &s->workload, 1};
    survey_splits(&input, &plan->survey);
    plan->splits = (int64_t)plan->survey.splits;
    for (size_t n = 0; n < plan->survey.misses; n++)
        add_miss(run, &plan->survey.miss[n]);
    int tried = 0;
    for (size_t n = 0; n < plan->survey.splits && tried < MOST_SPLITS; n++) {
        const struct survey_split *split = &plan->survey.split[n];
        struct app_plan_row row = row_of(run, split->stages, split->group);
        if (split->best) {
            app_plan_add(plan, &row);
            tried++;
        }
    }
}

/* Collective. The first rank's rows on all. */
static void share_rows(struct app_plan *plan)
{
    int64_t count[2] = {(int64_t)plan->rows, plan->splits};
    parallel_broadcast(count, sizeof count);
    plan->splits = count[1];
    plan->row = base_grow(plan->row, &plan->capacity, (size_t)count[0], sizeof *plan->row);
    plan->rows = (size_t)count[0];
    parallel_broadcast(plan->row, plan->rows * sizeof *plan->row);
}

/* Collective. Rows [first, first + ranks) as far as there are so many, a row a rank. */
static enum base_status try_round(struct app_run *run, size_t first)
{
    struct app_plan *plan = run->plan;
    size_t own = first + (size_t)parallel_rank(), left = plan->rows - first;
    size_t round = left < (size_t)parallel_size() ? left : (size_t)parallel_size();
    struct app_plan_row row = {0};
    bool tries = own < plan->rows && plan->row[own].fate == APP_PLAN_NOT_TRIED;
    if (own < plan->rows)
        row = plan->row[own];
    if (tries)
        app_plan_try(run, &row);
    parallel_exchange_rows(
        sizeof row, (struct parallel_rows){(int64_t)own, own < plan->rows, &row},
        (struct parallel_rows){(int64_t)first, (int64_t)round, &plan->row[first]});
    enum base_status status = parallel_agree_report(&run->report, BASE_FAILURE);
    run->stop_signal = parallel_stop_requested();
    return run->stop_signal ? BASE_FAILURE : status;
}

static enum base_status try_from(struct app_run *run, size_t first, const char *what)
{
    struct base_progress progress;
    size_t rows = run->plan->rows, step = (size_t)parallel_size();
    enum base_status status = BASE_OK;
    base_progress_begin(&progress, what, "candidates", (int64_t)(rows - first),
                        run->scenario.quiet || !parallel_is_first());
    for (size_t n = first; n < rows && status == BASE_OK; n += step) {
        status = try_round(run, n);
        base_progress_update(&progress, (int64_t)((n + step < rows ? n + step : rows) - first));
    }
    base_progress_end(&progress, (int64_t)(rows - first));
    return status;
}

/* Fewer chips, which at one rate is less energy, then shorter times; equal ones stay in order. */
static bool is_better(const struct app_plan_row *a, const struct app_plan_row *b)
{
    int32_t chips = a->replicas * a->chips - b->replicas * b->chips;
    if (chips != 0)
        return chips < 0;
    if (a->tpot_p99_ps != b->tpot_p99_ps)
        return a->tpot_p99_ps < b->tpot_p99_ps;
    return a->ttft_p99_ps < b->ttft_p99_ps;
}

/* The best LPU row that keeps the limits and is not marked; NULL: none. */
static struct app_plan_row *best_of(struct app_plan *plan, const bool *marked)
{
    struct app_plan_row *best = NULL;
    for (size_t n = 0; n < plan->rows; n++) {
        struct app_plan_row *row = &plan->row[n];
        if (row->machine == RECORD_LPU && row->fate == APP_PLAN_KEEPS && !(marked && marked[n]) &&
            (!best || is_better(row, best)))
            best = row;
    }
    return best;
}

/* The coarsest multiples of positions that cache tiles can have: finer ones make steps longer. */
static int32_t coarsest_grid(const struct scenario *s)
{
    enum { LEAST = 64 };
    int32_t most = s->bucket.max_sequence;
    for (int32_t grid = most / 2; grid >= LEAST; grid--)
        if (most % grid == 0 && grid % LEAST == 0 && grid / 2 <= s->lpu_chip.lanes &&
            grid / 4 <= s->lpu_chip.mxm_fp16_rows)
            return grid;
    return most;
}

/* The row with the ladder of so many buckets that pads least: lengths grow evenly with positions.
 */
static bool with_ladder(const struct app_run *run, int32_t buckets, struct app_plan_row *row)
{
    const struct scenario *s = &run->scenario;
    const struct serve_requests *requests = &run->serving->requests;
    int32_t most = s->bucket.max_sequence, grid = coarsest_grid(s), sizes = most / grid;
    struct serve_rung *size = base_alloc((size_t)sizes, sizeof *size);
    for (int32_t n = 0; n < sizes; n++)
        size[n] = (struct serve_rung){(n + 1) * grid, (int64_t)(n + 1) * grid};
    struct serve_demand demand =
        serve_demand_of(requests->request, requests->count, most, !s->lpu_prefill);
    struct serve_ladder ladder = {0};
    bool found = serve_ladder_best(&demand, size, sizes, buckets, &ladder);
    row->buckets = ladder.buckets;
    for (int32_t b = 0; b < ladder.buckets; b++)
        row->positions[b] = ladder.rung[b].positions;
    serve_demand_release(&demand);
    base_free(size);
    return found;
}

static bool is_there(const struct app_plan *plan, const struct app_plan_row *row)
{
    for (size_t n = 0; n < plan->rows; n++) {
        const struct app_plan_row *other = &plan->row[n];
        bool same = other->stages == row->stages && other->group == row->group &&
                    other->asked_seats == row->asked_seats && other->buckets == row->buckets;
        for (int32_t b = 0; same && b < row->buckets; b++)
            same = other->positions[b] == row->positions[b];
        if (same)
            return true;
    }
    return false;
}

/* Adds a variant of a row that has not been looked at. */
static void vary(struct app_run *run, const struct app_plan_row *of, int32_t buckets, int32_t seats)
{
    struct app_plan_row row = row_of(run, of->stages, of->group);
    row.asked_seats = seats;
    if ((buckets == 0 || with_ladder(run, buckets, &row)) && !is_there(run->plan, &row))
        app_plan_add(run->plan, &row);
}

/* The best splits again, with one bucket and two, half and twice the seats. */
static void list_variants(struct app_run *run)
{
    enum { LADDERS = 2 };
    struct app_plan *plan = run->plan;
    struct app_plan_row finalist[FINALISTS];
    bool *marked = base_alloc(plan->rows, sizeof *marked);
    int count = 0;
    for (struct app_plan_row *best; count < FINALISTS && (best = best_of(plan, marked)); count++) {
        marked[best - plan->row] = true;
        finalist[count] = *best;
    }
    for (int n = 0; n < count; n++) {
        for (int32_t buckets = 1; buckets <= LADDERS; buckets++)
            vary(run, &finalist[n], buckets, 0);
        if (finalist[n].seats > 1)
            vary(run, &finalist[n], 0, (finalist[n].seats + 1) / 2);
        vary(run, &finalist[n], 0, 2 * finalist[n].seats);
    }
    base_free(marked);
}

static void explain(const struct app_plan_row *best, struct app_plan_row *row)
{
    int32_t chips = row->replicas * row->chips, fewest = best->replicas * best->chips;
    if (row == best)
        snprintf(row->why, sizeof row->why, "recommended");
    else if (chips > fewest)
        snprintf(row->why, sizeof row->why, "keeps the limits with %" PRId32 " chips more",
                 chips - fewest);
    else if (row->tpot_p99_ps > best->tpot_p99_ps)
        snprintf(row->why, sizeof row->why, "as many chips, p99 of TPOT is %.1f %% longer",
                 100 * ((double)row->tpot_p99_ps / (double)best->tpot_p99_ps - 1));
    else
        snprintf(row->why, sizeof row->why, "as many chips, same TPOT, p99 of TTFT is no shorter");
}

static void choose(struct app_plan *plan)
{
    struct app_plan_row *best = best_of(plan, NULL);
    for (size_t n = 0; n < plan->rows && best; n++)
        if (plan->row[n].machine == RECORD_LPU && plan->row[n].fate == APP_PLAN_KEEPS)
            explain(best, &plan->row[n]);
    if (best)
        best->fate = APP_PLAN_CHOSEN;
}

static enum base_status try_lpu(struct app_run *run)
{
    struct app_plan *plan = run->plan;
    const struct scenario *s = &run->scenario;
    double start_s = parallel_wall_seconds();
    app_progress(run, "looking for chips, split, buckets and seats");
    if (parallel_is_first() &&
        lpu_topology_build(&run->lpu->topology, &s->lpu_rack, &s->lpu_chip, &run->report))
        list_splits(run);
    enum base_status status = parallel_agree_report(&run->report, BASE_USAGE);
    share_rows(plan);
    if (status == BASE_OK)
        status = try_from(run, 0, "splits");
    size_t first = plan->rows;
    if (status == BASE_OK)
        list_variants(run);
    if (status == BASE_OK)
        status = try_from(run, first, "buckets and seats");
    choose(plan);
    plan->seconds[RECORD_LPU] = parallel_wall_seconds() - start_s;
    return status;
}

static enum base_status check(struct app_run *run)
{
    const struct serve_limits *limits = &run->plan->limits;
    if (limits->ttft_ps == 0 && limits->tpot_ps == 0)
        base_report_add(&run->report, NULL, 0,
                        "plan looks for what keeps limits: serve.ttft_limit, serve.tpot_limit, or "
                        "both are wanted");
    if (serve_requests_rate(&run->plan->sample) == 0)
        base_report_add(&run->report, NULL, 0,
                        "plan spreads requests over time: two that do not arrive at the same "
                        "moment are wanted");
    return parallel_agree_report(&run->report, BASE_USAGE);
}

enum base_status app_plan_run(struct app_run *run)
{
    const struct serve_spec *spec = &run->scenario.serve;
    struct app_plan *plan = base_alloc(1, sizeof *plan);
    run->plan = plan;
    plan->rate = serve_requests_rate(&run->serving->requests);
    plan->limits = (struct serve_limits){spec->ttft_limit_ps, spec->tpot_limit_ps};
    plan->sample = run->serving->requests;
    if (plan->sample.count > SAMPLE)
        plan->sample.count = SAMPLE;
    enum base_status status = check(run);
    if (status == BASE_OK && run->lpu)
        status = try_lpu(run);
    if (status == BASE_OK && run->gpu)
        status = app_plan_try_gpu(run);
    if (status == BASE_OK && run->file)
        app_plan_record(run);
    return status;
}
