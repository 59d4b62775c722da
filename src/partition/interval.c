/* SPDX-License-Identifier: BSD-3-Clause */
/* How far apart steps may begin: distances at which nothing of two steps meets on any chip.
 *
 * Two claims [a, a') and [b, b') of one thing collide exactly at the distances between a - b' and
 * a' - b, so that all forbidden distances of two programs are a union of ranges, added up in one
 * difference array. Steps that begin every P cycles stand at all multiples of P: the interval is
 * the least P no multiple of which is forbidden; that of a mixture the least P that is none for any
 * two of its kinds.
 *
 * Known weakness: between a prefill pass and anything else, gaps below NARROW cycles count as
 * claimed, which keeps pairs few. This can only make steps stand farther apart. */
#include "partition/interval.h"

#include <string.h>

#include "base/memory.h"
#include "partition/claims.h"

enum {
    NARROW = 1000, /* cycles between claims of a thing that nobody else is let into */
    MARGIN = 256,  /* cycles beyond the length of a step, more than the way across a chip */
};

/* sum[d] adds up to how many pairs of claims forbid distance d. */
struct sums {
    int32_t *at[PARTITION_PHASES][PARTITION_PHASES]; /* NULL: one of the two is not there */
    int64_t reach[PARTITION_PHASES]; /* distances from a step that matter; 0: none */
};

struct interval {
    struct distances *distances;
    int64_t reach[PARTITION_PHASES];
    struct interval_found found;
};

static struct sums open_sums(const struct plan *plan)
{
    struct sums s = {0};
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        if (plan_length_cycles(plan, phase) > 0)
            s.reach[phase] = plan_length_cycles(plan, phase) + MARGIN;
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            if (s.reach[a] > 0 && s.reach[b] > 0)
                s.at[a][b] = base_alloc((size_t)s.reach[a] + 1, sizeof *s.at[a][b]);
    return s;
}

static void close_sums(struct sums *s)
{
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            base_free(s->at[a][b]);
}

/* Distances [from, to) at which claim b of a later step meets claim a; false where they never do.
 */
static bool meeting(const struct claim *a, const struct claim *b, int64_t *from, int64_t *to)
{
    *from = a->from - b->to + 1;
    *to = a->to - b->from;
    return a->low < b->high && b->low < a->high && *from<*to && * to> 0;
}

static void forbid(int32_t *sum, int64_t reach, const struct claims *a, const struct claims *b)
{
    for (size_t thing = 0; thing < CLAIMS_THINGS; thing++)
        for (size_t i = a->first[thing]; i < a->first[thing + 1]; i++)
            for (size_t j = b->first[thing]; j < b->first[thing + 1]; j++) {
                int64_t from, to;
                if (!meeting(&a->at[i], &b->at[j], &from, &to) || from > reach)
                    continue;
                sum[from > 0 ? from : 0]++;
                sum[to < reach ? to : reach]--;
            }
}

