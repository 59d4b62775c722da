/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides when a seat falls free, in the order of time. */
#include "serve/rack.h"

#include <assert.h>

#include "base/memory.h"
#include "serve/waiting.h"

struct lane {
    int64_t free_cycle, free_ps;
    int64_t tokens; /* of the sequence that has it until then */
};

struct serve_rack {
    struct serve_rack_setup setup;
    struct serve_timetable timetable;
    struct serve_itinerary itinerary;
    struct serve_waiting *waiting;
    struct lane *lane; /* of seat n: n * lanes and so on */
    int32_t lanes;
    int64_t waiting_count, waiting_tokens;
    int64_t now_ps;     /* of the last request that came */
    int64_t last_cycle; /* from which no step is under way */
};

struct serve_rack *serve_rack_open(const struct serve_rack_setup *setup)
{
    const struct serve_machine *m = setup->machine;
    struct serve_rack *rack = base_alloc(1, sizeof *rack);
    rack->setup = *setup;
    rack->timetable = serve_timetable_open(m, setup->frame);
    rack->waiting = serve_waiting_create(setup->spec, setup->request, setup->count, setup->share);
    rack->lanes = m->seats * m->lanes;
    rack->lane = base_alloc((size_t)rack->lanes, sizeof *rack->lane);
    return rack;
}

void serve_rack_close(struct serve_rack *rack)
{
    if (!rack)
        return;
    serve_timetable_close(&rack->timetable);
    serve_itinerary_release(&rack->itinerary);
    serve_waiting_release(rack->waiting);
    base_free(rack->lane);
    base_free(rack);
}

static int64_t tokens_of(const struct serve_rack *rack, size_t number)
{
    const struct serve_request *r = &rack->setup.request[number];
    return (int64_t)r->prompt_tokens + r->output_tokens;
}

void serve_rack_push(struct serve_rack *rack, size_t number, int64_t at_ps)
{
    assert(serve_machine_holds(rack->setup.machine, tokens_of(rack, number)));
    serve_waiting_push(rack->waiting, number);
    rack->waiting_count++;
    rack->waiting_tokens += tokens_of(rack, number);
    rack->now_ps = at_ps;
}

static struct lane *next_lane(const struct serve_rack *rack)
{
    struct lane *next = &rack->lane[0];
    for (int32_t n = 1; n < rack->lanes; n++)
        if (rack->lane[n].free_cycle < next->free_cycle)
            next = &rack->lane[n];
    return next;
}

int64_t serve_rack_next_ps(struct serve_rack *rack)
{
    if (rack->waiting_count == 0)
        return INT64_MAX;
    const struct lane *lane = next_lane(rack);
    int64_t from = lane->free_ps > rack->now_ps ? lane->free_ps : rack->now_ps;
    return serve_waiting_ready_ps(rack->waiting, from);
}

/* When the machine has the token of a decode step. */
static int64_t end_ps(const struct serve_rack *rack, const struct serve_step *step)
{
    const struct serve_machine *m = rack->setup.machine;
    return machine_cycles_to_ps(m->chip, step->cycle + m->length_cycles[step->kind]);
}

