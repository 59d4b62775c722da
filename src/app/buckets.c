/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks for the best ladders: lengths of a few decode steps are compiled, those between them
 * interpolated; ladders that are best by these are compiled, and looked for again with what that
 * taught, until nothing new is wanted. */
#include "app/buckets.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/buckets_compile.h"
#include "app/lpu.h"
#include "app/serving.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/place.h"

/* Searches behind the first; each compiles only what it has not seen. */
enum { MOST_ROUNDS = 4 };

void app_buckets_free(struct app_buckets *buckets)
{
    if (!buckets)
        return;
    serve_demand_release(&buckets->demand);
    base_free(buckets->compiled);
    base_free(buckets);
}

const struct app_ladder *app_buckets_best(const struct app_buckets *buckets, int32_t count)
{
    const struct app_ladder *best = NULL;
    for (size_t n = 0; n < buckets->count; n++) {
        const struct app_ladder *l = &buckets->compiled[n];
        if (l->ladder.buckets == count && l->fits && l->artifact_bytes > 0 &&
            (!best || l->price.cycles < best->price.cycles))
            best = l;
    }
    return best;
}

const struct app_ladder *app_buckets_even(const struct app_buckets *buckets, int32_t count)
{
    for (size_t n = 0; n < buckets->count; n++)
        if (buckets->compiled[n].ladder.buckets == count && buckets->compiled[n].even &&
            buckets->compiled[n].fits)
            return &buckets->compiled[n];
    return NULL;
}

static bool is_on(const struct serve_ladder *ladder, int32_t grid)
{
    bool on = true;
    for (int32_t b = 0; b < ladder->buckets; b++)
        on = on && ladder->rung[b].positions % grid == 0;
    return on;
}

/* The coarsest grid that holds all its buckets: that of its cache tiles. */
static int32_t grid_of(const struct app_buckets *buckets, const struct serve_ladder *ladder)
{
    int32_t n = 0;
    while (n + 1 < buckets->grids && !is_on(ladder, buckets->grid[n]))
        n++;
    return buckets->grid[n];
}

static int by_positions(const void *a, const void *b)
{
    const struct serve_rung *x = a, *y = b;
    return (x->positions > y->positions) - (x->positions < y->positions);
}

/* Compiled lengths on a grid, ascending; base_free. */
static struct serve_rung *known_on(const struct app_buckets *buckets, int32_t grid, size_t *count)
{
    struct serve_rung *known = base_alloc(buckets->count * SERVE_BUCKETS, sizeof *known);
    size_t all = 0, kept = 0;
    for (size_t n = 0; n < buckets->count; n++) {
        const struct serve_ladder *l = &buckets->compiled[n].ladder;
        for (int32_t b = 0;
             buckets->compiled[n].fits && b < l->buckets && grid_of(buckets, l) == grid; b++)
            known[all++] = l->rung[b];
    }
    qsort(known, all, sizeof *known, by_positions);
    for (size_t n = 0; n < all; n++)
        if (kept == 0 || known[kept - 1].positions < known[n].positions)
            known[kept++] = known[n];
    *count = kept;
    return known;
}

/* All sizes on a grid with their lengths, by what is known of it; base_free. NULL: nothing is. */
static struct serve_rung *sizes_on(const struct app_buckets *buckets, int32_t grid)
{
    size_t known;
    struct serve_rung *point = known_on(buckets, grid, &known);
    int32_t sizes = buckets->demand.most / grid;
    struct serve_rung *size = known ? base_alloc((size_t)sizes, sizeof *size) : NULL;
    for (int32_t n = 0; size && n < sizes; n++) {
        size[n].positions = (n + 1) * grid;
        size[n].cycles = serve_rung_between(point, known, size[n].positions);
    }
    base_free(point);
    return size;
}

/* Evenly spaced buckets, rounded up to the grid. */
static bool even_ladder(const struct serve_rung *size, int32_t sizes, int32_t count,
                        struct serve_ladder *ladder)
{
    if (sizes < count)
        return false;
    ladder->buckets = count;
    for (int32_t b = 0; b < count; b++)
        ladder->rung[b] = size[((int64_t)sizes * (b + 1) + count - 1) / count - 1];
    return true;
}

