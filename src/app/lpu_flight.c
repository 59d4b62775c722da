/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans starts by rounds: one decode step for each seat that has its prompt in, then one prefill
 * pass of the first sequence that has not, each as early as the compiler's table of distances
 * allows. A sequence's next decode step waits until its token stands in SRAM; a pass only for the
 * one before it. */
#include "app/lpu_flight.h"

#include <stdlib.h>

#include "app/lpu_steps.h"
#include "base/memory.h"

/* A seat and the sequence that has it; sequence -1: none any more. */
struct seat {
    int32_t sequence, next; /* step of the sequence */
    int64_t ready;          /* cycle from which the next may begin */
};

struct flight {
    const struct app_run *run;
    const struct interval_table *table;
    struct record_lpu_step *step; /* in the order of planning */
    int32_t steps;
    struct seat *seat;
    int32_t seats, sequences, seated; /* seated: sequences that got a seat so far */
};

/* The first cycle from `start` on at which a step of `phase` bears with `other`. */
static int64_t clear_of(const struct flight *f, enum partition_phase phase, int64_t start,
                        const struct record_lpu_step *other)
{
    enum partition_phase its = app_lpu_phase_of(f->run->lpu, other);
    for (; start < other->start_cycle; start++)
        if (interval_allows(f->table, phase, its, other->start_cycle - start))
            return start;
    while (!interval_allows(f->table, its, phase, start - other->start_cycle))
        start++;
    return start;
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

/* Steps that bring a sequence's prompt in, but for its last token. */
static int32_t prompt_steps(const struct app_run *run, int32_t sequence)
{
    int32_t rows = app_lpu_prompt_rows(run, sequence);
    int32_t chunk = run->scenario.lpu_prefill ? run->lpu->outline.prefill_rows : 1;
    return (rows + chunk - 1) / chunk;
}

static bool has_prompt_in(const struct flight *f, const struct seat *seat)
{
    return seat->sequence >= 0 && seat->next >= prompt_steps(f->run, seat->sequence);
}

/* The next sequence that waits takes the seat. */
static void leave(struct flight *f, struct seat *seat)
{
    seat->next = 0;
    seat->sequence = f->seated < f->sequences ? f->seated++ : -1;
}

static void plan_step(struct flight *f, int32_t number)
{
    const struct app_lpu_outline *plan = &f->run->lpu->outline;
    struct seat *seat = &f->seat[number];
    bool prompt = !has_prompt_in(f, seat), passes = prompt && f->run->scenario.lpu_prefill;
    enum partition_phase phase = passes ? PARTITION_PREFILL : PARTITION_DECODE;
    int32_t behind = seat->next - prompt_steps(f->run, seat->sequence);
    int64_t start = earliest(f, phase, seat->ready);
    f->step[f->steps++] = (struct record_lpu_step){
        .phase = (uint8_t)app_lpu_record_phase(phase),
        .sequence = seat->sequence,
        .seat = number,
        .position = prompt ? seat->next * (passes ? plan->prefill_rows : 1)
                           : app_lpu_prompt_rows(f->run, seat->sequence) + behind,
        .bucket = plan->positions[phase],
        .start_cycle = start,
        .end_cycle = start + plan->length_cycles[phase]};
    seat->next++;
    seat->ready = prompt ? start + 1 : start + app_lpu_latency_cycles(f->run);
    if (behind + 1 == f->run->scenario.workload.decode_tokens)
        leave(f, seat);
}

/* One decode step of each seat that is to take one, the earliest ready first. */
static void plan_decode_steps(struct flight *f)
{
    bool *done = base_alloc((size_t)f->seats, sizeof *done);
    for (int32_t turn = 0; turn < f->seats; turn++) {
        int32_t first = -1;
        for (int32_t n = 0; n < f->seats; n++)
            if (!done[n] && has_prompt_in(f, &f->seat[n]) &&
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
        if (f->seat[n].sequence >= 0 && !has_prompt_in(f, &f->seat[n]) &&
            (first < 0 || f->seat[n].sequence < f->seat[first].sequence))
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

void app_lpu_list_flight(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    struct flight f = {
        .run = run, .table = plan_interval(lpu->plan), .seats = lpu->sharing.seats.placed};
    int32_t asked = run->scenario.workload.sequences, steps;
    f.sequences = asked ? asked : f.seats;
    for (int32_t q = 0; q < f.sequences; q++)
        lpu->prompt_steps += prompt_steps(run, q);
    steps = lpu->prompt_steps + f.sequences * run->scenario.workload.decode_tokens;
    f.step = base_alloc((size_t)steps, sizeof *f.step);
    f.seat = base_alloc((size_t)f.seats, sizeof *f.seat);
    for (int32_t n = 0; n < f.seats; n++)
        f.seat[n].sequence = f.seated < f.sequences ? f.seated++ : -1;
    while (f.steps < steps) {
        plan_decode_steps(&f);
        plan_prompt_step(&f);
    }
    qsort(f.step, (size_t)f.steps, sizeof *f.step, by_start);
    for (int32_t n = 0; n < f.steps; n++)
        f.step[n].step = n;
    base_free(f.seat);
    lpu->step = f.step;
    lpu->steps = f.steps;
    lpu->sequences = f.sequences;
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
        struct meeting m = {other->phase, step->phase, step->start_cycle - other->start_cycle};
        if (other->end_cycle <= step->start_cycle || is_known(known, &m))
            continue;
        known->at = base_grow(known->at, &known->capacity, known->count + 1, sizeof *known->at);
        known->at[known->count++] = m;
        anew = true;
    }
    return anew;
}

int32_t app_lpu_flight_known_from(const struct app_lpu *lpu)
{
    struct meetings known = {0};
    int32_t from = 0;
    for (int32_t n = 0; n < lpu->steps; n++)
        if (meets_anew(lpu, n, &known) || lpu->step[n].phase == RECORD_PREFILL)
            from = n + 1;
    base_free(known.at);
    return from;
}
