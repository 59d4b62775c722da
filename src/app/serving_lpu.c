/* SPDX-License-Identifier: BSD-3-Clause */
/* The static machine's door from the compiled plan: its lengths and distances become a frame of
 * slots and windows, requests get their steps in it, and an executor of its own plays them. */
#include "app/serving.h"

#include <inttypes.h>

#include "app/lpu.h"
#include "base/memory.h"
#include "parallel/copies.h"
#include "serve/carousel.h"
#include "serve/frame_choice.h"

/* The phase of a kind of step. */
static enum partition_phase phase_of(const struct app_run *run, int kind)
{
    return kind == SERVE_PASS ? PARTITION_PREFILL : app_lpu_bucket(run, kind);
}

/* The kind of a phase of the plan. */
static uint8_t kind_of(const struct app_run *run, enum partition_phase phase)
{
    int kind = 0;
    while (phase_of(run, kind) != phase)
        kind++;
    return (uint8_t)kind;
}

static struct serve_machine describe(const struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    const struct app_lpu_outline *plan = &run->lpu->outline;
    bool passes = s->lpu_prefill && app_lpu_has_phase(run->lpu, PARTITION_PREFILL);
    struct serve_machine m = {.chip = &s->lpu_chip,
                              .buckets = s->bucket.rungs + 1,
                              .settle_cycles = s->lpu_chip.mem_write_skew_cycles,
                              .pass_rows = passes ? plan->prefill_rows : 0,
                              .seats = run->lpu->sharing.seats.placed,
                              .lanes = s->bucket.batch};
    for (int kind = 0; kind < SERVE_BUCKETS && kind < m.buckets; kind++) {
        m.positions[kind] = plan->positions[phase_of(run, kind)];
        m.length_cycles[kind] = plan->length_cycles[phase_of(run, kind)];
    }
    m.length_cycles[SERVE_PASS] = passes ? plan->length_cycles[PARTITION_PREFILL] : 0;
    return m;
}

/* What the compiler forbids, of phases that the door uses. */
static struct serve_apart *ranges_of(const struct app_run *run, const struct serve_machine *m,
                                     size_t *count)
{
    size_t ranges;
    const struct distances_range *range = distances_ranges(run->lpu->distances, &ranges);
    struct serve_apart *apart = base_alloc(ranges, sizeof *apart);
    *count = 0;
    for (size_t n = 0; n < ranges; n++) {
        uint8_t first = kind_of(run, range[n].first), second = kind_of(run, range[n].second);
        if (m->length_cycles[first] > 0 && m->length_cycles[second] > 0)
            apart[(*count)++] = (struct serve_apart){first, second, range[n].from, range[n].to};
    }
    return apart;
}

/* One seat: each step waits for the one before. */
static struct serve_apart *one_by_one(const struct serve_machine *m, size_t *count)
{
    struct serve_apart *apart = base_alloc((size_t)SERVE_KINDS * SERVE_KINDS, sizeof *apart);
    *count = 0;
    for (int first = 0; first < SERVE_KINDS; first++)
        for (int second = 0; second < SERVE_KINDS; second++)
            if (m->length_cycles[first] > 0 && m->length_cycles[second] > 0)
                apart[(*count)++] = (struct serve_apart){
                    (uint8_t)first, (uint8_t)second, 0, m->length_cycles[first] + m->settle_cycles};
    return apart;
}

static void note_frame(struct app_serving_timetable *t, const struct serve_machine *m,
                       const struct serve_frame *frame)
{
    t->seats = m->seats;
    t->lanes = m->lanes;
    t->pass_rows = m->pass_rows;
    t->slot_cycles = frame->slot_cycles;
    t->slots = frame->slots;
    t->closed_slots = frame->closed_slots;
    t->passes = frame->passes;
}

/* What the executor found out against the planner is a failure of the program. */
static bool is_proved(struct app_run *run)
{
    const struct serve_rehearsal *f = &run->serving->timetable.rehearsal;
    if (serve_rehearsal_is_clean(f))
        return true;
    base_report_add(&run->report, NULL, 0,
                    "the LPU's timetable: of %" PRId64 " starts %" PRId64 " pairs are too near, "
                    "%" PRId64 " out of order, %" PRId64 " in too small a bucket, %" PRId64
                    " in a lane that is taken; %" PRId64 " requests finish otherwise than promised",
                    f->starts, f->too_near, f->out_of_order, f->too_small, f->taken, f->unkept);
    return false;
}

/* Of the first rank. */
struct open_door {
    struct app_run *run;
    struct serve_machine machine;
    struct serve_apart *apart; /* owned; machine.apart */
    struct serve_frame frame;
};

static struct open_door door_open(struct app_run *run, const struct serve_request *request,
                                  size_t count)
{
    struct open_door d = {.run = run, .machine = describe(run)};
    struct app_serving_timetable *t = &run->serving->timetable;
    d.apart = run->lpu->distances ? ranges_of(run, &d.machine, &d.machine.aparts)
                                  : one_by_one(&d.machine, &d.machine.aparts);
    d.machine.apart = d.apart;
    d.frame = serve_frame_choose(&d.machine, &run->scenario.serve, request, count, &t->capacity);
    note_frame(t, &d.machine, &d.frame);
    return d;
}

static void door_close(struct open_door *d)
{
    serve_frame_release(&d->frame);
    base_free(d->apart);
}

static bool serve(void *self, const struct serve_request *request, size_t count,
                  struct serve_outcome *outcome, bool quiet)
{
    const struct open_door *d = self;
    struct app_serving_timetable *t = &d->run->serving->timetable;
    struct base_progress progress;
    struct serve_rehearsing *proof = serve_rehearsal_open(&d->machine, request, count, outcome,
                                                          d->run->scenario.serve.lpu_replicas);
    struct serve_door door = {.machine = &d->machine,
                              .frame = &d->frame,
                              .spec = &d->run->scenario.serve,
                              .progress = &progress,
                              .note = serve_rehearsal_note,
                              .context = proof};
    base_progress_begin(&progress, "LPU door", "requests", (int64_t)count, quiet);
    t->usage = serve_carousel_run(&door, request, count, outcome);
    base_progress_end(&progress, (int64_t)count);
    t->rehearsal = serve_rehearsal_close(proof);
    return is_proved(d->run);
}

static double capacity(void *self)
{
    const struct open_door *d = self;
    return d->run->serving->timetable.capacity.requests_per_s * d->run->scenario.serve.lpu_replicas;
}

enum base_status app_serving_lpu(struct app_run *run, const struct serve_request *request,
                                 size_t count, app_door_visitor *visit, void *context)
{
    if (parallel_is_first()) {
        struct open_door open = door_open(run, request, count);
        struct app_door door = {&open, serve, capacity};
        visit(context, &door);
        door_close(&open);
    }
    parallel_broadcast(&run->serving->timetable, sizeof run->serving->timetable);
    return parallel_agree_report(&run->report, BASE_CONTRACT);
}
