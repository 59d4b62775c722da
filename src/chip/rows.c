/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists what steps write, and looks there for what they read. */
#include "chip/rows.h"

#include <stdio.h>

#include "base/memory.h"
#include "chip/comb.h"
#include "chip/executor.h"
#include "chip/sram.h"

enum { READ_LIMIT = 256 };

void rows_create(struct rows *rows)
{
    rows->spare = -1;
    rows->read_limit = READ_LIMIT;
}

void rows_release(struct rows *rows)
{
    base_free(rows->write);
    base_free(rows->read);
    *rows = (struct rows){0};
}

void rows_begin(struct executor_step *of)
{
    of->head = base_alloc((size_t)of->loaded->heads, sizeof *of->head);
    for (int32_t n = 0; n < of->loaded->heads; n++)
        of->head[n] = -1;
}

static struct comb comb_of(const struct rows_comb *r)
{
    return (struct comb){r->row, r->step, r->count};
}

/* Ascending rows; one row accessed again and again counts with its first access. */
static struct rows_comb ascending(struct rows_comb r)
{
    if (r.step == 0 || r.count == 1) {
        r.count = 1;
        r.step = 1;
    } else if (r.step < 0) {
        r.row += (r.count - 1) * r.step;
        r.cycle += (int64_t)(r.count - 1) * r.cycle_step;
        r.step = -r.step;
        r.cycle_step = -r.cycle_step;
    }
    return r;
}

/* The list of rows written of a tensor and sub: of the cache by all open steps. */
static int32_t *list_of(struct chip *chip, const struct executor_step *of, int32_t tensor,
                        int32_t sub)
{
    bool cache = of->program->tensor[tensor].kind == PROGRAM_TENSOR_KV;
    return cache ? &chip->residents.at[of->loaded->resident[tensor]].head[sub]
                 : &of->head[of->loaded->head[tensor] + sub];
}

static bool may_meet(const struct rows_comb *a, const struct rows_comb *b)
{
    return a->row <= b->row + (b->count - 1) * b->step &&
           b->row <= a->row + (a->count - 1) * a->step;
}

static bool meet(const struct rows_comb *a, const struct rows_comb *b)
{
    return may_meet(a, b) && comb_meet(comb_of(a), comb_of(b)).count > 0;
}

static bool spoils(const struct rows_write *before, const struct executor_step *of,
                   const struct rows_comb *rows)
{
    return before->of->number >= of->number && meet(rows, &before->rows);
}

static void check_rewrite(struct chip *chip, const struct run *run, const struct program_operand *o,
                          const struct rows_comb *rows, bool repeats)
{
    const struct rows *s = &chip->rows;
    int32_t n = *list_of(chip, run->of, o->tensor, o->sub);
    while (n >= 0 && !repeats && !spoils(&s->write[n], run->of, rows))
        n = s->write[n].next;
    if (n >= 0 || repeats)
        snprintf(sram_report_place(chip, run, rows->cycle, o->index)->found, CHIP_TEXT_BYTES,
                 "a row written for the second time");
}

static int32_t take_write(struct rows *s)
{
    int32_t n = s->spare;
    if (n >= 0) {
        s->spare = s->write[n].next;
        return n;
    }
    s->write = base_grow(s->write, &s->write_capacity, s->writes + 1, sizeof *s->write);
    return (int32_t)s->writes++;
}

void rows_write(struct chip *chip, const struct run *run, const struct program_operand *o,
                struct rows_comb rows)
{
    int32_t *head = list_of(chip, run->of, o->tensor, o->sub);
    bool repeats = rows.step == 0 && rows.count > 1;
    rows = ascending(rows);
    if (run->of->loaded->is_read[o->tensor])
        check_rewrite(chip, run, o, &rows, repeats);
    int32_t n = take_write(&chip->rows);
    chip->rows.write[n] = (struct rows_write){run->of, rows, *head};
    *head = n;
}

/* The cache that a tensor is; NULL: none. */
static const struct resident *cache_of(const struct chip *chip, const struct executor_step *of,
                                       int32_t tensor)
{
    bool cache =
        of->program->tensor[tensor].kind == PROGRAM_TENSOR_KV && of->loaded->resident[tensor] >= 0;
    return cache ? &chip->residents.at[of->loaded->resident[tensor]] : NULL;
}

