/* SPDX-License-Identifier: BSD-3-Clause */
/* Passes take the earliest places in windows, decode steps the earliest open slots. */
#include "serve/itinerary.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

struct serve_timetable serve_timetable_open(const struct serve_machine *machine,
                                            const struct serve_frame *frame)
{
    const bool open = false;
    return (struct serve_timetable){
        .machine = machine,
        .frame = frame,
        .decode = serve_slots_create(frame->closed, frame->slots),
        .passes = frame->passes ? serve_slots_create(&open, 1) : NULL,
        .seat = base_alloc((size_t)machine->seats, sizeof(struct serve_seat))};
}

void serve_timetable_close(struct serve_timetable *timetable)
{
    for (int32_t n = 0; n < timetable->machine->seats; n++)
        base_free(timetable->seat[n].slot);
    base_free(timetable->seat);
    serve_slots_release(timetable->decode);
    serve_slots_release(timetable->passes);
}

void serve_timetable_forget(struct serve_timetable *timetable, int64_t cycle)
{
    const struct serve_frame *frame = timetable->frame;
    serve_slots_forget(timetable->decode, serve_frame_slot_from(frame, cycle));
    if (timetable->passes)
        serve_slots_forget(timetable->passes, serve_frame_pass_from(frame, cycle));
}

static void add(struct serve_itinerary *itinerary, struct serve_step step)
{
    itinerary->step = base_grow(itinerary->step, &itinerary->capacity, itinerary->steps + 1,
                                sizeof *itinerary->step);
    itinerary->step[itinerary->steps++] = step;
}

/* The first of a seat's slots that is later than `slot`. */
static size_t first_after(const struct serve_seat *seat, int64_t slot)
{
    size_t low = 0, high = seat->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (seat->slot[middle] <= slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The earliest slot from `from` on that is the seat's own, or open and `turn` slots away from all
 * of these. */
static int64_t slot_of_seat(struct serve_timetable *t, const struct serve_seat *seat, int64_t from,
                            int64_t turn, bool *joins)
{
    size_t next = first_after(seat, from - 1);
    int64_t own = next < seat->count ? seat->slot[next] : INT64_MAX, limit = own;
    if (next > 0 && seat->slot[next - 1] + turn > from)
        from = seat->slot[next - 1] + turn;
    if (own < INT64_MAX)
        limit = own - turn + 1;
    int64_t slot = serve_slots_next(t->decode, from, limit);
    *joins = slot >= limit;
    return *joins ? own : slot;
}

/* A decode step at the earliest from `cycle` on. */
static struct serve_step decode_step(struct serve_timetable *t, int32_t seat, int64_t cycle,
                                     int32_t positions)
{
    const struct serve_frame *f = t->frame;
    int kind = serve_machine_decode(t->machine, positions);
    struct serve_step step = {.kind = (uint8_t)kind};
    int64_t from = serve_frame_slot_from(f, cycle);
    int64_t turn = serve_frame_slot_from(f, serve_machine_latency(t->machine, kind));
    step.place = t->machine->lanes > 1 ? slot_of_seat(t, &t->seat[seat], from, turn, &step.joins)
                                       : serve_slots_next(t->decode, from, INT64_MAX);
    step.cycle = step.place * f->slot_cycles;
    return step;
}

static struct serve_step pass_at(struct serve_timetable *t, int64_t cycle)
{
    int64_t place = serve_slots_next(t->passes, serve_frame_pass_from(t->frame, cycle), INT64_MAX);
    return (struct serve_step){
        .cycle = serve_frame_pass_cycle(t->frame, place), .place = place, .kind = SERVE_PASS};
}

/* Passes follow each other through the stages, and so do decode steps that bring in a prompt,
 * unless they are other lanes' steps, too. Returns when the next step may begin. */
static int64_t plan_prompt(struct serve_timetable *t, const struct serve_request *request,
                           int32_t seat, int64_t cycle, struct serve_itinerary *itinerary)
{
    const struct serve_machine *m = t->machine;
    int32_t steps = serve_machine_passes(m, request->prompt_tokens);
    for (int32_t n = 0; n < steps; n++) {
        struct serve_step step =
            m->pass_rows > 0 ? pass_at(t, cycle) : decode_step(t, seat, cycle, n + 1);
        bool follows = m->pass_rows > 0 || m->lanes == 1;
        cycle = step.cycle + (follows ? 1 : serve_machine_latency(m, step.kind));
        add(itinerary, step);
    }
    return cycle;
}

void serve_itinerary_plan(struct serve_timetable *timetable, const struct serve_request *request,
                          int32_t seat, int64_t cycle, struct serve_itinerary *itinerary)
{
    const struct serve_machine *m = timetable->machine;
    itinerary->steps = 0;
    cycle = plan_prompt(timetable, request, seat, cycle, itinerary);
    itinerary->prompt_steps = itinerary->steps;
    for (int32_t n = 0; n < request->output_tokens; n++) {
        struct serve_step step = decode_step(timetable, seat, cycle, request->prompt_tokens + n);
        cycle = step.cycle + serve_machine_latency(m, step.kind);
        add(itinerary, step);
    }
    itinerary->free_cycle = cycle;
}

static void insert(struct serve_seat *seat, int64_t slot)
{
    size_t at = first_after(seat, slot), tail = seat->count - at;
    seat->slot = base_grow(seat->slot, &seat->capacity, seat->count + 1, sizeof *seat->slot);
    memmove(&seat->slot[at + 1], &seat->slot[at], tail * sizeof *seat->slot);
    seat->slot[at] = slot;
    seat->count++;
}

void serve_itinerary_reserve(struct serve_timetable *timetable, int32_t seat,
                             const struct serve_itinerary *itinerary)
{
    for (size_t n = 0; n < itinerary->steps; n++) {
        const struct serve_step *step = &itinerary->step[n];
        if (step->joins)
            continue;
        serve_slots_take(step->kind == SERVE_PASS ? timetable->passes : timetable->decode,
                         step->place);
        if (step->kind != SERVE_PASS && timetable->machine->lanes > 1)
            insert(&timetable->seat[seat], step->place);
    }
}

void serve_itinerary_release(struct serve_itinerary *itinerary)
{
    base_free(itinerary->step);
    itinerary->step = NULL;
}
