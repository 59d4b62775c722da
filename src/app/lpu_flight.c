/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans starts by rounds: one decode step for each seat that has its prompts in, then one prefill
 * pass of the first batch that has not, each as early as the compiler's distances allow: those of
 * the very kinds, so that steps of different buckets stand as near as they bear. A batch's next
 * decode step waits until its tokens stand in SRAM; a pass only for the one before it. */
#include "app/lpu_flight.h"

#include <stdlib.h>

#include "app/lpu_steps.h"
#include "base/memory.h"

/* A seat and the batch that has it; batch -1: none any more. */
struct seat {
    int32_t batch, next; /* step of the batch */
    int64_t ready;       /* cycle from which the next may begin */
};

struct flight {
    const struct app_run *run;
    const struct distances *distances;
    struct record_lpu_step *step; /* in the order of planning */
    int32_t steps;
    struct seat *seat;
    int32_t seats, batches, seated; /* seated: batches that got a seat so far */
};

/* The first cycle from `start` on at which a step of `phase` bears with `other`. */
static int64_t clear_of(const struct flight *f, enum partition_phase phase, int64_t start,
                        const struct record_lpu_step *other)
{
    enum partition_phase its = app_lpu_phase_of(f->run->lpu, other);
    if (start < other->start_cycle) {
        int64_t before = distances_before(f->distances, phase, its, other->start_cycle - start);
        if (before > 0)
            return other->start_cycle - before;
        start = other->start_cycle;
    }
    return other->start_cycle +
           distances_next(f->distances, its, phase, start - other->start_cycle);
}

/* The first cycle from `ready` on at which it bears with all that are planned. */
static int64_t earliest(const struct flight *f, enum partition_phase phase, int64_t ready)
{
    int64_t start = ready, before;
    do {
        before = start;
        for (int32_t n = f->steps; n-- > 0;)
            start = clear_of(f, phase, start, &f->step[n]);
    } while (start != before);
    return start;
}

/* The first of a batch's sequences. */
static int32_t first_of(const struct flight *f, int32_t batch)
{
    return batch * f->run->scenario.bucket.batch;
}

static bool has_prompts_in(const struct flight *f, const struct seat *seat)
{
    return seat->batch >= 0 && seat->next >= app_lpu_prompt_steps(f->run, first_of(f, seat->batch));
}

/* The next batch that waits takes the seat. */
static void leave(struct flight *f, struct seat *seat)
{
    seat->next = 0;
    seat->batch = f->seated < f->batches ? f->seated++ : -1;
}

/* Whether a sequence of a decode step waits at position 0 for a longer prompt of its batch. */
static bool has_waiting(const struct flight *f, const struct record_lpu_step *step)
{
    for (int32_t s = 0; s < f->run->scenario.bucket.batch; s++)
        if (app_lpu_prompt_rows(f->run, step->sequence + s) + step->round < 0)
            return true;
    return false;
}

/* Cycles from the start of a step to where the next of its batch may begin: prompts need not wait
 * for what they give, unless both would write one row. */
static int64_t lead_of(const struct flight *f, const struct record_lpu_step *step,
                       enum partition_phase phase)
{
    bool alone = phase != PARTITION_PREFILL && (step->round >= 0 || has_waiting(f, step));
    return alone ? app_lpu_latency_cycles(f->run, phase) : 1;
}

static void plan_step(struct flight *f, int32_t number)
{
    const struct app_run *run = f->run;
    struct seat *seat = &f->seat[number];
    struct record_lpu_step step = app_lpu_step_of(
        run, first_of(f, seat->batch), number * run->scenario.bucket.batch, seat->next++);
    enum partition_phase phase = app_lpu_phase_of(run->lpu, &step);
    step.start_cycle = earliest(f, phase, seat->ready);
    step.end_cycle = step.start_cycle + run->lpu->outline.length_cycles[phase];
    f->step[f->steps++] = step;
    seat->ready = step.start_cycle + lead_of(f, &step, phase);
    if (step.round + 1 == run->scenario.workload.decode_tokens)
        leave(f, seat);
}

/* One decode step of each seat that is to take one, the earliest ready first. */
static void plan_decode_steps(struct flight *f)
{
    bool *done = base_alloc((size_t)f->seats, sizeof *done);
    for (int32_t turn = 0; turn < f->seats; turn++) {
        int32_t first = -1;
        for (int32_t n = 0; n < f->seats; n++)
            if (!done[n] && has_prompts_in(f, &f->seat[n]) &&
                (first < 0 || f->seat[n].ready < f->seat[first].ready))
                first = n;
        if (first < 0)
            break;
        done[first] = true;
        plan_step(f, first);
    }
    base_free(done);
}

