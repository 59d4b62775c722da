/* SPDX-License-Identifier: BSD-3-Clause */
/* How far apart steps may begin: distances at which nothing of two steps meets on any chip.
 *
 * Each instruction of a step claims what it needs: its queue, a matrix plane, streams in phase
 * coordinates, and its activations their rows. Two claims [a, a') and [b, b') of one thing collide
 * exactly at the distances between a - b' and a' - b, so that all forbidden distances of two
 * programs are a union of ranges, added up in one difference array. Steps that begin every P cycles
 * stand at all multiples of P: the interval is the least P no multiple of which is forbidden.
 *
 * Known weakness: a train with gaps claims its stream for its whole phase range, and an op the
 * plane from its first load to its last sum; between a prefill pass and anything else, gaps below
 * NARROW cycles count as claimed, which keeps pairs few. All of this can only make steps stand
 * farther apart. */
#include "partition/interval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "partition/place.h"

enum {
    PLANES = 4,
    STREAMS = 64,
    CLAIM_PLANE = PROGRAM_QUEUES,
    CLAIM_STREAM = CLAIM_PLANE + PLANES,
    CLAIM_ROWS = CLAIM_STREAM + STREAMS,
    CLAIMS = CLAIM_ROWS + PROGRAM_QUEUE_VXM,
    NARROW = 1000, /* cycles between claims of a thing that nobody else is let into */
    MARGIN = 256,  /* cycles beyond the length of a step, more than the way across a chip */
};

/* Cycles (of a stream: phases) [from, to) of a thing; rows of a slice, or positions on a stream,
 * [low, high). */
struct claim {
    int64_t from, to;
    int32_t thing, low, high;
    int32_t op;     /* of the program; -1: a tensor */
    int32_t tensor; /* -1: an op */
};

struct claims {
    struct claim *at;
    size_t count, capacity;
    size_t first[CLAIMS + 1]; /* of each thing, once sorted */
};

/* range[d] sums up to how many pairs of claims forbid distance d. */
struct interval_table {
    int32_t *range[PARTITION_PHASES][PARTITION_PHASES];
    int64_t reach[PARTITION_PHASES]; /* distances from a step of this phase that matter */
    struct interval_found found;
};

static void add(struct claims *c, struct claim claim)
{
    c->at = base_grow(c->at, &c->capacity, c->count + 1, sizeof *c->at);
    c->at[c->count++] = claim;
}

static int64_t last_issue(const struct program_instruction *i)
{
    return i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0] +
           (int64_t)(i->count[1] - 1) * i->interval[1];
}

/* Cycles of a queue, or of a link's slots; a write reaches its bank behind its issue. */
static void claim_queue(struct claims *c, const struct lpu_chip *chip,
                        const struct program_instruction *i)
{
    int64_t to = last_issue(i) + 1;
    if (i->opcode == PROGRAM_MEM_WRITE)
        to += chip->mem_write_skew_cycles;
    if (i->opcode == PROGRAM_C2C_SEND)
        to += machine_link_slot_cycles(chip) - 1;
    add(c, (struct claim){i->cycle, to, i->queue, 0, 1, i->op, -1});
    if (i->flags & PROGRAM_FP16)
        add(c, (struct claim){i->cycle, to, i->queue + PROGRAM_MXM_QUEUES, 0, 1, i->op, -1});
}

/* What an op does on each plane, from the first to the last. */
static void claim_planes(struct claims *c, const struct lpu_chip *chip, const struct program *p)
{
    size_t cells = p->ops * PLANES;
    struct claim *hull = base_alloc(cells, sizeof *hull);
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (i->queue < PROGRAM_QUEUE_MXM || i->queue >= PROGRAM_QUEUE_SEND)
            continue;
        int32_t plane = program_mxm_plane(i->queue);
        int64_t to = last_issue(i) + 1 + chip->mxm_install_cycles;
        for (int32_t k = plane; k <= plane + (i->flags & PROGRAM_FP16 ? 1 : 0); k++) {
            struct claim *h = &hull[(size_t)i->op * PLANES + (size_t)k];
            bool fresh = h->to == 0;
            h->from = fresh || i->cycle < h->from ? i->cycle : h->from;
            h->to = fresh || to > h->to ? to : h->to;
            h->thing = CLAIM_PLANE + k;
            h->high = 1;
            h->op = i->op;
            h->tensor = -1;
        }
    }
    for (size_t n = 0; n < cells; n++)
        if (hull[n].to > 0)
            add(c, hull[n]);
    base_free(hull);
}

