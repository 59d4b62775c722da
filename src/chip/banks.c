/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds what a slice does against what it still does. */
#include "chip/banks.h"

#include <stdio.h>

#include "base/memory.h"
#include "chip/addresses.h"
#include "chip/comb.h"
#include "chip/executor.h"

void banks_create(struct banks *banks)
{
    banks->slice = base_alloc(PROGRAM_QUEUE_VXM, sizeof *banks->slice);
}

void banks_release(struct banks *banks)
{
    for (int32_t n = 0; n < PROGRAM_QUEUE_VXM; n++)
        base_free(banks->slice[n].at);
    base_free(banks->slice);
    *banks = (struct banks){0};
}

void banks_clear(struct banks *banks)
{
    for (int32_t n = 0; n < PROGRAM_QUEUE_VXM; n++)
        banks->slice[n].count = 0;
}

int32_t banks_bank(const struct chip *chip, int64_t row)
{
    return (int32_t)(row / (chip->machine->vectors_per_slice / chip->machine->banks_per_slice));
}

/* The run of an access of one piece. */
static struct run run_of(const struct bank_access *a)
{
    struct run run = order_run(a->of->program, a->instruction);
    run.of = a->of;
    run.cycle += a->of->start;
    return order_piece(&run, (uint32_t)a->piece);
}

static int64_t row_at(const struct chip *chip, const struct run *run, int32_t k)
{
    return addresses_target(chip, run, k).address;
}

/* The bank of all members of a run, or BANKS_DIFFER. */
static int32_t common_bank(const struct chip *chip, const struct run *run)
{
    int32_t bank = banks_bank(chip, row_at(chip, run, 0));
    int32_t step = addresses_are_linear_in_runs(run) && run->count > 1 ? run->count - 1 : 1;
    for (int32_t k = step; k < run->count; k += step)
        if (bank != banks_bank(chip, row_at(chip, run, k)))
            return BANKS_DIFFER;
    return bank;
}

static void report(struct chip *chip, const struct run *a, int32_t i, const struct run *b,
                   int32_t j)
{
    int64_t row = row_at(chip, a, i);
    int64_t cycle = a->cycle + chip->timing[a->instruction->opcode].skew + (int64_t)i * a->step;
    struct chip_violation *v = executor_report(chip, a->of, CHIP_RULE_BANK, a->number, cycle);
    snprintf(v->expected, sizeof v->expected, "bank %d free for row %lld", banks_bank(chip, row),
             (long long)row);
    snprintf(v->found, sizeof v->found, "a %s of row %lld",
             program_opcode_name(b->instruction->opcode), (long long)row_at(chip, b, j));
}

/* Reports the first cycle in which two runs use one bank. */
static void check_runs(struct chip *chip, const struct bank_access *later,
                       const struct bank_access *earlier)
{
    struct run a = run_of(later), b = run_of(earlier);
    struct comb_meeting m = comb_meet((struct comb){later->first, a.step, a.count},
                                      (struct comb){earlier->first, b.step, b.count});
    for (int32_t k = 0; k < m.count; k++) {
        int32_t i = m.a + k * m.a_step, j = m.b + k * m.b_step;
        if (banks_bank(chip, row_at(chip, &a, i)) == banks_bank(chip, row_at(chip, &b, j))) {
            report(chip, &a, i, &b, j);
            return;
        }
    }
}

static int32_t pieces_of(const struct bank_access *a)
{
    const struct program_instruction *i = &a->of->program->instruction[a->instruction];
    return a->piece == BANKS_ALL_PIECES ? (int32_t)order_pieces(i) : 1;
}

/* The n-th of them. */
static struct bank_access piece_of(const struct bank_access *a, int32_t n)
{
    struct bank_access part = *a;
    if (a->piece != BANKS_ALL_PIECES)
        return part;
    part.piece = n;
    struct run run = run_of(&part);
    part.first += run.cycle - a->of->start - run.instruction->cycle;
    part.last = part.first + (int64_t)(run.count - 1) * run.step;
    return part;
}

static bool is_disjoint(const struct bank_access *a, const struct bank_access *b)
{
    bool fixed = a->bank != BANKS_DIFFER && b->bank != BANKS_DIFFER;
    return a->last < b->first || b->last < a->first || (fixed && a->bank != b->bank);
}

/* Whether `a` is issued after `b`. */
static bool is_later(const struct chip *chip, const struct bank_access *a,
                     const struct bank_access *b)
{
    int64_t first =
        a->first - chip->timing[a->of->program->instruction[a->instruction].opcode].skew;
    int64_t other =
        b->first - chip->timing[b->of->program->instruction[b->instruction].opcode].skew;
    if (first != other)
        return first > other;
    return a->of == b->of ? a->instruction > b->instruction : a->of->number > b->of->number;
}

/* Run by run; the one issued later is reported. */
static void check(struct chip *chip, const struct bank_access *new, const struct bank_access *old)
{
    for (int32_t p = 0; p < pieces_of(new); p++) {
        struct bank_access a = piece_of(new, p);
        for (int32_t q = 0; q < pieces_of(old) && !is_disjoint(&a, old); q++) {
            struct bank_access b = piece_of(old, q);
            if (is_disjoint(&a, &b))
                continue;
            bool turned = is_later(chip, &b, &a);
            check_runs(chip, turned ? &b : &a, turned ? &a : &b);
        }
    }
}

/* Against those that are still under way when the instruction is issued, at `now`. */
static void use(struct chip *chip, int32_t queue, const struct bank_access *access, int64_t now)
{
    struct bank_slice *slice = &chip->banks.slice[queue];
    size_t kept = 0;
    for (size_t n = 0; n < slice->count; n++) {
        if (slice->at[n].last < now)
            continue;
        if (!is_disjoint(access, &slice->at[n]))
            check(chip, access, &slice->at[n]);
        slice->at[kept++] = slice->at[n];
    }
    slice->count = kept;
    slice->at = base_grow(slice->at, &slice->capacity, slice->count + 1, sizeof *slice->at);
    slice->at[slice->count++] = *access;
}

void banks_use_run(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    int64_t first = run->cycle + chip->timing[i->opcode].skew;
    struct bank_access access = {.first = first,
                                 .last = first + (int64_t)(run->count - 1) * run->step,
                                 .of = run->of,
                                 .instruction = run->number,
                                 .piece = (int32_t)run->piece,
                                 .bank = common_bank(chip, run)};
    use(chip, i->queue, &access, run->of->start + i->cycle);
}

void banks_use_all(struct chip *chip, const struct run *run, int32_t low, int32_t high)
{
    const struct program_instruction *i = run->instruction;
    int64_t first = run->cycle + chip->timing[i->opcode].skew;
    struct bank_access access = {.first = first,
                                 .last = first + order_last_issue(i) - i->cycle,
                                 .of = run->of,
                                 .instruction = run->number,
                                 .piece = BANKS_ALL_PIECES,
                                 .bank = low == high ? low : BANKS_DIFFER};
    use(chip, i->queue, &access, run->cycle);
}