/* Rows of a cache from the position of the sequence that a read names, `ahead` rows on. */
static struct resident_rows rows_from(const struct resident *r, const struct rows_read *read,
                                      int32_t ahead)
{
    const struct program_instruction *i = &read->of->program->instruction[read->instruction];
    struct program_sequence s = read->of->runtime.sequence[i->sequence];
    s.position += ahead;
    return r ? residents_rows_from(r, read->sub, s) : (struct resident_rows){0, 0};
}

/* Members of a read (rows ascend) that lie in [from, to). */
static uint64_t members_in(const struct rows_comb *rows, struct resident_rows range)
{
    int32_t from = range.from - rows->row, to = range.to - rows->row;
    if (rows->step > 1) {
        from = from > 0 ? (from + rows->step - 1) / rows->step : 0;
        to = to > 0 ? (to + rows->step - 1) / rows->step : 0;
    }
    from = from > 0 ? from : 0;
    to = to < rows->count ? to : rows->count;
    return from < to ? UINT64_MAX >> (64 - (to - from)) << from : 0;
}

/* Members whose cache rows finished steps wrote. */
static uint64_t members_written(const struct resident *r, const struct rows_read *read)
{
    uint64_t written = 0;
    for (int32_t k = 0; k < read->rows.count; k++)
        if (resident_row_is_written(r, read->sub, read->rows.row + k * read->rows.step))
            written |= UINT64_C(1) << k;
    return written;
}

/* Members of a read that must have been written in an open step: not padding, not positions yet to
 * come, not cache rows of finished steps. Rows from its own position on a step writes itself:
 * whatever an earlier one left there is not meant. */
static uint64_t wanted_of(const struct chip *chip, const struct rows_read *read)
{
    const struct program *p = read->of->program;
    const struct resident *r = cache_of(chip, read->of, read->tensor);
    struct resident_rows valid = {0, p->tensor[read->tensor].valid};
    uint64_t wanted = members_in(&read->rows, valid);
    if (!r)
        return wanted;
    uint64_t own = members_in(&read->rows, rows_from(r, read, 0));
    uint64_t to_come = members_in(&read->rows, rows_from(r, read, p->rows / p->sequences));
    return wanted & ~to_come & ~(members_written(r, read) & ~own);
}

