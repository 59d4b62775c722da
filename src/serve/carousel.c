/* SPDX-License-Identifier: BSD-3-Clause */
/* Plays the door from arrival to arrival: what happens in between on a replica concerns nobody
 * else. */
#include "serve/carousel.h"

#include <assert.h>

#include "base/memory.h"
#include "serve/rack.h"

struct door {
    const struct serve_door *given;
    const struct serve_request *request;
    struct serve_outcome *outcome;
    struct serve_rack **replica;
    struct serve_start *start; /* of a request, for who wants to know */
    size_t start_capacity;
    int32_t replicas;
    int64_t last_cycle; /* at which a step ends */
    struct serve_usage usage;
};

static void note_starts(struct door *d, int32_t replica, const struct serve_decision *decision)
{
    const struct serve_machine *m = d->given->machine;
    size_t steps = decision->itinerary->steps;
    d->start = base_grow(d->start, &d->start_capacity, steps, sizeof *d->start);
    serve_decision_starts(decision, replica, m->lanes, d->start);
    d->given->note(d->given->context, d->start, steps,
                   machine_ps_to_cycle(m->chip, decision->outcome.admitted_ps));
}

static void count_usage(struct door *d, const struct serve_itinerary *i)
{
    for (size_t n = 0; n < i->steps; n++) {
        bool pass = i->step[n].kind == SERVE_PASS;
        d->usage.passes_taken += pass;
        d->usage.decode_steps += !pass;
        d->usage.decode_slots += !pass && !i->step[n].joins;
    }
    if (i->free_cycle > d->last_cycle)
        d->last_cycle = i->free_cycle;
}

static void note(struct door *d, int32_t replica, struct serve_decision *decision)
{
    if (decision->itinerary)
        decision->outcome.replica = replica;
    d->outcome[decision->number] = decision->outcome;
    if (decision->itinerary)
        count_usage(d, decision->itinerary);
    if (decision->itinerary && d->given->note)
        note_starts(d, replica, decision);
}

/* All decisions up to a moment, and at it. */
static void all_catch_up(struct door *d, int64_t until_ps)
{
    for (int32_t n = 0; n < d->replicas; n++)
        for (int64_t at; (at = serve_rack_next_ps(d->replica[n])) <= until_ps && at < INT64_MAX;) {
            struct serve_decision decision = serve_rack_decide(d->replica[n]);
            note(d, n, &decision);
        }
}

static void arrive(struct door *d, size_t number)
{
    const struct serve_request *request = &d->request[number];
    int64_t tokens = (int64_t)request->prompt_tokens + request->output_tokens;
    bool holds = serve_machine_holds(d->given->machine, tokens);
    d->outcome[number] = serve_rack_refusal(holds ? SERVE_WAITING : SERVE_TOO_LONG);
    if (!holds)
        return;
    size_t to = serve_rack_choose(d->replica, (size_t)d->replicas, d->given->spec->router, number,
                                  request->arrival_ps);
    serve_rack_push(d->replica[to], number, request->arrival_ps);
}

static void play(struct door *d, size_t count)
{
    for (size_t n = 0; n < count;) {
        int64_t now = d->request[n].arrival_ps;
        all_catch_up(d, now - 1);
        for (; n < count && d->request[n].arrival_ps == now; n++)
            arrive(d, n);
        assert(n == count || d->request[n].arrival_ps > now);
        all_catch_up(d, now);
        if (d->given->progress)
            base_progress_update(d->given->progress, (int64_t)n);
    }
    all_catch_up(d, INT64_MAX);
}

/* Slots and places that were there. */
static struct serve_usage measure(const struct door *d)
{
    const struct serve_frame *f = d->given->frame;
    struct serve_usage u = d->usage;
    u.slots = serve_frame_slot_from(f, d->last_cycle);
    u.closed_slots = u.slots / f->slots * f->closed_slots;
    for (int64_t n = u.slots / f->slots * f->slots; n < u.slots; n++)
        u.closed_slots += f->closed[n % f->slots];
    u.slots *= d->replicas;
    u.closed_slots *= d->replicas;
    u.passes = f->passes ? serve_frame_pass_from(f, d->last_cycle) * d->replicas : 0;
    return u;
}

struct serve_usage serve_carousel_run(const struct serve_door *door,
                                      const struct serve_request *request, size_t count,
                                      struct serve_outcome *outcome)
{
    struct door d = {.given = door,
                     .request = request,
                     .outcome = outcome,
                     .replicas = door->spec->lpu_replicas > 0 ? door->spec->lpu_replicas : 1};
    struct serve_rack_setup setup = {.machine = door->machine,
                                     .frame = door->frame,
                                     .spec = door->spec,
                                     .request = request,
                                     .count = count,
                                     .share = 1.0 / d.replicas};
    d.replica = base_alloc((size_t)d.replicas, sizeof *d.replica);
    for (int32_t n = 0; n < d.replicas; n++)
        d.replica[n] = serve_rack_open(&setup);
    play(&d, count);
    for (int32_t n = 0; n < d.replicas; n++)
        serve_rack_close(d.replica[n]);
    base_free(d.replica);
    base_free(d.start);
    return measure(&d);
}
