/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds every start against all that are under way, against its sequence and against its lane.
 * Forbidden distances are a table of bits by cycle, one for each two kinds. */
#include "serve/rehearsal.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { WORD = 64, KEPT = 1 << 10 /* starts of a replica that are kept before any are played */ };

/* A request as far as it was played. */
struct played {
    int32_t prompt_left, tokens;
    int64_t ready; /* cycle from which its next step may begin */
    int64_t first_ps, last_ps;
    int16_t replica;
    bool begun;
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

/* A replica's starts that are not over, behind those that may still stand too near to them. */
struct replica {
    struct serve_start *start;
    size_t count, capacity;
    size_t enough;        /* starts at which some are played */
    int64_t played_cycle; /* starts before it were played */
    struct place *place;  /* [seats * lanes] */
    struct seat *seat;    /* [seats] */
};

struct serve_rehearsing {
    const struct serve_machine *machine;
    const struct serve_request *request;
    const struct serve_outcome *outcome;
    size_t count;
    uint64_t *forbidden[SERVE_KINDS][SERVE_KINDS];
    int64_t reach; /* distances from here on are free */
    struct played *played;
    struct replica *replica;
    int32_t replicas;
    struct serve_rehearsal found;
};

static void note_range(struct serve_rehearsing *r, const struct serve_apart *a)
{
    uint64_t **table = &r->forbidden[a->first][a->second];
    if (!*table)
        *table = base_alloc((size_t)(r->reach / WORD + 1), sizeof **table);
    for (int64_t d = a->from; d < a->to; d++)
        (*table)[d / WORD] |= UINT64_C(1) << (d % WORD);
}

static void note_distances(struct serve_rehearsing *r)
{
    const struct serve_machine *m = r->machine;
    for (size_t n = 0; n < m->aparts; n++)
        if (m->apart[n].to > r->reach)
            r->reach = m->apart[n].to;
    for (size_t n = 0; n < m->aparts; n++)
        note_range(r, &m->apart[n]);
}

static bool is_forbidden(const struct serve_rehearsing *r, const struct serve_start *first,
                         const struct serve_start *second)
{
    const uint64_t *table = r->forbidden[first->kind][second->kind];
    int64_t d = second->cycle - first->cycle;
    return table && (table[d / WORD] >> (d % WORD) & 1);
}

/* Lanes of one seat in one decode step. */
static bool is_same_step(const struct serve_rehearsing *r, const struct serve_start *a,
                         const struct serve_start *b)
{
    return r->machine->lanes > 1 && a->kind != SERVE_PASS && a->kind == b->kind &&
           a->seat == b->seat && a->lane != b->lane && a->cycle == b->cycle;
}

/* Start `n` of a replica against those before it that are near enough, of whatever sequences. */
static void check_pairs(struct serve_rehearsing *r, const struct serve_start *start, size_t n)
{
    const struct serve_start *own = &start[n];
    for (size_t k = n; k-- > 0;) {
        const struct serve_start *other = &start[k];
        if (own->cycle - other->cycle >= r->reach)
            return;
        if (is_same_step(r, other, own))
            continue;
        r->found.pairs++;
        r->found.too_near += is_forbidden(r, other, own);
    }
}

static int64_t end_of(const struct serve_rehearsing *r, const struct serve_start *s)
{
    return s->cycle + r->machine->length_cycles[s->kind] + r->machine->settle_cycles;
}

/* A decode step must attend to all positions up to that of its token. */
static void check_bucket(struct serve_rehearsing *r, const struct serve_start *s,
                         const struct played *p)
{
    const struct serve_request *request = &r->request[s->request];
    int32_t position = request->prompt_tokens - p->prompt_left + p->tokens;
    bool exists = s->kind < r->machine->buckets;
    r->found.too_small += !exists || r->machine->positions[s->kind] < position;
}

static void note_token(struct serve_rehearsing *r, const struct serve_start *s, struct played *p)
{
    const struct serve_machine *m = r->machine;
    p->last_ps = machine_cycles_to_ps(m->chip, s->cycle + m->length_cycles[s->kind]);
    if (p->tokens++ == 0)
        p->first_ps = p->last_ps;
    p->ready = end_of(r, s);
}

/* A sequence waits for its prompt to cross PCIe when it is admitted. */
static struct played *begun(struct serve_rehearsing *r, const struct serve_start *s)
{
    struct played *p = &r->played[s->request];
    int32_t prompt = r->request[s->request].prompt_tokens;
    int64_t in = serve_machine_transfer_ps(r->machine->chip, prompt);
    if (!p->begun)
        *p = (struct played){.prompt_left = prompt,
                             .last_ps = r->outcome[s->request].admitted_ps + in,
                             .replica = s->replica,
                             .begun = true};
    return p;
}

/* The prompt comes first, but for its last token; its steps begin one after the other. A decode
 * step that gives a token waits for the token before. */
static void check_sequence(struct serve_rehearsing *r, const struct serve_start *s)
{
    struct played *p = begun(r, s);
    int32_t rows = r->machine->pass_rows > 0 ? r->machine->pass_rows : 1;
    bool prompt = p->prompt_left > 1, pass = s->kind == SERVE_PASS;
    bool early =
        s->cycle < p->ready || machine_cycles_to_ps(r->machine->chip, s->cycle) < p->last_ps;
    r->found.out_of_order += early || pass != (prompt && r->machine->pass_rows > 0);
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
static void check_lane(struct serve_rehearsing *r, const struct serve_start *s)
{
    struct place *place = &r->replica[s->replica].place[s->seat * r->machine->lanes + s->lane];
    r->found.taken += place->request != s->request && s->cycle < place->free;
    place->request = s->request;
    place->free = end_of(r, s);
}

/* A decode step of a seat writes a row for each lane: while it is open, none of its own begins, nor
 * a pass. */
static void check_seat(struct serve_rehearsing *r, const struct serve_start *s)
{
    struct seat *seat = &r->replica[s->replica].seat[s->seat];
    bool pass = s->kind == SERVE_PASS, shared = !pass && seat->decode_start == s->cycle;
    if (r->machine->lanes == 1)
        return;
    r->found.out_of_order += !shared && s->cycle < seat->decode_end;
    if (pass)
        return;
    seat->decode_start = s->cycle;
    seat->decode_end = end_of(r, s);
}

/* A client has a token when it has crossed PCIe. */
static void check_promise(struct serve_rehearsing *r, size_t n, const struct serve_outcome *o)
{
    const struct played *p = &r->played[n];
    int64_t out = serve_machine_transfer_ps(r->machine->chip, 1);
    if (o->fate != SERVE_FINISHED) {
        r->found.unkept += p->begun;
        return;
    }
    bool whole = p->prompt_left == 1 && p->tokens == r->request[n].output_tokens;
    bool kept = o->finished_ps == p->last_ps + out && o->promised_ps == o->finished_ps;
    bool told = o->first_token_ps == p->first_ps + out && o->replica == p->replica &&
                o->admitted_ps >= r->request[n].arrival_ps;
    r->found.unkept += !whole || !kept || !told;
}

static int by_time(const void *a, const void *b)
{
    const struct serve_start *x = a, *y = b;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    return (x->request > y->request) - (x->request < y->request);
}

static void play_start(struct serve_rehearsing *r, const struct replica *replica, size_t n)
{
    const struct serve_start *s = &replica->start[n];
    r->found.starts++;
    check_pairs(r, replica->start, n);
    check_sequence(r, s);
    r->found.taken += !has_lane(r->machine, s);
    if (!has_lane(r->machine, s))
        return;
    check_lane(r, s);
    check_seat(r, s);
}

/* Plays the starts before `cycle`, and forgets those that nothing later comes near. */
static void play(struct serve_rehearsing *r, struct replica *replica, int64_t cycle)
{
    size_t over = 0;
    if (replica->count)
        qsort(replica->start, replica->count, sizeof *replica->start, by_time);
    for (size_t n = 0; n < replica->count && replica->start[n].cycle < cycle; n++) {
        if (replica->start[n].cycle >= replica->played_cycle)
            play_start(r, replica, n);
        over += replica->start[n].cycle < cycle - r->reach;
    }
    replica->played_cycle = cycle;
    replica->count -= over;
    memmove(replica->start, replica->start + over, replica->count * sizeof *replica->start);
}

static struct replica open_replica(const struct serve_machine *m)
{
    int32_t lanes = m->seats * m->lanes;
    struct replica replica = {.enough = KEPT,
                              .start = base_alloc(1, sizeof *replica.start),
                              .capacity = 1,
                              .played_cycle = INT64_MIN,
                              .place = base_alloc((size_t)lanes, sizeof *replica.place),
                              .seat = base_alloc((size_t)m->seats, sizeof *replica.seat)};
    for (int32_t n = 0; n < lanes; n++)
        replica.place[n].request = -1;
    for (int32_t n = 0; n < m->seats; n++)
        replica.seat[n].decode_start = -1;
    return replica;
}

struct serve_rehearsing *serve_rehearsal_open(const struct serve_machine *machine,
                                              const struct serve_request *request, size_t count,
                                              const struct serve_outcome *outcome, int32_t replicas)
{
    struct serve_rehearsing *r = base_alloc(1, sizeof *r);
    *r = (struct serve_rehearsing){.machine = machine,
                                   .request = request,
                                   .outcome = outcome,
                                   .count = count,
                                   .played = base_alloc(count, sizeof *r->played),
                                   .replica = base_alloc((size_t)replicas, sizeof *r->replica),
                                   .replicas = replicas};
    for (int32_t n = 0; n < replicas; n++)
        r->replica[n] = open_replica(machine);
    note_distances(r);
    return r;
}

void serve_rehearsal_note(void *context, const struct serve_start *start, size_t count,
                          int64_t cycle)
{
    struct serve_rehearsing *r = context;
    struct replica *replica = &r->replica[start[0].replica];
    if (replica->count >= replica->enough) {
        play(r, replica, cycle);
        replica->enough = 2 * replica->count > KEPT ? 2 * replica->count : KEPT;
    }
    replica->start = base_grow(replica->start, &replica->capacity, replica->count + count,
                               sizeof *replica->start);
    memcpy(replica->start + replica->count, start, count * sizeof *start);
    replica->count += count;
}

static void release(struct serve_rehearsing *r)
{
    for (int a = 0; a < SERVE_KINDS; a++)
        for (int b = 0; b < SERVE_KINDS; b++)
            base_free(r->forbidden[a][b]);
    for (int32_t n = 0; n < r->replicas; n++) {
        base_free(r->replica[n].start);
        base_free(r->replica[n].place);
        base_free(r->replica[n].seat);
    }
    base_free(r->replica);
    base_free(r->played);
    base_free(r);
}

struct serve_rehearsal serve_rehearsal_close(struct serve_rehearsing *rehearsing)
{
    struct serve_rehearsing *r = rehearsing;
    for (int32_t n = 0; n < r->replicas; n++)
        play(r, &r->replica[n], INT64_MAX);
    for (size_t n = 0; n < r->count; n++)
        check_promise(r, n, &r->outcome[n]);
    struct serve_rehearsal found = r->found;
    release(r);
    return found;
}

bool serve_rehearsal_is_clean(const struct serve_rehearsal *found)
{
    return found->too_near + found->out_of_order + found->too_small + found->taken +
               found->unkept ==
           0;
}
