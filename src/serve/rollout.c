/* SPDX-License-Identifier: BSD-3-Clause */
/* Plays decisions of racks and of the rollout in one order of time. */
#include "serve/rollout.h"

#include <assert.h>
#include <math.h>

#include "base/memory.h"
#include "serve/fleet.h"

enum phase {
    BEFORE,
    STARTING, /* racks are given to the canary, one after the other; those that have it serve */
    WATCHING,
    PROMOTING,
    SETTLING, /* all racks have the canary; it is held against what the stable schedule did last */
    ROLLING_BACK,
    OVER
};

struct player {
    struct serve_fleet fleet;
    const struct serve_rollout_spec *spec;
    enum phase phase;
    int32_t canaries;      /* racks while the canary is watched */
    int64_t watched_ps;    /* since when the canary serves, or serves on all racks */
    int64_t window_end_ps; /* INT64_MAX: no window is open */
    bool closing;          /* no request comes any more */
};

static struct serve_event *note(struct player *p, enum serve_event_kind kind, int64_t now_ps)
{
    struct serve_played *played = p->fleet.played;
    played->event = base_grow(played->event, &played->event_capacity, played->events + 1,
                              sizeof *played->event);
    struct serve_event *event = &played->event[played->events++];
    *event = (struct serve_event){.at_ps = now_ps, .kind = kind, .rack = -1};
    for (int version = 0; version < SERVE_VERSIONS; version++) {
        event->sight[version].ttft_p99_ps = event->sight[version].tpot_p99_ps = -1;
        event->serving[version] = serve_fleet_serving(&p->fleet, (enum serve_version)version);
    }
    return event;
}

static struct serve_event *note_rack(struct player *p, enum serve_event_kind kind,
                                     const struct serve_post *post, int64_t now_ps)
{
    struct serve_event *event = note(p, kind, now_ps);
    event->rack = (int32_t)(post - p->fleet.post);
    event->version = kind == SERVE_EVENT_LOADED ? post->version : post->next;
    return event;
}

static void note_window(struct player *p, struct serve_event *event)
{
    for (int version = 0; version < SERVE_VERSIONS; version++)
        event->sight[version] = serve_sample_look(&p->fleet.sample[version]);
}

static void begin_window(struct player *p, int64_t now_ps)
{
    serve_sample_clear(&p->fleet.sample[SERVE_CANARY]);
    if (!p->fleet.settled)
        serve_sample_clear(&p->fleet.sample[SERVE_STABLE]);
    p->window_end_ps = now_ps + p->spec->window_ps;
}

static void watch(struct player *p, int64_t now_ps)
{
    p->watched_ps = p->fleet.watched_ps = now_ps;
    begin_window(p, now_ps);
}

static void look_away(struct player *p)
{
    p->fleet.watched_ps = p->window_end_ps = INT64_MAX;
}

/* A rack that serves a version, the last of them; NULL: none does. */
static struct serve_post *last_of(struct player *p, enum serve_version version)
{
    for (int32_t n = p->fleet.posts; n-- > 0;)
        if (p->fleet.post[n].state == SERVE_POST_SERVES && p->fleet.post[n].version == version)
            return &p->fleet.post[n];
    return NULL;
}

static bool all_serve(const struct player *p)
{
    return serve_fleet_serving(&p->fleet, SERVE_STABLE) +
               serve_fleet_serving(&p->fleet, SERVE_CANARY) ==
           p->fleet.posts;
}

static void finish(struct player *p, enum serve_rollout_end end, int64_t now_ps)
{
    p->phase = end == SERVE_PROMOTED ? SETTLING : OVER;
    p->watched_ps = now_ps;
    p->fleet.routing = SERVE_TO_ALL;
    p->fleet.played->end = end;
    note(p, SERVE_EVENT_DONE, now_ps);
}

/* One rack after the other, until `wanted` have the canary. */
static bool give(struct player *p, int32_t wanted, int64_t now_ps)
{
    if (serve_fleet_serving(&p->fleet, SERVE_CANARY) >= wanted)
        return false;
    if (all_serve(p))
        serve_fleet_drain(&p->fleet, last_of(p, SERVE_STABLE), SERVE_CANARY, now_ps);
    return true;
}

/* All racks with the canary at once, but for one where no other rack serves. */
static void take_back(struct player *p, int64_t now_ps)
{
    struct serve_post *post;
    while ((post = last_of(p, SERVE_CANARY)) != NULL &&
           serve_fleet_serving(&p->fleet, SERVE_STABLE) +
                   serve_fleet_serving(&p->fleet, SERVE_CANARY) >
               1)
        serve_fleet_drain(&p->fleet, post, SERVE_STABLE, now_ps);
}

