/* SPDX-License-Identifier: BSD-3-Clause */
/* Places a train of passes among slots where it closes the fewest. */
#include "serve/frame.h"

#include <assert.h>

#include "base/memory.h"

enum { OFFSETS = 16 /* places of a train within a slot that are tried */ };

/* Slots around a train: slot n begins (n - before) * slot_cycles after the train's slot. */
struct shadow {
    bool *closed;
    int64_t before, slots;
    int32_t count;
    int64_t first; /* that is closed, or the train's where that is earlier */
    int64_t span;  /* from there to the last that is closed, with it */
};

/* A train's passes begin at offset + n * apart. */
struct train {
    const struct serve_machine *machine;
    int64_t slot, offset, apart;
    int32_t passes;
};

static int64_t longest_latency(const struct serve_machine *m)
{
    int64_t longest = 0;
    for (int kind = 0; kind < m->buckets; kind++)
        if (serve_machine_latency(m, kind) > longest)
            longest = serve_machine_latency(m, kind);
    return longest;
}

/* The farthest distance that anything forbids. */
static int64_t reach_of(const struct serve_machine *m)
{
    int64_t reach = 1;
    for (size_t n = 0; n < m->aparts; n++)
        reach = m->apart[n].to > reach ? m->apart[n].to : reach;
    return reach;
}

static int64_t last_pass(const struct train *t)
{
    return t->offset + (t->passes - 1) * t->apart;
}

static void close_slot(struct shadow *s, int64_t n)
{
    if (n < 0 || n >= s->slots || s->closed[n])
        return;
    s->closed[n] = true;
    s->count++;
}

/* Rounds towards minus infinity. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Closes the slots that begin at from <= cycle < to. */
static void close_between(struct shadow *s, const struct train *t, int64_t from, int64_t to)
{
    int64_t last = floor_div(to - 1, t->slot);
    for (int64_t n = floor_div(from - 1, t->slot) + 1; n <= last; n++)
        close_slot(s, n + s->before);
}

/* Closes the slots that a range forbids beside a pass at `cycle`. */
static void close_beside(struct shadow *s, const struct train *t, const struct serve_apart *a,
                         int64_t cycle)
{
    if (a->first == SERVE_PASS && a->second != SERVE_PASS)
        close_between(s, t, cycle + a->from, cycle + a->to);
    if (a->first != SERVE_PASS && a->second == SERVE_PASS)
        close_between(s, t, cycle - a->to + 1, cycle - a->from + 1);
}

/* With several lanes: a decode step writes a row for each lane of its seat, so none must be open
 * when a pass begins that writes there. */
static void keep_apart(struct shadow *s, const struct train *t)
{
    close_between(s, t, t->offset - longest_latency(t->machine) + 1, last_pass(t) + 1);
}

static void measure(struct shadow *s)
{
    int64_t last = s->before;
    s->first = s->before;
    for (int64_t n = 0; n < s->slots; n++) {
        if (!s->closed[n])
            continue;
        s->first = n < s->first ? n : s->first;
        last = n > last ? n : last;
    }
    s->span = last - s->first + 1;
}

static struct shadow cast(const struct train *t)
{
    const struct serve_machine *m = t->machine;
    int64_t reach = reach_of(m), latency = longest_latency(m);
    reach = reach > latency ? reach : latency;
    struct shadow s = {.before = reach / t->slot + 2};
    s.slots = 2 * s.before + (last_pass(t) + serve_machine_latency(m, SERVE_PASS)) / t->slot + 2;
    s.closed = base_alloc((size_t)s.slots, sizeof *s.closed);
    for (size_t n = 0; n < m->aparts; n++)
        for (int32_t pass = 0; pass < t->passes; pass++)
            close_beside(&s, t, &m->apart[n], t->offset + pass * t->apart);
    if (m->lanes > 1)
        keep_apart(&s, t);
    measure(&s);
    return s;
}