static void plan_prompt_step(struct flight *f)
{
    int32_t first = -1;
    for (int32_t n = 0; n < f->seats; n++)
        if (f->seat[n].batch >= 0 && !has_prompts_in(f, &f->seat[n]) &&
            (first < 0 || f->seat[n].batch < f->seat[first].batch))
            first = n;
    if (first >= 0)
        plan_step(f, first);
}

static int by_start(const void *a, const void *b)
{
    const struct record_lpu_step *x = a, *y = b;
    if (x->start_cycle != y->start_cycle)
        return x->start_cycle < y->start_cycle ? -1 : 1;
    return (x->seat > y->seat) - (x->seat < y->seat);
}

/* Seats are taken by the first batches; steps have room. */
static struct flight open_flight(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    int32_t asked = run->scenario.workload.sequences, batch = run->scenario.bucket.batch;
    struct flight f = {.run = run, .distances = lpu->distances, .seats = lpu->sharing.seats.placed};
    f.batches = asked ? asked / batch : f.seats;
    for (int32_t n = 0; n < f.batches; n++)
        lpu->prompt_steps += app_lpu_prompt_steps(run, first_of(&f, n));
    lpu->sequences = f.batches * batch;
    lpu->steps = lpu->prompt_steps + f.batches * run->scenario.workload.decode_tokens;
    lpu->step = f.step = base_alloc((size_t)lpu->steps, sizeof *f.step);
    f.seat = base_alloc((size_t)f.seats, sizeof *f.seat);
    for (int32_t n = 0; n < f.seats; n++)
        f.seat[n].batch = f.seated < f.batches ? f.seated++ : -1;
    return f;
}

void app_lpu_list_flight(struct app_run *run)
{
    struct flight f = open_flight(run);
    while (f.steps < run->lpu->steps) {
        plan_decode_steps(&f);
        plan_prompt_step(&f);
    }
    qsort(f.step, (size_t)f.steps, sizeof *f.step, by_start);
    for (int32_t n = 0; n < f.steps; n++)
        f.step[n].step = n;
    base_free(f.seat);
}

/* Two steps that are under way together. */
struct meeting {
    uint8_t first, second;
    int64_t distance;
};

struct meetings {
    struct meeting *at;
    size_t count, capacity;
};

static bool is_known(const struct meetings *known, const struct meeting *m)
{
    for (size_t n = known->count; n-- > 0;)
        if (known->at[n].first == m->first && known->at[n].second == m->second &&
            known->at[n].distance == m->distance)
            return true;
    return false;
}

/* Adds what step `n` meets when it begins; whether any of it is new. */
static bool meets_anew(const struct app_lpu *lpu, int32_t n, struct meetings *known)
{
    const struct record_lpu_step *step = &lpu->step[n];
    bool anew = false;
    for (int32_t k = 0; k < n; k++) {
        const struct record_lpu_step *other = &lpu->step[k];
        struct meeting m = {(uint8_t)app_lpu_phase_of(lpu, other),
                            (uint8_t)app_lpu_phase_of(lpu, step),
                            step->start_cycle - other->start_cycle};
        if (other->end_cycle <= step->start_cycle || is_known(known, &m))
            continue;
        known->at = base_grow(known->at, &known->capacity, known->count + 1, sizeof *known->at);
        known->at[known->count++] = m;
        anew = true;
    }
    return anew;
}

/* A step, and all that are open when it begins. */
static void mark_with_open(struct app_lpu *lpu, int32_t n)
{
    int32_t first = n;
    for (int32_t k = 0; k < first; k++)
        if (lpu->step[k].end_cycle > lpu->step[n].start_cycle)
            first = k;
    for (int32_t k = first; k <= n; k++)
        lpu->executes[k] = true;
}

void app_lpu_mark_flight(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    struct meetings known = {0};
    int32_t wanted = run->scenario.lpu_execute_steps, found[PARTITION_PHASES] = {0};
    int32_t most = (wanted > 2 ? wanted : 2) * (lpu->sequences / run->scenario.bucket.batch);
    for (int32_t n = 0; n < lpu->steps; n++) {
        bool anew = wanted > 0 && meets_anew(lpu, n, &known);
        bool asked = found[app_lpu_phase_of(lpu, &lpu->step[n])]++ < most;
        if (wanted == 0 || anew || asked || lpu->step[n].phase == RECORD_PREFILL)
            mark_with_open(lpu, n);
    }
    base_free(known.at);
}