/* What is next now that a rack serves. */
static void go_on(struct player *p, int64_t now_ps)
{
    if (p->phase == STARTING) {
        int32_t have = serve_fleet_serving(&p->fleet, SERVE_CANARY);
        p->fleet.share = p->spec->share * have / p->canaries;
        if (p->watched_ps < 0)
            watch(p, now_ps);
        if (!give(p, p->canaries, now_ps))
            p->phase = WATCHING;
    } else if (p->phase == PROMOTING) {
        if (!give(p, p->fleet.posts, now_ps))
            finish(p, SERVE_PROMOTED, now_ps);
    } else if (p->phase == ROLLING_BACK) {
        take_back(p, now_ps);
        if (serve_fleet_serving(&p->fleet, SERVE_STABLE) == p->fleet.posts)
            finish(p, SERVE_ROLLED_BACK, now_ps);
    }
}

/* Racks on their way to the canary turn round; those that were only being emptied serve on. */
static void turn_round(struct player *p, int64_t now_ps)
{
    for (int32_t n = 0; n < p->fleet.posts; n++) {
        struct serve_post *post = &p->fleet.post[n];
        if (post->state == SERVE_POST_SERVES || post->next != SERVE_CANARY)
            continue;
        post->next = SERVE_STABLE;
        if (post->state == SERVE_POST_DRAINS)
            post->state = SERVE_POST_SERVES;
        else
            post->ready_ps = now_ps + p->fleet.given->version[SERVE_STABLE].load_ps;
    }
}

static void roll_back(struct player *p, enum serve_gate gate, int64_t now_ps)
{
    size_t at = p->fleet.played->events;
    struct serve_event *event = note(p, SERVE_EVENT_ROLL_BACK, now_ps);
    event->gate = gate;
    event->violations = gate == SERVE_GATE_CONTRACT ? p->fleet.violations : 0;
    note_window(p, event);
    look_away(p);
    p->phase = ROLLING_BACK;
    p->fleet.routing = SERVE_TO_STABLE;
    turn_round(p, now_ps);
    if (gate == SERVE_GATE_CONTRACT)
        serve_fleet_abandon(&p->fleet, now_ps);
    else
        take_back(p, now_ps);
    event = &p->fleet.played->event[at];
    for (int version = 0; version < SERVE_VERSIONS; version++)
        event->serving[version] = serve_fleet_serving(&p->fleet, (enum serve_version)version);
}

static void promote(struct player *p, int64_t now_ps)
{
    note_window(p, note(p, SERVE_EVENT_PROMOTE, now_ps));
    p->phase = PROMOTING;
    p->fleet.routing = SERVE_TO_ALL;
    p->fleet.settled = true;
    begin_window(p, now_ps);
    go_on(p, now_ps);
}

static void start(struct player *p, int64_t now_ps)
{
    int32_t wanted = (int32_t)ceil(p->spec->share * p->fleet.posts);
    p->canaries = wanted < p->fleet.posts ? wanted : p->fleet.posts - 1;
    note(p, SERVE_EVENT_START, now_ps);
    p->phase = STARTING;
    p->fleet.routing = SERVE_TO_SHARES;
    give(p, p->canaries, now_ps);
}

/* A window that has too few requests goes on. */
static void judge(struct player *p, int64_t now_ps)
{
    struct serve_sample *sample = p->fleet.sample;
    serve_fleet_gather(&p->fleet, now_ps);
    int64_t seen = (int64_t)sample[SERVE_CANARY].ttft.count + sample[SERVE_CANARY].refused;
    if (seen < p->spec->least) {
        p->window_end_ps = now_ps + p->spec->window_ps;
        return;
    }
    enum serve_gate gate = serve_gates_judge(p->fleet.given->spec, sample);
    bool enough = now_ps - p->watched_ps >= p->spec->observe_ps;
    if (gate != SERVE_GATE_NONE) {
        roll_back(p, gate, now_ps);
    } else if (p->phase == WATCHING && enough) {
        promote(p, now_ps);
    } else if (p->phase == SETTLING && enough) {
        note_window(p, note(p, SERVE_EVENT_KEEP, now_ps));
        look_away(p);
        p->phase = OVER;
    } else {
        note_window(p, note(p, SERVE_EVENT_GO_ON, now_ps));
        begin_window(p, now_ps);
    }
}