static struct train place(const struct serve_machine *machine, int64_t slot_cycles, int32_t passes,
                          struct shadow *best)
{
    struct train t = {machine, slot_cycles, 0, 0, passes}, found = t;
    t.apart = serve_machine_train(machine, true, 1);
    *best = cast(&t);
    found = t;
    for (int n = 1; n < OFFSETS; n++) {
        t.offset = slot_cycles * n / OFFSETS;
        struct shadow s = cast(&t);
        bool better = s.count < best->count || (s.count == best->count && s.span < best->span);
        base_free(better ? best->closed : s.closed);
        if (!better)
            continue;
        *best = s;
        found = t;
    }
    return found;
}

int32_t serve_frame_window(const struct serve_machine *machine, int64_t slot_cycles, int32_t passes)
{
    struct shadow s;
    if (passes == 0)
        return 0;
    place(machine, slot_cycles, passes, &s);
    base_free(s.closed);
    return s.count;
}

/* Whether passes of two windows any number of frames apart stand at allowed distances. */
static bool windows_bear(const struct train *t, int64_t frame)
{
    int64_t reach = reach_of(t->machine), span = (t->passes - 1) * t->apart;
    if (span >= frame)
        return false;
    for (int64_t d = frame; d - span < reach; d += frame)
        for (int64_t n = 1 - t->passes; n < t->passes; n++)
            if (!serve_machine_allows(t->machine, SERVE_PASS, SERVE_PASS, d + n * t->apart))
                return false;
    return true;
}

static struct serve_frame without_window(int64_t slot_cycles)
{
    return (struct serve_frame){
        .slot_cycles = slot_cycles, .slots = 1, .closed = base_alloc(1, sizeof(bool))};
}

/* Folds the shadow into the frame, whose slot 0 is the first that is closed. */
static void fold(struct serve_frame *f, const struct shadow *s)
{
    f->closed = base_alloc((size_t)f->slots, sizeof *f->closed);
    for (int64_t n = s->first; n < s->slots; n++)
        if (s->closed[n])
            f->closed[(n - s->first) % f->slots] = true;
    for (int32_t n = 0; n < f->slots; n++)
        f->closed_slots += f->closed[n];
}

struct serve_frame serve_frame_build(const struct serve_machine *machine, int64_t slot_cycles,
                                     int32_t passes, int32_t open)
{
    struct shadow s;
    assert(open > 0);
    if (passes == 0)
        return without_window(slot_cycles);
    struct train t = place(machine, slot_cycles, passes, &s);
    struct serve_frame f = {.slot_cycles = slot_cycles,
                            .slots = (int32_t)s.span + open,
                            .passes = passes,
                            .apart_cycles = t.apart};
    /* From the first closed slot to the train. */
    f.first_cycles = (s.before - s.first) * slot_cycles + t.offset;
    while (!windows_bear(&t, serve_frame_cycles(&f)))
        f.slots++;
    fold(&f, &s);
    base_free(s.closed);
    return f;
}

void serve_frame_release(struct serve_frame *frame)
{
    base_free(frame->closed);
    frame->closed = NULL;
}

int64_t serve_frame_cycles(const struct serve_frame *frame)
{
    return frame->slots * frame->slot_cycles;
}

int64_t serve_frame_pass_cycle(const struct serve_frame *frame, int64_t pass)
{
    return pass / frame->passes * serve_frame_cycles(frame) + frame->first_cycles +
           pass % frame->passes * frame->apart_cycles;
}

int64_t serve_frame_pass_from(const struct serve_frame *frame, int64_t cycle)
{
    if (cycle <= frame->first_cycles)
        return 0;
    int64_t window = (cycle - frame->first_cycles) / serve_frame_cycles(frame);
    int64_t rest = (cycle - frame->first_cycles) % serve_frame_cycles(frame);
    int64_t number = (rest + frame->apart_cycles - 1) / frame->apart_cycles;
    return window * frame->passes + (number < frame->passes ? number : frame->passes);
}

int64_t serve_frame_slot_from(const struct serve_frame *frame, int64_t cycle)
{
    return (cycle + frame->slot_cycles - 1) / frame->slot_cycles;
}
