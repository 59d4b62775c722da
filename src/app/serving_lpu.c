/* SPDX-License-Identifier: BSD-3-Clause */
/* The static machine's door from the compiled plan: its lengths and distances become a frame of
 * slots and windows, requests get their steps in it, and an executor of its own plays them. */
#include "app/serving_lpu.h"

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

uint8_t app_serving_kind(const struct app_run *run, enum partition_phase phase)
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
        uint8_t first = app_serving_kind(run, range[n].first),
                second = app_serving_kind(run, range[n].second);
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

void app_serving_rack_note(const struct app_serving_rack *rack, struct app_serving_timetable *t)
{
    const struct serve_machine *m = &rack->machine;
    t->seats = m->seats;
    t->lanes = m->lanes;
    t->pass_rows = m->pass_rows;
    t->slot_cycles = rack->frame.slot_cycles;
    t->slots = rack->frame.slots;
    t->closed_slots = rack->frame.closed_slots;
    t->passes = rack->frame.passes;
    t->capacity = rack->capacity;
}

bool app_serving_is_proved(const struct serve_rehearsal *f, struct base_report *report)
{
    if (serve_rehearsal_is_clean(f))
        return true;
    base_report_add(report, NULL, 0,
                    "the LPU's timetable: of %" PRId64 " starts %" PRId64 " pairs are too near, "
                    "%" PRId64 " out of order, %" PRId64 " in too small a bucket, %" PRId64
                    " in a lane that is taken; %" PRId64 " requests finish otherwise than promised",
                    f->starts, f->too_near, f->out_of_order, f->too_small, f->taken, f->unkept);
    return false;
}

struct app_serving_rack app_serving_rack_open(const struct app_run *run,
                                              const struct serve_spec *spec,
                                              const struct serve_request *request, size_t count)
{
    struct app_serving_rack rack = {.machine = describe(run)};
    struct serve_machine *m = &rack.machine;
    rack.apart = run->lpu->distances ? ranges_of(run, m, &m->aparts) : one_by_one(m, &m->aparts);
    m->apart = rack.apart;
    rack.frame = serve_frame_choose(m, spec, request, count, &rack.capacity);
    return rack;
}

void app_serving_rack_close(struct app_serving_rack *rack)
{
    serve_frame_release(&rack->frame);
    base_free(rack->apart);
    rack->apart = NULL;
}

/* Of the first rank. */
struct open_door {
    struct app_run *run;
    struct app_serving_rack rack;
};

static bool serve(void *self, const struct serve_request *request, size_t count,
                  struct serve_outcome *outcome, bool quiet)
{
    const struct open_door *d = self;
    struct app_serving_timetable *t = &d->run->serving->timetable;
    struct base_progress progress;
    struct serve_rehearsing *proof = serve_rehearsal_open(&d->rack.machine, request, count, outcome,
                                                          d->run->scenario.serve.lpu_replicas);
    struct serve_door door = {.machine = &d->rack.machine,
                              .frame = &d->rack.frame,
                              .spec = &d->run->scenario.serve,
                              .progress = &progress,
                              .note = serve_rehearsal_note,
                              .context = proof};
    base_progress_begin(&progress, "LPU door", "requests", (int64_t)count, quiet);
    t->usage = serve_carousel_run(&door, request, count, outcome);
    base_progress_end(&progress, (int64_t)count);
    t->rehearsal = serve_rehearsal_close(proof);
    return app_serving_is_proved(&t->rehearsal, &d->run->report);
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
        const struct serve_spec *spec = &run->scenario.serve;
        struct open_door open = {run, app_serving_rack_open(run, spec, request, count)};
        app_serving_rack_note(&open.rack, &run->serving->timetable);
        struct app_door door = {&open, serve, capacity};
        visit(context, &door);
        app_serving_rack_close(&open.rack);
    }
    parallel_broadcast(&run->serving->timetable, sizeof run->serving->timetable);
    return parallel_agree_report(&run->report, BASE_CONTRACT);
}
