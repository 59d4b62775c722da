/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds every start against all that are under way, against its sequence and against its lane.
 * Forbidden distances are a table of bits by cycle, one for each two kinds. */
#include "serve/rehearsal.h"

#include <stdlib.h>

#include "base/memory.h"

enum { WORD = 64 };

/* A request as far as it was played. */
struct played {
    int32_t prompt_left, tokens;
    int64_t ready; /* cycle from which its next step may begin */
    int64_t first_ps, last_ps;
    int16_t replica;
};

/* Where a sequence may be: the request that has it, and from when on it is free. */
struct place {
    int32_t request;
    int64_t free;
};

/* The last decode step of a seat with several lanes. */
struct seat {
    int64_t decode_start, decode_end;
};

struct rehearsal {
    const struct serve_machine *machine;
    const struct serve_request *request;
    uint64_t *forbidden[SERVE_KINDS][SERVE_KINDS];
    int64_t reach; /* distances from here on are free */
    struct played *played;
    struct place *place; /* [seats * lanes], of the replica that is played */
    struct seat *seat;
    struct serve_rehearsal found;
};

static void note_range(struct rehearsal *r, const struct serve_apart *a)
{
    uint64_t **table = &r->forbidden[a->first][a->second];
    if (!*table)
        *table = base_alloc((size_t)(r->reach / WORD + 1), sizeof **table);
    for (int64_t d = a->from; d < a->to; d++)
        (*table)[d / WORD] |= UINT64_C(1) << (d % WORD);
}

static void note_distances(struct rehearsal *r)
{
    const struct serve_machine *m = r->machine;
    for (size_t n = 0; n < m->aparts; n++)
        if (m->apart[n].to > r->reach)
            r->reach = m->apart[n].to;
    for (size_t n = 0; n < m->aparts; n++)
        note_range(r, &m->apart[n]);
}

static bool is_forbidden(const struct rehearsal *r, const struct serve_start *first,
                         const struct serve_start *second)
{
    const uint64_t *table = r->forbidden[first->kind][second->kind];
    int64_t d = second->cycle - first->cycle;
    return table && (table[d / WORD] >> (d % WORD) & 1);
}

/* Lanes of one seat in one decode step. */
static bool is_same_step(const struct rehearsal *r, const struct serve_start *a,
                         const struct serve_start *b)
{
    return r->machine->lanes > 1 && a->kind != SERVE_PASS && a->kind == b->kind &&
           a->seat == b->seat && a->lane != b->lane && a->cycle == b->cycle;
}

/* Against all starts of the replica that are near enough, of whatever sequences. */
static void check_pairs(struct rehearsal *r, const struct serve_start *start, size_t n)
{
    const struct serve_start *own = &start[n];
    for (size_t k = n; k-- > 0;) {
        const struct serve_start *other = &start[k];
        if (other->replica != own->replica || own->cycle - other->cycle >= r->reach)
            return;
        if (is_same_step(r, other, own))
            continue;
        r->found.pairs++;
        r->found.too_near += is_forbidden(r, other, own);
    }
}

static int64_t end_of(const struct rehearsal *r, const struct serve_start *s)
{
    return s->cycle + r->machine->length_cycles[s->kind] + r->machine->settle_cycles;
}

/* A decode step must attend to all positions up to that of its token. */
static void check_bucket(struct rehearsal *r, const struct serve_start *s, const struct played *p)
{
    const struct serve_request *request = &r->request[s->request];
    int32_t position = request->prompt_tokens - p->prompt_left + p->tokens;
    bool exists = s->kind < r->machine->buckets;
    r->found.too_small += !exists || r->machine->positions[s->kind] < position;
}

static void note_token(struct rehearsal *r, const struct serve_start *s, struct played *p)
{
    const struct serve_machine *m = r->machine;
    p->last_ps = machine_cycles_to_ps(m->chip, s->cycle + m->length_cycles[s->kind]);
    if (p->tokens++ == 0)
        p->first_ps = p->last_ps;
    p->ready = end_of(r, s);
}

/* The prompt comes first, but for its last token; its steps begin one after the other. A decode
 * step that gives a token waits for the token before. */
static void check_sequence(struct rehearsal *r, const struct serve_start *s)
{
    struct played *p = &r->played[s->request];
    int32_t rows = r->machine->pass_rows > 0 ? r->machine->pass_rows : 1;
    bool prompt = p->prompt_left > 1, pass = s->kind == SERVE_PASS;
    bool early =
        s->cycle < p->ready || machine_cycles_to_ps(r->machine->chip, s->cycle) < p->last_ps;
    r->found.out_of_order += early || pass != (prompt && r->machine->pass_rows > 0);
    p->replica = s->replica;
    if (prompt && !pass) {
        p->prompt_left--;
        check_bucket(r, s, p);
        p->ready = s->cycle + 1;
    } else if (prompt) {
        p->prompt_left = p->prompt_left - rows > 1 ? p->prompt_left - rows : 1;
        p->ready = s->cycle + 1;
    } else {
        check_bucket(r, s, p);
        note_token(r, s, p);
    }
}

