/* SPDX-License-Identifier: BSD-3-Clause */
/* Plays the door from arrival to arrival: what happens in between on a replica concerns nobody
 * else. */
#include "serve/carousel.h"

#include <assert.h>

#include "base/memory.h"
#include "serve/itinerary.h"
#include "serve/waiting.h"

struct lane {
    int64_t free_cycle, free_ps;
    int64_t tokens; /* of the sequence that has it until then */
};

struct replica {
    struct serve_timetable timetable;
    struct serve_waiting *waiting;
    struct lane *lane; /* of seat n: n * lanes and so on */
    int32_t lanes;
    int64_t waiting_count, waiting_tokens;
    int64_t now_ps; /* of the last arrival */
};

struct door {
    const struct serve_door *given;
    const struct serve_request *request;
    struct serve_outcome *outcome;
    struct serve_itinerary itinerary;
    struct serve_start *start; /* of the itinerary, for who wants to know */
    size_t start_capacity;
    struct replica *replica;
    int32_t replicas;
    int64_t last_cycle; /* at which a step ends */
    struct serve_usage usage;
};

static int64_t tokens_of(const struct serve_request *r)
{
    return (int64_t)r->prompt_tokens + r->output_tokens;
}

static struct lane *next_lane(const struct replica *r)
{
    struct lane *next = &r->lane[0];
    for (int32_t n = 1; n < r->lanes; n++)
        if (r->lane[n].free_cycle < next->free_cycle)
            next = &r->lane[n];
    return next;
}

/* When the machine has the token of a decode step. */
static int64_t end_ps(const struct door *d, const struct serve_step *step)
{
    const struct serve_machine *m = d->given->machine;
    return machine_cycles_to_ps(m->chip, step->cycle + m->length_cycles[step->kind]);
}

/* What the itinerary comes to for the client. */
static struct serve_outcome outcome_of(const struct door *d, int64_t at_ps)
{
    const struct serve_itinerary *i = &d->itinerary;
    int64_t out = serve_machine_transfer_ps(d->given->machine->chip, 1);
    int64_t end = end_ps(d, &i->step[i->prompt_steps]), longest = 0;
    struct serve_outcome o = {
        .fate = SERVE_FINISHED, .admitted_ps = at_ps, .first_token_ps = end + out};
    for (size_t n = i->prompt_steps + 1; n < i->steps; n++) {
        int64_t next = end_ps(d, &i->step[n]);
        longest = next - end > longest ? next - end : longest;
        end = next;
    }
    o.promised_ps = o.finished_ps = end + out;
    o.longest_gap_ps = longest;
    return o;
}

static bool is_late(const struct serve_spec *spec, const struct serve_request *r,
                    const struct serve_outcome *o)
{
    int64_t tpot = spec->tpot_limit_ps * (r->output_tokens - 1);
    return (spec->ttft_limit_ps > 0 && o->first_token_ps - r->arrival_ps > spec->ttft_limit_ps) ||
           (spec->tpot_limit_ps > 0 && o->finished_ps - o->first_token_ps > tpot);
}

static struct serve_outcome refused(enum serve_fate fate)
{
    return (struct serve_outcome){.fate = fate,
                                  .replica = -1,
                                  .admitted_ps = -1,
                                  .first_token_ps = -1,
                                  .finished_ps = -1,
                                  .promised_ps = -1};
}

static void note_starts(struct door *d, size_t number, int32_t replica, int32_t lane, int64_t cycle)
{
    const struct serve_itinerary *i = &d->itinerary;
    int32_t lanes = d->given->machine->lanes;
    d->start = base_grow(d->start, &d->start_capacity, i->steps, sizeof *d->start);
    for (size_t n = 0; n < i->steps; n++)
        d->start[n] = (struct serve_start){.cycle = i->step[n].cycle,
                                           .request = (int32_t)number,
                                           .replica = (int16_t)replica,
                                           .seat = (int16_t)(lane / lanes),
                                           .lane = (int16_t)(lane % lanes),
                                           .kind = i->step[n].kind};
    d->given->note(d->given->context, d->start, i->steps, cycle);
}

static void count_usage(struct door *d)
{
    const struct serve_itinerary *i = &d->itinerary;
    for (size_t n = 0; n < i->steps; n++) {
        bool pass = i->step[n].kind == SERVE_PASS;
        d->usage.passes_taken += pass;
        d->usage.decode_steps += !pass;
        d->usage.decode_slots += !pass && !i->step[n].joins;
    }
    if (i->free_cycle > d->last_cycle)
        d->last_cycle = i->free_cycle;
}