/* What the itinerary comes to for the client. */
static struct serve_outcome outcome_of(const struct serve_rack *rack, int64_t at_ps)
{
    const struct serve_itinerary *i = &rack->itinerary;
    int64_t out = serve_machine_transfer_ps(rack->setup.machine->chip, 1);
    int64_t end = end_ps(rack, &i->step[i->prompt_steps]), longest = 0;
    struct serve_outcome o = {
        .fate = SERVE_FINISHED, .replica = -1, .admitted_ps = at_ps, .first_token_ps = end + out};
    for (size_t n = i->prompt_steps + 1; n < i->steps; n++) {
        int64_t next = end_ps(rack, &i->step[n]);
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

struct serve_outcome serve_rack_refusal(enum serve_fate fate)
{
    return (struct serve_outcome){.fate = fate,
                                  .replica = -1,
                                  .admitted_ps = -1,
                                  .first_token_ps = -1,
                                  .finished_ps = -1,
                                  .promised_ps = -1};
}

static void plan(struct serve_rack *rack, const struct lane *lane, size_t number, int64_t at_ps)
{
    const struct serve_machine *m = rack->setup.machine;
    const struct serve_request *request = &rack->setup.request[number];
    int64_t in = serve_machine_transfer_ps(m->chip, request->prompt_tokens);
    serve_timetable_forget(&rack->timetable, machine_ps_to_cycle(m->chip, at_ps));
    serve_itinerary_plan(&rack->timetable, request, (int32_t)(lane - rack->lane) / m->lanes,
                         machine_ps_to_cycle(m->chip, at_ps + in), &rack->itinerary);
}

/* A prefill pass may end after decode steps that began behind it. */
static void extend(struct serve_rack *rack)
{
    const struct serve_itinerary *i = &rack->itinerary;
    rack->last_cycle = i->free_cycle > rack->last_cycle ? i->free_cycle : rack->last_cycle;
    for (size_t n = 0; n < i->prompt_steps; n++) {
        const struct serve_step *step = &i->step[n];
        int64_t end = step->cycle + serve_machine_latency(rack->setup.machine, step->kind);
        rack->last_cycle = end > rack->last_cycle ? end : rack->last_cycle;
    }
}

static void let_in(struct serve_rack *rack, struct lane *lane, size_t number, int64_t at_ps)
{
    const struct serve_machine *m = rack->setup.machine;
    const struct serve_itinerary *i = &rack->itinerary;
    serve_itinerary_reserve(&rack->timetable, (int32_t)(lane - rack->lane) / m->lanes, i);
    lane->free_cycle = i->free_cycle;
    lane->free_ps = machine_cycles_to_ps(m->chip, i->free_cycle);
    lane->tokens = tokens_of(rack, number);
    serve_waiting_charge(rack->waiting, number, at_ps);
    extend(rack);
}

/* Gives a lane to a request, or refuses it. */
struct serve_decision serve_rack_decide(struct serve_rack *rack)
{
    const struct serve_spec *spec = rack->setup.spec;
    int64_t at = serve_rack_next_ps(rack);
    struct lane *lane = next_lane(rack);
    assert(at < INT64_MAX);
    size_t number = serve_waiting_take(rack->waiting, at);
    rack->waiting_count--;
    rack->waiting_tokens -= tokens_of(rack, number);
    plan(rack, lane, number, at);
    struct serve_decision d = {.number = number,
                               .outcome = outcome_of(rack, at),
                               .itinerary = &rack->itinerary,
                               .lane = (int32_t)(lane - rack->lane)};
    if (spec->refuse_late && is_late(spec, &rack->setup.request[number], &d.outcome)) {
        bool held = serve_waiting_was_held(rack->waiting, number);
        d.outcome = serve_rack_refusal(held ? SERVE_OVER_BUDGET : SERVE_TOO_LATE);
        d.itinerary = NULL;
    } else {
        let_in(rack, lane, number, at);
    }
    return d;
}

void serve_decision_starts(const struct serve_decision *decision, int32_t replica, int32_t lanes,
                           struct serve_start *start)
{
    const struct serve_itinerary *i = decision->itinerary;
    for (size_t n = 0; n < i->steps; n++)
        start[n] = (struct serve_start){.cycle = i->step[n].cycle,
                                        .request = (int32_t)decision->number,
                                        .replica = (int16_t)replica,
                                        .seat = (int16_t)(decision->lane / lanes),
                                        .lane = (int16_t)(decision->lane % lanes),
                                        .kind = i->step[n].kind};
}

bool serve_rack_withdraw(struct serve_rack *rack, size_t *number)
{
    if (rack->waiting_count == 0)
        return false;
    *number = serve_waiting_take(rack->waiting, INT64_MAX);
    rack->waiting_count--;
    rack->waiting_tokens -= tokens_of(rack, *number);
    return true;
}

int64_t serve_rack_outstanding(const struct serve_rack *rack, int64_t now_ps)
{
    int64_t tokens = rack->waiting_tokens;
    for (int32_t n = 0; n < rack->lanes; n++)
        tokens += rack->lane[n].free_ps > now_ps ? rack->lane[n].tokens : 0;
    return tokens;
}

size_t serve_rack_choose(struct serve_rack *const *rack, size_t racks, enum serve_router router,
                         size_t number, int64_t now_ps)
{
    size_t best = 0;
    if (router == SERVE_ROUND_ROBIN)
        return number % racks;
    for (size_t n = 1; n < racks; n++)
        if (serve_rack_outstanding(rack[n], now_ps) < serve_rack_outstanding(rack[best], now_ps))
            best = n;
    return best;
}

int64_t serve_rack_empty_ps(const struct serve_rack *rack)
{
    return machine_cycles_to_ps(rack->setup.machine->chip, rack->last_cycle);
}