static bool has_lane(const struct serve_machine *m, const struct serve_start *s)
{
    return s->seat >= 0 && s->seat < m->seats && s->lane >= 0 && s->lane < m->lanes;
}

/* A sequence has its lane from its first step to where its last row stands. */
static void check_lane(struct rehearsal *r, const struct serve_start *s)
{
    struct place *place = &r->place[s->seat * r->machine->lanes + s->lane];
    r->found.taken += place->request != s->request && s->cycle < place->free;
    place->request = s->request;
    place->free = end_of(r, s);
}

/* A decode step of a seat writes a row for each lane: while it is open, none of its own begins, nor
 * a pass. */
static void check_seat(struct rehearsal *r, const struct serve_start *s)
{
    struct seat *seat = &r->seat[s->seat];
    bool pass = s->kind == SERVE_PASS, shared = !pass && seat->decode_start == s->cycle;
    if (r->machine->lanes == 1)
        return;
    r->found.out_of_order += !shared && s->cycle < seat->decode_end;
    if (pass)
        return;
    seat->decode_start = s->cycle;
    seat->decode_end = end_of(r, s);
}

static void forget_places(struct rehearsal *r)
{
    for (int32_t n = 0; n < r->machine->seats * r->machine->lanes; n++)
        r->place[n] = (struct place){-1, 0};
    for (int32_t n = 0; n < r->machine->seats; n++)
        r->seat[n] = (struct seat){.decode_start = -1};
}

/* A client has a token when it has crossed PCIe. */
static void check_promise(struct rehearsal *r, size_t n, const struct serve_outcome *o)
{
    const struct played *p = &r->played[n];
    int64_t out = serve_machine_transfer_ps(r->machine->chip, 1);
    if (o->fate != SERVE_FINISHED) {
        r->found.unkept += p->tokens > 0 || p->prompt_left != r->request[n].prompt_tokens;
        return;
    }
    bool whole = p->prompt_left == 1 && p->tokens == r->request[n].output_tokens;
    bool kept = o->finished_ps == p->last_ps + out && o->promised_ps == o->finished_ps;
    bool told = o->first_token_ps == p->first_ps + out && o->replica == p->replica &&
                o->admitted_ps >= r->request[n].arrival_ps;
    r->found.unkept += !whole || !kept || !told;
}

static void begin_requests(struct rehearsal *r, size_t count, const struct serve_outcome *outcome)
{
    const struct lpu_chip *chip = r->machine->chip;
    for (size_t n = 0; n < count; n++) {
        int32_t prompt = r->request[n].prompt_tokens;
        r->played[n].prompt_left = prompt;
        r->played[n].replica = -1;
        if (outcome[n].fate == SERVE_FINISHED)
            r->played[n].last_ps = outcome[n].admitted_ps + serve_machine_transfer_ps(chip, prompt);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct serve_start *x = a, *y = b;
    if (x->replica != y->replica)
        return x->replica < y->replica ? -1 : 1;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    return (x->request > y->request) - (x->request < y->request);
}

static void play(struct rehearsal *r, const struct serve_starts *starts)
{
    for (size_t n = 0; n < starts->count; n++) {
        const struct serve_start *s = &starts->start[n];
        if (n == 0 || s->replica != starts->start[n - 1].replica)
            forget_places(r);
        check_pairs(r, starts->start, n);
        check_sequence(r, s);
        r->found.taken += !has_lane(r->machine, s);
        if (!has_lane(r->machine, s))
            continue;
        check_lane(r, s);
        check_seat(r, s);
    }
}

static void release(struct rehearsal *r)
{
    for (int a = 0; a < SERVE_KINDS; a++)
        for (int b = 0; b < SERVE_KINDS; b++)
            base_free(r->forbidden[a][b]);
    base_free(r->played);
    base_free(r->place);
    base_free(r->seat);
}

struct serve_rehearsal serve_rehearse(const struct serve_machine *machine,
                                      const struct serve_request *request, size_t count,
                                      const struct serve_outcome *outcome,
                                      struct serve_starts *starts)
{
    size_t lanes = (size_t)(machine->seats * machine->lanes);
    struct rehearsal r = {.machine = machine,
                          .request = request,
                          .played = base_alloc(count, sizeof *r.played),
                          .place = base_alloc(lanes, sizeof *r.place),
                          .seat = base_alloc((size_t)machine->seats, sizeof *r.seat)};
    note_distances(&r);
    begin_requests(&r, count, outcome);
    if (starts->count)
        qsort(starts->start, starts->count, sizeof *starts->start, by_time);
    play(&r, starts);
    for (size_t n = 0; n < count; n++)
        check_promise(&r, n, &outcome[n]);
    r.found.starts = (int64_t)starts->count;
    release(&r);
    return r.found;
}

bool serve_rehearsal_is_clean(const struct serve_rehearsal *found)
{
    return found->too_near + found->out_of_order + found->too_small + found->taken +
               found->unkept ==
           0;
}