/* Whether a ladder of as many buckets on the grid did not fit: no other is tried. */
static bool is_refused(const struct app_buckets *buckets, int32_t grid, int32_t count)
{
    for (size_t n = 0; n < buckets->count; n++) {
        const struct app_ladder *l = &buckets->compiled[n];
        if (!l->fits && l->ladder.buckets == count && grid_of(buckets, &l->ladder) == grid)
            return true;
    }
    return false;
}

/* The ladder of fewest cycles by forecast over all grids, evenly spaced or any. */
static bool choose(const struct app_buckets *buckets, int32_t count, bool even,
                   struct serve_ladder *chosen)
{
    int64_t least = -1;
    for (int32_t g = 0; g < buckets->grids; g++) {
        int32_t grid = buckets->grid[g], sizes = buckets->demand.most / grid;
        struct serve_rung *size = is_refused(buckets, grid, count) ? NULL : sizes_on(buckets, grid);
        struct serve_ladder ladder = {0};
        bool found =
            size && (even ? even_ladder(size, sizes, count, &ladder)
                          : serve_ladder_best(&buckets->demand, size, sizes, count, &ladder));
        int64_t cycles = found ? serve_ladder_price(&buckets->demand, &ladder).cycles : 0;
        if (found && (least < 0 || cycles < least)) {
            *chosen = ladder;
            least = cycles;
        }
        base_free(size);
    }
    return least >= 0;
}

/* A ladder with the same buckets in a list. */
static struct app_ladder *same_in(struct app_ladder *list, size_t count,
                                  const struct serve_ladder *ladder)
{
    for (size_t n = 0; n < count; n++) {
        bool same = list[n].ladder.buckets == ladder->buckets;
        for (int32_t b = 0; same && b < ladder->buckets; b++)
            same = list[n].ladder.rung[b].positions == ladder->rung[b].positions;
        if (same)
            return &list[n];
    }
    return NULL;
}

static void want(struct app_buckets *buckets, struct app_ladder *wanted, size_t *count,
                 const struct serve_ladder *ladder, bool even)
{
    struct app_ladder *there = same_in(buckets->compiled, buckets->count, ladder);
    there = there && (there->artifact_bytes > 0 || !there->fits) ? there
                                                                 : same_in(wanted, *count, ladder);
    if (!there) {
        there = &wanted[(*count)++];
        *there = (struct app_ladder){.ladder = *ladder};
        for (int32_t b = 0; b < ladder->buckets; b++)
            there->forecast[b] = ladder->rung[b].cycles;
    }
    there->even = there->even || even;
}

/* How far the forecasts of a ladder were off. */
static void note_forecasts(struct app_buckets *buckets, const struct app_ladder *l)
{
    for (int32_t b = 0; b < l->ladder.buckets; b++) {
        int64_t cycles = l->ladder.rung[b].cycles, off = llabs(cycles - l->forecast[b]);
        if (l->forecast[b] == 0)
            continue;
        buckets->forecasts++;
        if (off > buckets->worst_cycles) {
            buckets->worst_cycles = off;
            buckets->worst_share = (double)off / (double)cycles;
        }
    }
}

static void note_refusal(struct app_buckets *buckets, int32_t grid)
{
    buckets->refused++;
    buckets->refused_grid = grid > buckets->refused_grid ? grid : buckets->refused_grid;
}

static void keep(struct app_buckets *buckets, struct app_ladder *ladder)
{
    ladder->price = serve_ladder_price(&buckets->demand, &ladder->ladder);
    if (ladder->fits)
        note_forecasts(buckets, ladder);
    else
        note_refusal(buckets, grid_of(buckets, &ladder->ladder));
    buckets->compiled = base_grow(buckets->compiled, &buckets->capacity, buckets->count + 1,
                                  sizeof *buckets->compiled);
    buckets->compiled[buckets->count++] = *ladder;
}

static enum base_status take(struct app_run *run, struct app_ladder *wanted, size_t count,
                             bool sizes)
{
    enum base_status status = app_buckets_compile(run, wanted, count, sizes);
    for (size_t n = 0; n < count && status == BASE_OK; n++)
        keep(run->buckets, &wanted[n]);
    return status;
}

/* The single bucket: its split and its seats are everybody's. */
static enum base_status take_single(struct app_run *run)
{
    struct app_buckets *buckets = run->buckets;
    struct app_ladder single = {.ladder = {1, {{buckets->demand.most, 0}}}, .even = true};
    buckets->scenario.bucket.rungs = 0;
    enum base_status status = app_buckets_compile_first(run, &single);
    if (status == BASE_OK)
        keep(buckets, &single);
    return status;
}