/* Members of a read that only its own step can serve. */
static uint64_t own_members(const struct chip *chip, const struct rows_read *read)
{
    const struct resident *r = cache_of(chip, read->of, read->tensor);
    return r ? members_in(&read->rows, rows_from(r, read, 0)) : 0;
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t greatest(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

bool rows_stand(const struct chip *chip, const struct run *run, const struct program_operand *o,
                int32_t from, int32_t to)
{
    const struct program *p = run->of->program;
    const struct resident *r = cache_of(chip, run->of, o->tensor);
    struct program_sequence sequence = run->of->runtime.sequence[run->instruction->sequence];
    if (!r)
        return from >= p->tensor[o->tensor].valid;
    struct resident_rows own = residents_rows_from(r, o->sub, sequence);
    sequence.position += p->rows / p->sequences;
    struct resident_rows to_come = residents_rows_from(r, o->sub, sequence);
    struct resident_rows before = {from, least(to, own.from)};
    struct resident_rows behind = {greatest(from, own.to), to};
    if (greatest(from, own.from) < least(to, to_come.from))
        return false;
    return resident_rows_are_written(r, o->sub, before) &&
           resident_rows_are_written(r, o->sub, behind);
}

/* Takes from `wanted` the members that the write served before they were read. */
static uint64_t serve(uint64_t wanted, const struct rows_comb *read, const struct rows_comb *write)
{
    if (!may_meet(read, write))
        return wanted;
    struct comb_meeting m = comb_meet(comb_of(read), comb_of(write));
    for (int32_t k = 0; k < m.count; k++) {
        int32_t i = m.a + k * m.a_step, j = m.b + k * m.b_step;
        if (write->cycle + (int64_t)j * write->cycle_step <
            read->cycle + (int64_t)i * read->cycle_step)
            wanted &= ~(UINT64_C(1) << i);
    }
    return wanted;
}

/* The members that are still wanted, given what its own and earlier steps wrote. */
static uint64_t still_wanted(struct chip *chip, const struct rows_read *read)
{
    uint64_t wanted = read->wanted, own = own_members(chip, read);
    const struct rows *s = &chip->rows;
    for (int32_t n = *list_of(chip, read->of, read->tensor, read->sub); n >= 0 && wanted;
         n = s->write[n].next) {
        uint64_t left = serve(wanted, &read->rows, &s->write[n].rows);
        if (s->write[n].of == read->of)
            wanted = left;
        else if (s->write[n].of->number < read->of->number)
            wanted = left | (wanted & own);
    }
    return wanted;
}

static void judge_read(struct chip *chip, const struct rows_read *read)
{
    uint64_t wanted = still_wanted(chip, read);
    if (!wanted)
        return;
    int32_t k = 0;
    while (!(wanted >> k & 1))
        k++;
    struct chip_violation *v =
        executor_report(chip, read->of, CHIP_RULE_RESIDENCY, read->instruction,
                        read->rows.cycle + (int64_t)k * read->rows.cycle_step);
    executor_identity_text(read->of->program, read->tensor, read->sub,
                           read->rows.row + (int64_t)k * read->rows.step, v->expected);
    snprintf(v->found, sizeof v->found, "a row not written by then");
}

/* Judges reads that ended before `now`: all writes that could serve them are known. */
static void judge_reads(struct chip *chip, int64_t now)
{
    struct rows *s = &chip->rows;
    size_t kept = 0;
    for (size_t n = 0; n < s->reads; n++) {
        struct rows_read read = s->read[n];
        int64_t last = read.rows.cycle + (int64_t)(read.rows.count - 1) * read.rows.cycle_step;
        if ((last > read.rows.cycle ? last : read.rows.cycle) < now)
            judge_read(chip, &read);
        else
            s->read[kept++] = read;
    }
    s->reads = kept;
    s->read_limit = READ_LIMIT + 2 * kept;
}

void rows_read(struct chip *chip, const struct run *run, const struct program_operand *o,
               struct rows_comb rows)
{
    struct rows *s = &chip->rows;
    struct rows_read read = {.of = run->of,
                             .rows = ascending(rows),
                             .tensor = o->tensor,
                             .sub = o->sub,
                             .instruction = run->number};
    read.wanted = wanted_of(chip, &read);
    if (!read.wanted)
        return;
    if (s->reads >= s->read_limit)
        judge_reads(chip, run->cycle);
    s->read = base_grow(s->read, &s->read_capacity, s->reads + 1, sizeof *s->read);
    s->read[s->reads++] = read;
}

static void give_back(struct rows *s, int32_t n)
{
    s->write[n].next = s->spare;
    s->spare = n;
}

static void keep_rows(struct resident *r, int32_t sub, const struct rows_comb *rows)
{
    for (int32_t k = 0; k < rows->count; k++)
        resident_write_row(r, sub, rows->row + k * rows->step);
}

/* Cache rows of the step become rows of finished steps. */
static void keep_cache(struct rows *s, struct resident *r, int32_t sub,
                       const struct executor_step *of)
{
    int32_t *link = &r->head[sub];
    while (*link >= 0) {
        struct rows_write *write = &s->write[*link];
        if (write->of != of) {
            link = &write->next;
            continue;
        }
        int32_t n = *link, next = write->next;
        keep_rows(r, sub, &write->rows);
        give_back(s, n);
        *link = next;
    }
}

static void forget_writes(struct rows *s, int32_t n)
{
    while (n >= 0) {
        int32_t next = s->write[n].next;
        give_back(s, n);
        n = next;
    }
}

/* Reads that go on take what the step wrote before it is forgotten. */
static void serve_open_reads(struct chip *chip)
{
    for (size_t n = 0; n < chip->rows.reads; n++)
        chip->rows.read[n].wanted = still_wanted(chip, &chip->rows.read[n]);
}

void rows_close(struct chip *chip, struct executor_step *of, int64_t now)
{
    const struct program *p = of->program;
    judge_reads(chip, now);
    serve_open_reads(chip);
    for (size_t n = 0; n < p->tensors; n++)
        for (int32_t s = 0; s < p->tensor[n].subs && p->tensor[n].kind == PROGRAM_TENSOR_KV &&
                            of->loaded->resident[n] >= 0;
             s++)
            keep_cache(&chip->rows, &chip->residents.at[of->loaded->resident[n]], s, of);
    for (int32_t n = 0; n < of->loaded->heads; n++)
        forget_writes(&chip->rows, of->head[n]);
}