static void let_in(struct door *d, struct replica *r, struct lane *lane, size_t number,
                   int64_t cycle)
{
    const struct serve_itinerary *i = &d->itinerary;
    int32_t at = (int32_t)(lane - r->lane), replica = (int32_t)(r - d->replica);
    serve_itinerary_reserve(&r->timetable, at / d->given->machine->lanes, i);
    lane->free_cycle = i->free_cycle;
    lane->free_ps = machine_cycles_to_ps(d->given->machine->chip, i->free_cycle);
    lane->tokens = tokens_of(&d->request[number]);
    count_usage(d);
    if (d->given->note)
        note_starts(d, number, replica, at, cycle);
}

/* Gives a lane to a request, or refuses it. */
static void decide(struct door *d, struct replica *r, struct lane *lane, size_t number,
                   int64_t at_ps)
{
    const struct serve_machine *m = d->given->machine;
    const struct serve_request *request = &d->request[number];
    int64_t in = serve_machine_transfer_ps(m->chip, request->prompt_tokens);
    int64_t now = machine_ps_to_cycle(m->chip, at_ps);
    serve_timetable_forget(&r->timetable, now);
    serve_itinerary_plan(&r->timetable, request, (int32_t)(lane - r->lane) / m->lanes,
                         machine_ps_to_cycle(m->chip, at_ps + in), &d->itinerary);
    struct serve_outcome outcome = outcome_of(d, at_ps);
    if (d->given->spec->refuse_late && is_late(d->given->spec, request, &outcome)) {
        bool held = serve_waiting_was_held(r->waiting, number);
        d->outcome[number] = refused(held ? SERVE_OVER_BUDGET : SERVE_TOO_LATE);
        return;
    }
    outcome.replica = (int32_t)(r - d->replica);
    d->outcome[number] = outcome;
    let_in(d, r, lane, number, now);
    serve_waiting_charge(r->waiting, number, at_ps);
}

/* All decisions of a replica up to a moment, and at it. */
static void catch_up(struct door *d, struct replica *r, int64_t until_ps)
{
    while (r->waiting_count > 0) {
        struct lane *lane = next_lane(r);
        int64_t from = lane->free_ps > r->now_ps ? lane->free_ps : r->now_ps;
        if (from > until_ps)
            return;
        int64_t at = serve_waiting_ready_ps(r->waiting, from);
        if (at > until_ps || at == INT64_MAX)
            return;
        size_t number = serve_waiting_take(r->waiting, at);
        r->waiting_count--;
        r->waiting_tokens -= tokens_of(&d->request[number]);
        decide(d, r, lane, number, at);
    }
}

/* Tokens of requests that wait or are in. */
static int64_t outstanding(const struct replica *r, int64_t now_ps)
{
    int64_t tokens = r->waiting_tokens;
    for (int32_t n = 0; n < r->lanes; n++)
        tokens += r->lane[n].free_ps > now_ps ? r->lane[n].tokens : 0;
    return tokens;
}

static struct replica *route(const struct door *d, size_t number)
{
    struct replica *best = &d->replica[0];
    if (d->given->spec->router == SERVE_ROUND_ROBIN)
        return &d->replica[number % (size_t)d->replicas];
    for (int32_t n = 1; n < d->replicas; n++)
        if (outstanding(&d->replica[n], d->request[number].arrival_ps) <
            outstanding(best, d->request[number].arrival_ps))
            best = &d->replica[n];
    return best;
}

static void arrive(struct door *d, size_t number)
{
    const struct serve_request *request = &d->request[number];
    d->outcome[number] = refused(SERVE_WAITING);
    if (!serve_machine_holds(d->given->machine, tokens_of(request))) {
        d->outcome[number] = refused(SERVE_TOO_LONG);
        return;
    }
    struct replica *r = route(d, number);
    serve_waiting_push(r->waiting, number);
    r->waiting_count++;
    r->waiting_tokens += tokens_of(request);
    r->now_ps = request->arrival_ps;
}

static void all_catch_up(struct door *d, int64_t until_ps)
{
    for (int32_t n = 0; n < d->replicas; n++)
        catch_up(d, &d->replica[n], until_ps);
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

static struct replica open_replica(const struct door *d, size_t count)
{
    const struct serve_machine *m = d->given->machine;
    int32_t lanes = m->seats * m->lanes;
    return (struct replica){
        .timetable = serve_timetable_open(m, d->given->frame),
        .waiting = serve_waiting_create(d->given->spec, d->request, count, 1.0 / d->replicas),
        .lane = base_alloc((size_t)lanes, sizeof(struct lane)),
        .lanes = lanes};
}

static void close_replica(struct replica *r)
{
    serve_timetable_close(&r->timetable);
    serve_waiting_release(r->waiting);
    base_free(r->lane);
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
    d.replica = base_alloc((size_t)d.replicas, sizeof *d.replica);
    for (int32_t n = 0; n < d.replicas; n++)
        d.replica[n] = open_replica(&d, count);
    play(&d, count);
    for (int32_t n = 0; n < d.replicas; n++)
        close_replica(&d.replica[n]);
    base_free(d.replica);
    serve_itinerary_release(&d.itinerary);
    base_free(d.start);
    return measure(&d);
}
