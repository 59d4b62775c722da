/* SPDX-License-Identifier: BSD-3-Clause */
/* The steps that verify executes: every kind of step by itself and, where seats share the pipeline,
 * any two kinds as near to each other as was promised, then trains at each interval. */
#include "app/artifact.h"
#include "app/lpu_steps.h"
#include "base/memory.h"

/* Nothing of a group of steps reaches into the next. */
enum { GAP_CYCLES = 1000 };

/* A list under way. Prompts are one token long, so that a decode step's round is its position. */
struct trial {
    struct app_lpu *lpu;
    const struct app_run *run;
    size_t capacity;
    int64_t from; /* cycle from which the next group may begin */
};

/* Of the batch that has seat `seat`; `row` is where its sequences, or that of a pass, stand. */
static void add(struct trial *t, enum partition_phase phase, int32_t seat, int32_t row,
                int64_t start)
{
    struct app_lpu *lpu = t->lpu;
    int64_t end = start + lpu->outline.length_cycles[phase];
    int32_t first = seat * t->run->scenario.bucket.batch;
    lpu->step = base_grow(lpu->step, &t->capacity, (size_t)lpu->steps + 1, sizeof *lpu->step);
    lpu->step[lpu->steps] = (struct record_lpu_step){.step = lpu->steps,
                                                     .phase = (uint8_t)app_lpu_record_phase(phase),
                                                     .sequence = first,
                                                     .position = row,
                                                     .seat = first,
                                                     .round = row,
                                                     .bucket = lpu->outline.positions[phase],
                                                     .start_cycle = start,
                                                     .end_cycle = end};
    lpu->steps++;
    t->from = end > t->from ? end : t->from;
}

/* A pass of each sequence, then a decode step in each bucket, from the smallest on. */
static void add_one_by_one(struct trial *t)
{
    const struct scenario *s = &t->run->scenario;
    int32_t smallest = s->bucket.rungs > 0 ? s->bucket.rung[0] : s->bucket.max_sequence;
    int32_t rows = t->lpu->outline.prefill_rows;
    rows = rows < smallest ? rows : smallest - 1;
    for (int32_t q = 0; q < s->bucket.batch; q++) {
        add(t, PARTITION_PREFILL, 0, 0, t->from);
        t->lpu->step[t->lpu->steps - 1].sequence = q;
        t->lpu->step[t->lpu->steps - 1].seat = q;
    }
    for (int32_t n = 0; n <= s->bucket.rungs; n++)
        add(t, app_lpu_bucket(t->run, n), 0, rows + n, t->from);
}

static void add_pairs(struct trial *t)
{
    for (enum partition_phase a = 0; a < PARTITION_PHASES; a++)
        for (enum partition_phase b = 0; b < PARTITION_PHASES; b++) {
            if (!app_lpu_has_phase(t->lpu, a) || !app_lpu_has_phase(t->lpu, b))
                continue;
            int64_t start = t->from + GAP_CYCLES;
            add(t, a, 0, 0, start);
            add(t, b, 1, 0, start + distances_next(t->lpu->distances, a, b, 1));
        }
}

/* As many steps as have seats, one an interval, of two kinds in turn. */
static void add_train(struct trial *t, enum partition_phase even, enum partition_phase odd,
                      int64_t interval)
{
    int64_t start = t->from + GAP_CYCLES;
    for (int32_t n = 0; n < t->lpu->sharing.seats.placed; n++)
        add(t, n % 2 ? odd : even, n, 0, start + n * interval);
}

/* Of each kind, and of any two buckets: the shorter step catches up with the longer. */
static void add_trains(struct trial *t)
{
    const struct interval_found *f = &t->lpu->sharing.interval;
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        if (app_lpu_has_phase(t->lpu, phase))
            add_train(t, phase, phase, f->cycles[phase]);
    for (int32_t n = t->run->scenario.bucket.rungs; n > 0; n--)
        for (int32_t k = n; k-- > 0;)
            add_train(t, app_lpu_bucket(t->run, n), app_lpu_bucket(t->run, k), f->mixed_cycles);
}

void app_artifact_list_steps(struct app_run *run)
{
    struct trial t = {.lpu = run->lpu, .run = run};
    run->lpu->sequences = run->lpu->sharing.seats.placed * run->scenario.bucket.batch;
    add_one_by_one(&t);
    if (run->lpu->sharing.seats.placed < 2)
        return;
    add_pairs(&t);
    add_trains(&t);
}