/* Phases of the streams of an operand that acts `later` cycles after its issue, where its unit
 * stands. */
static void add_streams(struct claims *c, const struct lpu_chip *chip,
                        const struct program_instruction *i, const struct program_operand *o,
                        int32_t later)
{
    int32_t x = program_queue_position(chip, i->queue);
    int64_t shift = later + (o->direction == PROGRAM_EAST ? -x : x);
    int32_t first = CLAIM_STREAM + o->direction * (STREAMS / 2) + o->stream;
    for (int32_t s = 0; o->kind == PROGRAM_STREAM && s < o->streams; s++)
        add(c, (struct claim){i->cycle + shift, last_issue(i) + shift + 1, first + s, x, x + 1,
                              i->op, -1});
}

static int by_thing_and_time(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    if (x->thing != y->thing)
        return x->thing < y->thing ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static void sort(struct claims *c)
{
    if (c->count)
        qsort(c->at, c->count, sizeof *c->at, by_thing_and_time);
    for (size_t n = 0, thing = 0; thing <= CLAIMS; thing++) {
        while (n < c->count && (size_t)c->at[n].thing < thing)
            n++;
        c->first[thing] = n;
    }
}

static int64_t longest_of(const struct claims *c, size_t first, size_t end)
{
    int64_t longest = 0;
    for (size_t n = first; n < end; n++) {
        int64_t length = c->at[n].to - c->at[n].from;
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* The first claim of [first, end) that begins at `from` or later. */
static size_t first_from(const struct claims *c, size_t first, size_t end, int64_t from)
{
    while (first < end) {
        size_t middle = (first + end) / 2;
        if (c->at[middle].from < from)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* From where it is driven to the farthest unit downstream that samples in its phases. */
static void stretch(struct claim *drive, const struct claims *samples, int64_t longest)
{
    size_t end = samples->first[drive->thing + 1];
    bool west = drive->thing >= CLAIM_STREAM + STREAMS / 2;
    size_t n = first_from(samples, samples->first[drive->thing], end, drive->from - longest);
    for (; n < end && samples->at[n].from < drive->to; n++) {
        const struct claim *s = &samples->at[n];
        if (s->to <= drive->from)
            continue;
        if (west && s->low < drive->low)
            drive->low = s->low;
        else if (!west && s->high > drive->high)
            drive->high = s->high;
    }
}

static void claim_streams(struct claims *c, const struct lpu_chip *chip, const struct program *p)
{
    struct claims samples = {0};
    size_t before = c->count;
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        for (int32_t k = 0; k < i->inputs; k++)
            add_streams(&samples, chip, i, &p->operand[i->operand + (uint32_t)k],
                        place_skew(chip, i));
        for (int32_t k = 0; k < i->outputs; k++)
            add_streams(c, chip, i, &p->operand[i->operand + i->inputs + (uint32_t)k],
                        place_delay(chip, i));
    }
    sort(&samples);
    int64_t longest = longest_of(&samples, 0, samples.count);
    for (size_t n = before; n < c->count; n++)
        stretch(&c->at[n], &samples, longest);
    base_free(samples.at);
}

static void claim_rows(struct claims *c, const struct program *p)
{
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        if (t->kind != PROGRAM_TENSOR_ACTIVATION || t->slice < 0 || t->live_from >= t->live_to)
            continue;
        for (int32_t s = 0; s < t->subs; s++) {
            int32_t row = program_tensor_address(p, t, s);
            add(c, (struct claim){t->live_from, t->live_to, CLAIM_ROWS + p->slice[t->slice + s],
                                  row, row + t->valid, -1, (int32_t)n});
        }
    }
}

/* Whether claims of one thing may become one: not of rows, and where gaps are kept not of different
 * positions. */
static bool may_unite(const struct claim *a, const struct claim *b, int64_t gap)
{
    bool alike = gap > 0 || (a->low == b->low && a->high == b->high);
    return a->thing == b->thing && a->thing < CLAIM_ROWS && alike && b->from <= a->to + gap;
}

/* Claims that follow each other at less than `gap` become one. */
static void unite(struct claims *c, int64_t gap)
{
    size_t kept = 0;
    sort(c);
    for (size_t n = 0; n < c->count; n++) {
        struct claim *last = kept ? &c->at[kept - 1] : NULL, next = c->at[n];
        if (!last || !may_unite(last, &next, gap)) {
            c->at[kept++] = next;
            continue;
        }
        last->to = next.to > last->to ? next.to : last->to;
        last->low = next.low < last->low ? next.low : last->low;
        last->high = next.high > last->high ? next.high : last->high;
    }
    c->count = kept;
    sort(c);
}

static struct claims claims_of(const struct lpu_chip *chip, const struct program *p)
{
    struct claims c = {0};
    for (size_t n = 0; n < p->instructions; n++)
        claim_queue(&c, chip, &p->instruction[n]);
    claim_streams(&c, chip, p);
    claim_planes(&c, chip, p);
    claim_rows(&c, p);
    unite(&c, 0);
    return c;
}

/* Distances [from, to) at which claim b of a later step meets claim a; empty where they never do.
 */
static bool meeting(const struct claim *a, const struct claim *b, int64_t *from, int64_t *to)
{
    *from = a->from - b->to + 1;
    *to = a->to - b->from;
    return a->low < b->high && b->low < a->high && *from<*to && * to> 0;
}

static void forbid(int32_t *range, int64_t reach, const struct claims *a, const struct claims *b)
{
    for (size_t thing = 0; thing < CLAIMS; thing++)
        for (size_t i = a->first[thing]; i < a->first[thing + 1]; i++)
            for (size_t j = b->first[thing]; j < b->first[thing + 1]; j++) {
                int64_t from, to;
                if (!meeting(&a->at[i], &b->at[j], &from, &to) || from > reach)
                    continue;
                range[from > 0 ? from : 0]++;
                range[to < reach ? to : reach]--;
            }
}

/* Cycles a step that the busiest queue or plane of the chip is claimed. */
static void find_busiest(struct interval_found *found, const struct claims *c)
{
    for (size_t thing = 0; thing < CLAIM_STREAM; thing++) {
        int64_t busy = 0;
        for (size_t n = c->first[thing]; n < c->first[thing + 1]; n++)
            busy += c->at[n].to - c->at[n].from;
        found->busiest_cycles = busy > found->busiest_cycles ? busy : found->busiest_cycles;
    }
}

static struct claims claim_chip(const struct plan *plan, const struct lpu_chip *machine,
                                enum partition_phase phase, int32_t chip)
{
    struct program program;
    plan_program(plan, phase, chip, &program);
    struct claims claims = claims_of(machine, &program);
    program_release(&program);
    return claims;
}

/* Adds what a chip forbids: of decode steps claim by claim, else with gaps closed. */
static void add_chip(struct interval_table *t, const struct plan *plan,
                     const struct lpu_chip *machine, int32_t chip)
{
    struct claims claims[PARTITION_PHASES];
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        claims[phase] = claim_chip(plan, machine, phase, chip);
    const struct claims *decode = &claims[PARTITION_DECODE];
    find_busiest(&t->found, decode);
    forbid(t->range[PARTITION_DECODE][PARTITION_DECODE], t->reach[PARTITION_DECODE], decode,
           decode);
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        unite(&claims[phase], NARROW);
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            if (a == PARTITION_PREFILL || b == PARTITION_PREFILL)
                forbid(t->range[a][b], t->reach[a], &claims[a], &claims[b]);
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        base_free(claims[phase].at);
}

static void sum_up(struct interval_table *t)
{
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            for (int64_t d = 1; d <= t->reach[a]; d++)
                t->range[a][b][d] += t->range[a][b][d - 1];
}

bool interval_allows(const struct interval_table *t, enum partition_phase first,
                     enum partition_phase second, int64_t distance)
{
    return distance >= t->reach[first] || t->range[first][second][distance] == 0;
}

static bool may_repeat(const struct interval_table *t, enum partition_phase phase, int64_t interval)
{
    for (int64_t d = interval; d < t->reach[phase]; d += interval)
        if (!interval_allows(t, phase, phase, d))
            return false;
    return true;
}

/* The least interval, not below `least`, at which steps of a phase may follow each other. */
static int64_t least_interval(const struct interval_table *t, enum partition_phase phase,
                              int64_t least)
{
    int64_t interval = least > 0 ? least : 1;
    while (!may_repeat(t, phase, interval))
        interval++;
    return interval;
}

static void name_thing(int32_t thing, char *name)
{
    if (thing < CLAIM_PLANE)
        program_queue_name(thing, name);
    else if (thing < CLAIM_STREAM)
        snprintf(name, INTERVAL_NAME_BYTES, "MXM %d", thing - CLAIM_PLANE);
    else if (thing < CLAIM_ROWS)
        snprintf(name, INTERVAL_NAME_BYTES, "%s stream %d",
                 thing - CLAIM_STREAM < STREAMS / 2 ? "eastward" : "westward",
                 (thing - CLAIM_STREAM) % (STREAMS / 2));
    else
        snprintf(name, INTERVAL_NAME_BYTES, "rows of MEM %d", thing - CLAIM_ROWS);
}

static void name_claim(const struct program *p, const struct claim *c, struct interval_user *user)
{
    bool op = c->op >= 0;
    memcpy(user->name, op ? p->op[c->op].name : p->tensor[c->tensor].name, sizeof user->name);
    user->layer = op ? p->op[c->op].layer : p->tensor[c->tensor].layer;
}

/* Whether two claims of a chip meet at `distance`; says which. */
static bool explain_chip(const struct plan *plan, const struct lpu_chip *machine, int32_t chip,
                         int64_t distance, struct interval_found *found)
{
    struct program p;
    bool met = false;
    plan_program(plan, PARTITION_DECODE, chip, &p);
    struct claims c = claims_of(machine, &p);
    for (size_t thing = 0; thing < CLAIMS && !met; thing++)
        for (size_t i = c.first[thing]; i < c.first[thing + 1] && !met; i++)
            for (size_t j = c.first[thing]; j < c.first[thing + 1] && !met; j++) {
                int64_t from, to;
                met = meeting(&c.at[i], &c.at[j], &from, &to) && from <= distance && distance < to;
                if (!met)
                    continue;
                name_thing((int32_t)thing, found->thing);
                name_claim(&p, &c.at[i], &found->first);
                name_claim(&p, &c.at[j], &found->second);
                found->chip = chip;
            }
    base_free(c.at);
    program_release(&p);
    return met;
}

/* What stands in the way of one cycle less. */
static void explain(struct interval_table *t, const struct plan *plan,
                    const struct lpu_chip *machine, int32_t chips)
{
    int64_t less = t->found.cycles - 1, distance = less;
    while (less > 0 && interval_allows(t, PARTITION_DECODE, PARTITION_DECODE, distance))
        distance += less;
    for (int32_t chip = 0; chip < chips && less > 0; chip++)
        if (explain_chip(plan, machine, chip, distance, &t->found))
            return;
}

/* Starts of a train of decode steps, `offset` cycles after a pass began and every interval before
 * and after, that the pass forbids. */
static int32_t blocked_at(const struct interval_table *t, int64_t offset)
{
    int32_t blocked = 0;
    for (int64_t d = offset; d < t->reach[PARTITION_PREFILL]; d += t->found.cycles)
        blocked += !interval_allows(t, PARTITION_PREFILL, PARTITION_DECODE, d);
    for (int64_t d = t->found.cycles - offset; d < t->reach[PARTITION_DECODE]; d += t->found.cycles)
        blocked += !interval_allows(t, PARTITION_DECODE, PARTITION_PREFILL, d);
    return blocked;
}

/* At the least, over all ways to fit the pass in. */
static int32_t blocked_by_prefill(const struct interval_table *table)
{
    int32_t least = INT32_MAX;
    for (int64_t offset = 0; offset < table->found.cycles; offset++) {
        int32_t blocked = blocked_at(table, offset);
        least = blocked < least ? blocked : least;
    }
    return least;
}

struct interval_table *interval_create(const struct plan *plan, const struct lpu_chip *machine,
                                       int32_t chips)
{
    struct interval_table *t = base_alloc(1, sizeof *t);
    for (enum partition_phase a = 0; a < PARTITION_PHASES; a++) {
        t->reach[a] = plan_length_cycles(plan, a) + MARGIN;
        for (int b = 0; b < PARTITION_PHASES; b++)
            t->range[a][b] = base_alloc((size_t)t->reach[a] + 1, sizeof *t->range[a][b]);
    }
    for (int32_t chip = 0; chip < chips; chip++)
        add_chip(t, plan, machine, chip);
    sum_up(t);
    t->found.cycles = least_interval(t, PARTITION_DECODE, t->found.busiest_cycles);
    t->found.prefill_cycles = least_interval(t, PARTITION_PREFILL, t->found.busiest_cycles);
    t->found.prefill_starts = blocked_by_prefill(t);
    explain(t, plan, machine, chips);
    return t;
}

void interval_release(struct interval_table *table)
{
    if (!table)
        return;
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            base_free(table->range[a][b]);
    base_free(table);
}

struct interval_found interval_of(const struct interval_table *table)
{
    return table->found;
}