/* A rack that is not serving and ready first; NULL: all serve. */
static struct serve_post *next_ready(const struct player *p)
{
    struct serve_post *next = NULL;
    for (int32_t n = 0; n < p->fleet.posts; n++) {
        struct serve_post *post = &p->fleet.post[n];
        if (post->state != SERVE_POST_SERVES && (!next || post->ready_ps < next->ready_ps))
            next = post;
    }
    return next;
}

static void be_ready(struct player *p, struct serve_post *post, int64_t now_ps)
{
    if (post->state == SERVE_POST_DRAINS) {
        serve_fleet_load(&p->fleet, post, now_ps);
        note_rack(p, SERVE_EVENT_EMPTIED, post, now_ps);
    } else {
        serve_fleet_serve(&p->fleet, post, now_ps);
        note_rack(p, SERVE_EVENT_LOADED, post, now_ps);
        go_on(p, now_ps);
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Behind the last token nothing can be seen any more; `decision_ps` is when racks decide next. */
static int64_t window_ps(const struct player *p, int64_t decision_ps)
{
    bool over = p->closing && decision_ps == INT64_MAX && p->fleet.held_count == 0;
    return over && p->window_end_ps > p->fleet.last_ps ? INT64_MAX : p->window_end_ps;
}

/* What the rollout does next, at or before `until_ps`; false: nothing. */
static bool step(struct player *p, int64_t decision_ps, int64_t until_ps)
{
    struct serve_post *post = next_ready(p);
    int64_t ready = post ? post->ready_ps : INT64_MAX, broken = p->fleet.broken_ps;
    int64_t window = window_ps(p, decision_ps);
    int64_t begin = p->phase == BEFORE && !p->closing ? p->spec->start_ps : INT64_MAX;
    int64_t now = least(least(broken, ready), least(window, begin));
    if (now > until_ps || now >= decision_ps || now == INT64_MAX)
        return false;
    if (now == broken)
        roll_back(p, SERVE_GATE_CONTRACT, now);
    else if (now == ready)
        be_ready(p, post, now);
    else if (now == window)
        judge(p, now);
    else
        start(p, now);
    return true;
}

static void advance(struct player *p, int64_t until_ps)
{
    for (;;) {
        int32_t post = 0;
        int64_t decision = serve_fleet_next_ps(&p->fleet, &post);
        if (step(p, decision, until_ps))
            continue;
        if (decision > until_ps || decision == INT64_MAX)
            return;
        serve_fleet_decide(&p->fleet, post);
    }
}

static void play(struct player *p)
{
    struct serve_fleet *f = &p->fleet;
    for (size_t n = 0; n < f->count;) {
        int64_t now = f->request[n].arrival_ps;
        advance(p, now - 1);
        f->last_ps = now > f->last_ps ? now : f->last_ps;
        for (; n < f->count && f->request[n].arrival_ps == now; n++)
            serve_fleet_place(f, n, now);
        advance(p, now);
        if (f->given->progress)
            base_progress_update(f->given->progress, (int64_t)n);
    }
    p->closing = true;
    advance(p, INT64_MAX);
    if (p->phase == OVER || p->phase == BEFORE || p->phase == SETTLING)
        return;
    int64_t last = f->played->event[f->played->events - 1].at_ps;
    note(p, SERVE_EVENT_END, last > f->last_ps ? last : f->last_ps);
}

/* Starts of service that was in vain are none. */
static void drop_vain(struct serve_played *played)
{
    size_t kept = 0;
    for (size_t n = 0; n < played->starts; n++) {
        struct serve_start s = played->start[n];
        if (played->course[s.request].stint == s.replica)
            played->start[kept++] = s;
    }
    played->starts = kept;
}

struct serve_played serve_rollout_run(const struct serve_rollout *rollout,
                                      const struct serve_request *request, size_t count,
                                      struct serve_outcome *outcome)
{
    struct serve_played played = {.course = base_alloc(count, sizeof *played.course)};
    struct player p = {.spec = &rollout->spec->rollout,
                       .fleet = {.given = rollout,
                                 .request = request,
                                 .count = count,
                                 .outcome = outcome,
                                 .played = &played},
                       .watched_ps = -1,
                       .window_end_ps = INT64_MAX};
    assert(rollout->spec->lpu_replicas > 1);
    for (size_t n = 0; n < count; n++) {
        played.course[n] = (struct serve_course){.first_ps = -1, .stint = -1};
        outcome[n] = serve_rack_refusal(SERVE_WAITING);
    }
    serve_fleet_open(&p.fleet);
    play(&p);
    serve_fleet_close(&p.fleet);
    drop_vain(&played);
    return played;
}

void serve_played_release(struct serve_played *played)
{
    base_free(played->event);
    base_free(played->stint);
    base_free(played->course);
    base_free(played->start);
}