/* Cycles a step that the busiest queue or plane of the chip is claimed. */
static void find_busiest(struct interval_found *found, const struct claims *c)
{
    for (size_t thing = 0; thing < CLAIMS_STREAM; thing++) {
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

/* Pairs of steps of which a prefill pass is one, or none is. */
static void add_pairs(struct sums *s, const struct claims claims[PARTITION_PHASES], bool prefill)
{
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            if (s->at[a][b] && (a == PARTITION_PREFILL || b == PARTITION_PREFILL) == prefill)
                forbid(s->at[a][b], s->reach[a], &claims[a], &claims[b]);
}

/* Adds what a chip forbids: of decode steps claim by claim, else with gaps closed. */
static void add_chip(struct sums *s, struct interval_found *found, const struct plan *plan,
                     const struct lpu_chip *machine, int32_t chip)
{
    struct claims claims[PARTITION_PHASES];
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        claims[phase] = claim_chip(plan, machine, phase, chip);
    find_busiest(found, &claims[PARTITION_DECODE]);
    add_pairs(s, claims, false);
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        claims_unite(&claims[phase], NARROW);
    add_pairs(s, claims, true);
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        base_free(claims[phase].at);
}

struct ranges {
    struct distances_range *at;
    size_t count, capacity;
};

/* Ranges of distances whose sums are not 0. */
static void collect(struct ranges *ranges, const struct sums *s, int a, int b)
{
    int64_t forbidding = 0;
    for (int64_t d = 0; s->at[a][b] && d <= s->reach[a]; d++) {
        bool before = forbidding > 0;
        forbidding += s->at[a][b][d];
        if (before && forbidding == 0)
            ranges->at[ranges->count - 1].to = d;
        if (before || forbidding == 0)
            continue;
        ranges->at =
            base_grow(ranges->at, &ranges->capacity, ranges->count + 1, sizeof *ranges->at);
        ranges->at[ranges->count++] = (struct distances_range){(uint8_t)a, (uint8_t)b, d, 0};
    }
}

static struct distances *distances_of(const struct sums *s)
{
    struct ranges ranges = {0};
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++)
            collect(&ranges, s, a, b);
    struct distances *distances = distances_create(ranges.at, ranges.count);
    base_free(ranges.at);
    return distances;
}

/* Whether decode steps of all kinds, or of kind `only`, may follow each other at an interval. */
static bool may_repeat(const struct interval *t, int only, int64_t interval)
{
    for (int a = 0; a < PARTITION_PHASES; a++)
        for (int b = 0; b < PARTITION_PHASES; b++) {
            bool wanted = only < 0 ? a != PARTITION_PREFILL && b != PARTITION_PREFILL
                                   : a == only && b == only;
            if (wanted && !distances_allow_train(t->distances, (enum partition_phase)a,
                                                 (enum partition_phase)b, interval))
                return false;
        }
    return true;
}

/* The least interval, not below `least`, of steps of kind `only`; -1: of decode steps of all kinds.
 */
static int64_t least_interval(const struct interval *t, int only, int64_t least)
{
    int64_t interval = least > 0 ? least : 1;
    while (!may_repeat(t, only, interval))
        interval++;
    return interval;
}

static void find_intervals(struct interval *t)
{
    struct interval_found *f = &t->found;
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        if (t->reach[phase] > 0)
            f->cycles[phase] =
                least_interval(t, phase, phase == PARTITION_DECODE ? f->busiest_cycles : 1);
    f->mixed_cycles = least_interval(t, -1, f->cycles[PARTITION_DECODE]);
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
    for (size_t thing = 0; thing < CLAIMS_THINGS && !met; thing++)
        for (size_t i = c.first[thing]; i < c.first[thing + 1] && !met; i++)
            for (size_t j = c.first[thing]; j < c.first[thing + 1] && !met; j++) {
                int64_t from, to;
                met = meeting(&c.at[i], &c.at[j], &from, &to) && from <= distance && distance < to;
                if (!met)
                    continue;
                claims_name((int32_t)thing, found->thing);
                name_claim(&p, &c.at[i], &found->first);
                name_claim(&p, &c.at[j], &found->second);
                found->chip = chip;
            }
    base_free(c.at);
    program_release(&p);
    return met;
}

/* What stands in the way of one cycle less. */
static void explain(struct interval *t, const struct plan *plan, const struct lpu_chip *machine,
                    int32_t chips)
{
    int64_t less = t->found.cycles[PARTITION_DECODE] - 1, distance = less;
    while (less > 0 && distances_allow(t->distances, PARTITION_DECODE, PARTITION_DECODE, distance))
        distance += less;
    for (int32_t chip = 0; chip < chips && less > 0; chip++)
        if (explain_chip(plan, machine, chip, distance, &t->found))
            return;
}

/* Starts of a train of decode steps of a kind, `offset` cycles after a pass began and every
 * interval before and after, that the pass forbids. */
static int32_t blocked_at(const struct interval *t, enum partition_phase kind, int64_t offset)
{
    int32_t blocked = 0;
    int64_t interval = t->found.cycles[kind];
    for (int64_t d = offset; d < t->reach[PARTITION_PREFILL]; d += interval)
        blocked += !distances_allow(t->distances, PARTITION_PREFILL, kind, d);
    for (int64_t d = interval - offset; d < t->reach[kind]; d += interval)
        blocked += !distances_allow(t->distances, kind, PARTITION_PREFILL, d);
    return blocked;
}

/* At the least, over all ways to fit the pass in. */
static int32_t blocked_by_prefill(const struct interval *t, enum partition_phase kind)
{
    int32_t least = INT32_MAX;
    for (int64_t offset = 0; offset < t->found.cycles[kind]; offset++) {
        int32_t blocked = blocked_at(t, kind, offset);
        least = blocked < least ? blocked : least;
    }
    return least;
}

static void find_prefill_starts(struct interval *t)
{
    for (enum partition_phase kind = 0; kind < PARTITION_PHASES; kind++)
        if (t->reach[kind] > 0 && kind != PARTITION_PREFILL)
            t->found.prefill_starts[kind] = blocked_by_prefill(t, kind);
}

struct interval *interval_create(const struct plan *plan, const struct lpu_chip *machine,
                                 int32_t chips)
{
    struct interval *t = base_alloc(1, sizeof *t);
    struct sums sums = open_sums(plan);
    memcpy(t->reach, sums.reach, sizeof t->reach);
    for (int32_t chip = 0; chip < chips; chip++)
        add_chip(&sums, &t->found, plan, machine, chip);
    t->distances = distances_of(&sums);
    close_sums(&sums);
    find_intervals(t);
    find_prefill_starts(t);
    explain(t, plan, machine, chips);
    return t;
}

void interval_release(struct interval *interval)
{
    if (!interval)
        return;
    distances_release(interval->distances);
    base_free(interval);
}

struct interval_found interval_of(const struct interval *interval)
{
    return interval->found;
}

const struct distances *interval_distances(const struct interval *interval)
{
    return interval->distances;
}