/* The least size on a grid, and up to `count` - 1 evenly spaced ones beside it. */
static struct serve_ladder sample_on(const struct app_buckets *buckets, int32_t grid, int32_t count)
{
    int32_t sizes = buckets->demand.most / grid;
    struct serve_ladder l = {1, {{grid, 0}}};
    for (int32_t b = 1; b < count; b++) {
        int32_t positions = (int32_t)((int64_t)sizes * b / (count - 1)) * grid;
        if (positions > l.rung[l.buckets - 1].positions)
            l.rung[l.buckets++].positions = positions;
    }
    return l;
}

/* Of `count` buckets on each grid of which no two lengths are known. */
static enum base_status take_samples(struct app_run *run, int32_t count)
{
    struct app_buckets *buckets = run->buckets;
    struct app_ladder sample[APP_BUCKETS_GRIDS] = {0};
    size_t samples = 0, known;
    for (int32_t g = 0; g < buckets->grids; g++) {
        if (buckets->grid[g] == buckets->demand.most)
            continue;
        base_free(known_on(buckets, buckets->grid[g], &known));
        if (known < 2)
            sample[samples++].ladder = sample_on(buckets, buckets->grid[g], count);
    }
    return take(run, sample, samples, false);
}

static enum base_status take_best(struct app_run *run, bool *more)
{
    struct app_buckets *buckets = run->buckets;
    struct app_ladder wanted[2 * SERVE_BUCKETS];
    size_t count = 0;
    for (int32_t b = 1; b <= run->command->count; b++) {
        struct serve_ladder ladder = {0};
        for (int even = 0; even < 2; even++)
            if ((!even || !app_buckets_even(buckets, b)) && choose(buckets, b, even, &ladder))
                want(buckets, wanted, &count, &ladder, even);
    }
    *more = count > 0;
    return take(run, wanted, count, true);
}

static enum base_status search(struct app_run *run)
{
    bool more = true;
    enum base_status status = take_single(run);
    if (status == BASE_OK)
        status = take_samples(run, SERVE_BUCKETS);
    if (status == BASE_OK) /* grids on which fewer buckets may fit */
        status = take_samples(run, 2);
    for (int round = 0; round < MOST_ROUNDS && status == BASE_OK && more; round++)
        status = take_best(run, &more);
    return status;
}

/* Whether caches can have tiles of half as many positions, in two hemispheres. */
static bool is_grid(const struct lpu_chip *chip, int32_t grid)
{
    return grid / 2 <= chip->lanes && grid / 4 <= chip->mxm_fp16_rows;
}

static void list_grids(struct app_buckets *buckets)
{
    enum { LEAST = 64 };
    int32_t most = buckets->demand.most;
    for (int32_t grid = most; grid >= LEAST && buckets->grids < APP_BUCKETS_GRIDS; grid -= LEAST)
        if (most % grid == 0 && is_grid(&buckets->scenario.lpu_chip, grid))
            buckets->grid[buckets->grids++] = grid;
}

static enum base_status check(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    if (s->bucket.batch > 1)
        base_report_add(&run->report, NULL, 0,
                        "bucket.batch = %" PRId32 ": sequences that share a seat take steps of the "
                        "largest bucket whatever the ladder; buckets wants 1",
                        s->bucket.batch);
    if (run->buckets->demand.steps == 0)
        base_report_add(&run->report, NULL, 0,
                        "bucket.max_sequence = %" PRId32 " holds none of the requests; a larger "
                        "one is wanted",
                        s->bucket.max_sequence);
    return parallel_agree_report(&run->report, BASE_USAGE);
}

enum base_status app_buckets_run(struct app_run *run)
{
    const struct serve_requests *requests = &run->serving->requests;
    const struct scenario *s = &run->scenario;
    double start_s = parallel_wall_seconds();
    app_progress(run, "looking for ladders of buckets");
    run->buckets = base_alloc(1, sizeof *run->buckets);
    run->buckets->scenario = *s;
    run->buckets->demand = serve_demand_of(requests->request, requests->count,
                                           s->bucket.max_sequence, !s->lpu_prefill);
    list_grids(run->buckets);
    enum base_status status = check(run);
    if (status == BASE_OK)
        status = search(run);
    run->buckets->seconds = parallel_wall_seconds() - start_s;
    if (status == BASE_OK && run->file)
        app_buckets_record(run);
    return status;
}
