/* SPDX-License-Identifier: BSD-3-Clause */
/* Keeps a list of those in service whose end matters: to a window, or to a broken contract. */
#include "serve/fleet.h"

#include "base/memory.h"
#include "base/random.h"

static const struct serve_deployed *deployed(const struct serve_fleet *f,
                                             enum serve_version version)
{
    return &f->given->version[version];
}

static void open_rack(struct serve_fleet *f, struct serve_post *post, int64_t now_ps)
{
    struct serve_played *p = f->played;
    struct serve_rack_setup setup = {.machine = deployed(f, post->next)->machine,
                                     .frame = deployed(f, post->next)->frame,
                                     .spec = f->given->spec,
                                     .request = f->request,
                                     .count = f->count,
                                     .share = 1.0 / f->posts};
    p->stint = base_grow(p->stint, &p->stint_capacity, p->stints + 1, sizeof *p->stint);
    p->stint[p->stints] = (struct serve_stint){.rack = (int32_t)(post - f->post),
                                               .version = post->next,
                                               .from_ps = now_ps,
                                               .to_ps = INT64_MAX};
    post->stint = (int32_t)p->stints++;
    post->version = post->next;
    post->rack = serve_rack_open(&setup);
    post->state = SERVE_POST_SERVES;
}

void serve_fleet_open(struct serve_fleet *f)
{
    f->posts = f->given->spec->lpu_replicas;
    f->post = base_alloc((size_t)f->posts, sizeof *f->post);
    for (int32_t n = 0; n < f->posts; n++)
        open_rack(f, &f->post[n], 0);
    f->watched_ps = f->broken_ps = INT64_MAX;
}

void serve_fleet_close(struct serve_fleet *f)
{
    for (int32_t n = 0; n < f->posts; n++)
        serve_rack_close(f->post[n].rack);
    for (int version = 0; version < SERVE_VERSIONS; version++)
        serve_sample_release(&f->sample[version]);
    base_free(f->post);
    base_free(f->held);
    base_free(f->flight);
}

int64_t serve_fleet_next_ps(struct serve_fleet *f, int32_t *post)
{
    int64_t next = INT64_MAX;
    for (int32_t n = 0; n < f->posts; n++) {
        int64_t at = f->post[n].rack ? serve_rack_next_ps(f->post[n].rack) : INT64_MAX;
        if (at >= next)
            continue;
        next = at;
        *post = n;
    }
    return next;
}

/* Whether a request counts: it came since somebody watches. */
static bool is_watched(const struct serve_fleet *f, size_t number, enum serve_version version)
{
    bool settled = f->settled && version == SERVE_STABLE;
    return f->request[number].arrival_ps >= f->watched_ps && !settled;
}

/* Decided for the first time, and in the window. */
static void count_decision(struct serve_fleet *f, size_t number, enum serve_version version,
                           bool refused, int64_t at_ps)
{
    struct serve_course *course = &f->played->course[number];
    if (course->first_ps < 0)
        course->first_ps = at_ps;
    if (!is_watched(f, number, version))
        return;
    f->sample[version].decided++;
    f->sample[version].refused += refused;
}

static bool breaks_contract(const struct serve_deployed *version)
{
    for (int kind = 0; kind < SERVE_KINDS; kind++)
        if (version->broken[kind] > 0)
            return true;
    return false;
}

/* When the first of its steps that breaks the contract has ended. */
static void foresee(struct serve_fleet *f, const struct serve_itinerary *itinerary,
                    const struct serve_deployed *version)
{
    const struct serve_machine *m = version->machine;
    for (size_t n = 0; n < itinerary->steps; n++) {
        const struct serve_step *step = &itinerary->step[n];
        int64_t end = machine_cycles_to_ps(m->chip, step->cycle + m->length_cycles[step->kind]);
        if (version->broken[step->kind] == 0 || end >= f->broken_ps)
            continue;
        f->broken_ps = end;
        f->violations = version->broken[step->kind];
    }
}

static void note_starts(struct serve_played *p, const struct serve_post *post,
                        const struct serve_decision *d, int32_t lanes)
{
    size_t steps = d->itinerary->steps;
    p->start = base_grow(p->start, &p->start_capacity, p->starts + steps, sizeof *p->start);
    serve_decision_starts(d, post->stint, lanes, p->start + p->starts);
    p->starts += steps;
}

static void let_in(struct serve_fleet *f, const struct serve_post *post,
                   const struct serve_decision *d)
{
    const struct serve_deployed *version = deployed(f, post->version);
    struct serve_outcome *outcome = &f->outcome[d->number];
    outcome->replica = (int32_t)(post - f->post);
    f->played->course[d->number].stint = post->stint;
    f->last_ps = outcome->finished_ps > f->last_ps ? outcome->finished_ps : f->last_ps;
    note_starts(f->played, post, d, version->machine->lanes);
    bool breaks = breaks_contract(version);
    if (breaks)
        foresee(f, d->itinerary, version);
    if (!breaks && f->watched_ps == INT64_MAX)
        return;
    f->flight = base_grow(f->flight, &f->flight_capacity, f->flights + 1, sizeof *f->flight);
    f->flight[f->flights++] = (struct serve_flight){d->number, post->stint};
}

void serve_fleet_decide(struct serve_fleet *f, int32_t post)
{
    struct serve_post *p = &f->post[post];
    int64_t at_ps = serve_rack_next_ps(p->rack);
    struct serve_decision d = serve_rack_decide(p->rack);
    f->outcome[d.number] = d.outcome;
    count_decision(f, d.number, p->version, !d.itinerary, at_ps);
    if (d.itinerary)
        let_in(f, p, &d);
}

