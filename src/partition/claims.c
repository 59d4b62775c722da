/* SPDX-License-Identifier: BSD-3-Clause */
/* What the instructions of a program claim, by thing: queues, planes, streams, rows.
 *
 * Known weakness: a train with gaps claims its stream for its whole phase range, and an op the
 * plane from its first load to its last sum. This can only make steps stand farther apart. */
#include "partition/claims.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "partition/place.h"

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
    size_t cells = p->ops * CLAIMS_PLANES;
    struct claim *hull = base_alloc(cells, sizeof *hull);
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (i->queue < PROGRAM_QUEUE_MXM || i->queue >= PROGRAM_QUEUE_SEND)
            continue;
        int32_t plane = program_mxm_plane(i->queue);
        int64_t to = last_issue(i) + 1 + chip->mxm_install_cycles;
        for (int32_t k = plane; k <= plane + (i->flags & PROGRAM_FP16 ? 1 : 0); k++) {
            struct claim *h = &hull[(size_t)i->op * CLAIMS_PLANES + (size_t)k];
            bool fresh = h->to == 0;
            h->from = fresh || i->cycle < h->from ? i->cycle : h->from;
            h->to = fresh || to > h->to ? to : h->to;
            h->thing = CLAIMS_PLANE + k;
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
    int32_t first = CLAIMS_STREAM + o->direction * (CLAIMS_STREAMS / 2) + o->stream;
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
    for (size_t n = 0, thing = 0; thing <= CLAIMS_THINGS; thing++) {
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
    bool west = drive->thing >= CLAIMS_STREAM + CLAIMS_STREAMS / 2;
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
            add(c, (struct claim){t->live_from, t->live_to, CLAIMS_ROWS + p->slice[t->slice + s],
                                  row, row + t->valid, -1, (int32_t)n});
        }
    }
}

/* Whether claims of one thing may become one: not of rows, and where gaps are kept not of different
 * positions. */
static bool may_unite(const struct claim *a, const struct claim *b, int64_t gap)
{
    bool alike = gap > 0 || (a->low == b->low && a->high == b->high);
    return a->thing == b->thing && a->thing < CLAIMS_ROWS && alike && b->from <= a->to + gap;
}

void claims_unite(struct claims *c, int64_t gap)
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

struct claims claims_of(const struct lpu_chip *chip, const struct program *p)
{
    struct claims c = {0};
    for (size_t n = 0; n < p->instructions; n++)
        claim_queue(&c, chip, &p->instruction[n]);
    claim_streams(&c, chip, p);
    claim_planes(&c, chip, p);
    claim_rows(&c, p);
    claims_unite(&c, 0);
    return c;
}

void claims_name(int32_t thing, char *text)
{
    if (thing < CLAIMS_PLANE)
        program_queue_name(thing, text);
    else if (thing < CLAIMS_STREAM)
        snprintf(text, CLAIMS_NAME_BYTES, "MXM %d", thing - CLAIMS_PLANE);
    else if (thing < CLAIMS_ROWS)
        snprintf(text, CLAIMS_NAME_BYTES, "%s stream %d",
                 thing - CLAIMS_STREAM < CLAIMS_STREAMS / 2 ? "eastward" : "westward",
                 (thing - CLAIMS_STREAM) % (CLAIMS_STREAMS / 2));
    else
        snprintf(text, CLAIMS_NAME_BYTES, "rows of MEM %d", thing - CLAIMS_ROWS);
}