static void hold(struct serve_fleet *f, size_t number)
{
    f->held = base_grow(f->held, &f->held_capacity, f->held_count + 1, sizeof *f->held);
    f->held[f->held_count++] = number;
}

/* Racks that serve the version, all that serve where there is none. */
static size_t choices(const struct serve_fleet *f, bool any, enum serve_version version,
                      int32_t *post)
{
    size_t count = 0;
    for (int32_t n = 0; n < f->posts; n++)
        if (f->post[n].state == SERVE_POST_SERVES && (any || f->post[n].version == version))
            post[count++] = n;
    return count || any ? count : choices(f, true, version, post);
}

static size_t candidates(const struct serve_fleet *f, size_t number, int32_t *post)
{
    if (f->routing != SERVE_TO_SHARES)
        return choices(f, f->routing == SERVE_TO_ALL, SERVE_STABLE, post);
    double drawn = base_random_uniform(f->given->seed, BASE_RANDOM_ROLLOUT, number, 0);
    return choices(f, false, drawn < f->share ? SERVE_CANARY : SERVE_STABLE, post);
}

static void send(struct serve_fleet *f, struct serve_post *post, size_t number, int64_t now_ps)
{
    const struct serve_request *r = &f->request[number];
    int64_t tokens = (int64_t)r->prompt_tokens + r->output_tokens;
    if (serve_machine_holds(deployed(f, post->version)->machine, tokens)) {
        serve_rack_push(post->rack, number, now_ps);
        return;
    }
    f->outcome[number] = serve_rack_refusal(SERVE_TOO_LONG);
    count_decision(f, number, post->version, true, now_ps);
}

void serve_fleet_place(struct serve_fleet *f, size_t number, int64_t now_ps)
{
    int32_t *post = base_alloc((size_t)f->posts, sizeof *post);
    struct serve_rack **rack = base_alloc((size_t)f->posts, sizeof(struct serve_rack *));
    size_t count = candidates(f, number, post);
    for (size_t n = 0; n < count; n++)
        rack[n] = f->post[post[n]].rack;
    if (count == 0) {
        hold(f, number);
    } else {
        size_t to = serve_rack_choose(rack, count, f->given->spec->router, number, now_ps);
        send(f, &f->post[post[to]], number, now_ps);
    }
    base_free(rack);
    base_free(post);
}

static void place_held(struct serve_fleet *f, int64_t now_ps)
{
    size_t count = f->held_count;
    size_t *number = f->held;
    f->held = NULL;
    f->held_count = f->held_capacity = 0;
    for (size_t n = 0; n < count; n++)
        serve_fleet_place(f, number[n], now_ps);
    base_free(number);
}

void serve_fleet_drain(struct serve_fleet *f, struct serve_post *post, enum serve_version next,
                       int64_t now_ps)
{
    int64_t empty = serve_rack_empty_ps(post->rack);
    post->state = SERVE_POST_DRAINS;
    post->next = next;
    post->ready_ps = empty > now_ps ? empty : now_ps;
    for (size_t number; serve_rack_withdraw(post->rack, &number);)
        hold(f, number);
    place_held(f, now_ps);
}

void serve_fleet_load(struct serve_fleet *f, struct serve_post *post, int64_t now_ps)
{
    f->played->stint[post->stint].to_ps = now_ps;
    serve_rack_close(post->rack);
    post->rack = NULL;
    post->state = SERVE_POST_LOADS;
    post->ready_ps = now_ps + deployed(f, post->next)->load_ps;
}

void serve_fleet_serve(struct serve_fleet *f, struct serve_post *post, int64_t now_ps)
{
    open_rack(f, post, now_ps);
    place_held(f, now_ps);
}

static void fail(struct serve_fleet *f, size_t number)
{
    struct serve_course *course = &f->played->course[number];
    course->failures++;
    course->stint = -1;
    f->outcome[number] = serve_rack_refusal(SERVE_WAITING);
    hold(f, number);
}

void serve_fleet_abandon(struct serve_fleet *f, int64_t now_ps)
{
    size_t kept = 0;
    for (size_t n = 0; n < f->flights; n++) {
        struct serve_flight flight = f->flight[n];
        bool vain = f->played->stint[flight.stint].version == SERVE_CANARY &&
                    f->outcome[flight.number].finished_ps > now_ps;
        if (vain)
            fail(f, flight.number);
        else
            f->flight[kept++] = flight;
    }
    f->flights = kept;
    f->broken_ps = INT64_MAX;
    for (int32_t n = 0; n < f->posts; n++) {
        struct serve_post *post = &f->post[n];
        if (!post->rack || post->version != SERVE_CANARY)
            continue;
        for (size_t number; serve_rack_withdraw(post->rack, &number);)
            hold(f, number);
        post->next = SERVE_STABLE;
        serve_fleet_load(f, post, now_ps);
    }
    place_held(f, now_ps);
}

int32_t serve_fleet_serving(const struct serve_fleet *f, enum serve_version version)
{
    int32_t serving = 0;
    for (int32_t n = 0; n < f->posts; n++)
        serving += f->post[n].state == SERVE_POST_SERVES && f->post[n].version == version;
    return serving;
}

void serve_fleet_gather(struct serve_fleet *f, int64_t now_ps)
{
    size_t kept = 0;
    for (size_t n = 0; n < f->flights; n++) {
        struct serve_flight flight = f->flight[n];
        enum serve_version version = f->played->stint[flight.stint].version;
        const struct serve_outcome *outcome = &f->outcome[flight.number];
        if (outcome->finished_ps > now_ps)
            f->flight[kept++] = flight;
        else if (is_watched(f, flight.number, version))
            serve_sample_finish(&f->sample[version], &f->request[flight.number], outcome);
    }
    f->flights = kept;
}
