/* SPDX-License-Identifier: BSD-3-Clause */
/* Judges memory accesses: banks, places, windows, and reads after writes. */
#include "chip/sram.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/comb.h"
#include "chip/executor.h"
#include "chip/experts.h"

enum { READ_LIMIT = 256, NO_BANK = -1 };

void sram_create(struct chip *chip)
{
    chip->sram.slice = base_alloc(PROGRAM_QUEUE_VXM, sizeof *chip->sram.slice);
    chip->sram.spare = -1;
    chip->sram.read_limit = READ_LIMIT;
}

void sram_release(struct chip *chip)
{
    for (int32_t n = 0; n < PROGRAM_QUEUE_VXM; n++)
        base_free(chip->sram.slice[n].at);
    base_free(chip->sram.slice);
    base_free(chip->sram.write);
    base_free(chip->sram.read);
    chip->sram = (struct sram){0};
}

void sram_begin(struct executor_step *of)
{
    of->head = base_alloc((size_t)of->loaded->heads, sizeof *of->head);
    for (int32_t n = 0; n < of->loaded->heads; n++)
        of->head[n] = -1;
}

/* An address, and whether run-time values led it away from the tensor (to the dump or zero row). */
struct target {
    int64_t address;
    bool away;
};

static int64_t clamp(int64_t value, int64_t high)
{
    return value < 0 ? 0 : (value > high ? high : value);
}

/* Rows from the first cache of a tensor to that of the instruction's sequence. */
static int64_t cache_offset(const struct executor_step *of, const struct program_instruction *i)
{
    return (int64_t)of->runtime.sequence[i->sequence].cache * i->width;
}

static struct target kv_target(const struct executor_step *of, const struct program_instruction *i,
                               int32_t inner)
{
    int64_t row =
        (int64_t)of->runtime.sequence[i->sequence].position + i->argument + 16 * (int64_t)inner;
    int32_t local = -1;
    if (row >= 0 && row < INT32_MAX)
        local = program_kv_owner(of->program->kv_tile_positions, program_is_east(i->queue), i->low,
                                 (int32_t)row);
    return local < 0 ? (struct target){i->limit, true}
                     : (struct target){i->address + cache_offset(of, i) + local / 16, false};
}

static struct target token_target(const struct executor_step *of,
                                  const struct program_instruction *i, int32_t inner, int32_t outer)
{
    int64_t step = (int64_t)inner * i->stride[0];
    int32_t local = -1;
    if (outer < of->runtime.tokens)
        local = program_token_owner(of->program, i->low, of->runtime.token[outer]);
    return local < 0 ? (struct target){i->limit + step, true}
                     : (struct target){i->address + step + (int64_t)local * i->stride[1], false};
}

static struct target expert_target(const struct chip *chip, const struct run *run, int32_t inner,
                                   int32_t outer)
{
    const struct program_instruction *i = run->instruction;
    int64_t id =
        experts_id(chip, run->of, executor_output(run, 1)->tensor, i->low + outer / i->width);
    return (struct target){i->address + (int64_t)inner * i->stride[0] +
                               (int64_t)(outer % i->width) * i->stride[1] + id * i->limit,
                           false};
}

static struct target target_of(const struct chip *chip, const struct run *run, int32_t k)
{
    const struct program_instruction *i = run->instruction;
    int64_t position = run->of->runtime.sequence[i->sequence].position;
    switch (i->address_mode) {
    case PROGRAM_ADDRESS_POSITION:
        return (struct target){run_value(run, i->address + position, i->stride, k), false};
    case PROGRAM_ADDRESS_CLAMP:
        return (struct target){
            i->address + clamp(run_value(run, position + i->argument, i->stride, k), i->limit),
            false};
    case PROGRAM_ADDRESS_KV:
        return kv_target(run->of, i, run_inner(run, k));
    case PROGRAM_ADDRESS_CACHE:
        return (struct target){run_value(run, i->address + cache_offset(run->of, i), i->stride, k),
                               false};
    case PROGRAM_ADDRESS_TOKEN:
        return token_target(run->of, i, run_inner(run, k), run_outer(run, k));
    case PROGRAM_ADDRESS_EXPERT:
        return expert_target(chip, run, run_inner(run, k), run_outer(run, k));
    default:
        return (struct target){run_value(run, i->address, i->stride, k), false};
    }
}

int64_t sram_address(const struct chip *chip, const struct run *run, int32_t k)
{
    return target_of(chip, run, k).address;
}

/* Whether the members' addresses are equally spaced; those of one slot are. */
static bool is_linear(const struct run *run)
{
    int32_t mode = run->instruction->address_mode;
    return mode == PROGRAM_ADDRESS_STATIC || mode == PROGRAM_ADDRESS_POSITION ||
           mode == PROGRAM_ADDRESS_CACHE || (mode == PROGRAM_ADDRESS_EXPERT && run->level == 0);
}

static int32_t bank_of(const struct chip *chip, int64_t address)
{
    return (int32_t)(address / (chip->machine->vectors_per_slice / chip->machine->banks_per_slice));
}

/* The bank of all accesses, or NO_BANK where they differ. */
static int32_t common_bank(const struct chip *chip, const struct run *run)
{
    int32_t bank = bank_of(chip, target_of(chip, run, 0).address);
    if (is_linear(run))
        return bank == bank_of(chip, target_of(chip, run, run->count - 1).address) ? bank : NO_BANK;
    for (int32_t k = 1; k < run->count; k++)
        if (bank != bank_of(chip, target_of(chip, run, k).address))
            return NO_BANK;
    return bank;
}

static int32_t bank_at(const struct chip *chip, const struct sram_access *a, int32_t k)
{
    return a->bank != NO_BANK ? a->bank : bank_of(chip, target_of(chip, &a->run, k).address);
}

static struct comb comb_of(const struct sram_access *a)
{
    return (struct comb){a->first, a->run.step, a->run.count};
}

static void report_bank(struct chip *chip, const struct sram_access *a, int32_t i,
                        const struct sram_access *b, int32_t j)
{
    struct chip_violation *v = executor_report(chip, a->run.of, CHIP_RULE_BANK, a->run.number,
                                               a->first + (int64_t)i * a->run.step);
    snprintf(v->expected, sizeof v->expected, "bank %d free for row %lld", bank_at(chip, a, i),
             (long long)target_of(chip, &a->run, i).address);
    snprintf(v->found, sizeof v->found, "a %s of row %lld",
             program_opcode_name(b->run.instruction->opcode),
             (long long)target_of(chip, &b->run, j).address);
}

/* Reports the first cycle in which two runs use one bank. */
static void check_runs(struct chip *chip, const struct sram_access *a, const struct sram_access *b)
{
    struct comb_meeting m = comb_meet(comb_of(a), comb_of(b));
    for (int32_t k = 0; k < m.count; k++) {
        int32_t i = m.a + k * m.a_step, j = m.b + k * m.b_step;
        if (bank_at(chip, a, i) == bank_at(chip, b, j)) {
            report_bank(chip, a, i, b, j);
            return;
        }
    }
}

static uint32_t pieces_of(const struct sram_access *a)
{
    return a->whole ? order_pieces(a->run.instruction) : 1;
}

static struct sram_access piece_of(const struct sram_access *a, uint32_t piece)
{
    struct sram_access part = *a;
    if (!a->whole)
        return part;
    part.run = order_piece(&a->run, piece);
    part.first += part.run.cycle - a->run.cycle;
    part.last = part.first + (int64_t)(part.run.count - 1) * part.run.step;
    part.whole = false;
    return part;
}

static bool is_disjoint(const struct sram_access *a, const struct sram_access *b)
{
    bool fixed = a->bank != NO_BANK && b->bank != NO_BANK;
    return a->last < b->first || b->last < a->first || (fixed && a->bank != b->bank);
}

/* Of two accesses whose times overlap: run by run; the one issued later is reported. */
static void check_banks(struct chip *chip, const struct sram_access *new,
                        const struct sram_access *old)
{
    for (uint32_t p = 0; p < pieces_of(new) && !is_disjoint(new, old); p++) {
        struct sram_access a = piece_of(new, p);
        for (uint32_t q = 0; q < pieces_of(old) && !is_disjoint(&a, old); q++) {
            struct sram_access b = piece_of(old, q);
            if (is_disjoint(&a, &b))
                continue;
            if (b.run.cycle > a.run.cycle)
                check_runs(chip, &b, &a);
            else
                check_runs(chip, &a, &b);
        }
    }
}

/* Holds an access against those that are still under way when its instruction is issued, at `now`.
 */
static void access_bank(struct chip *chip, const struct sram_access *access, int64_t now)
{
    struct sram_slice *slice = &chip->sram.slice[access->run.instruction->queue];
    size_t kept = 0;
    for (size_t n = 0; n < slice->count; n++)
        if (slice->at[n].last >= now) {
            check_banks(chip, access, &slice->at[n]);
            slice->at[kept++] = slice->at[n];
        }
    slice->count = kept;
    slice->at = base_grow(slice->at, &slice->capacity, slice->count + 1, sizeof *slice->at);
    slice->at[slice->count++] = *access;
}

static void access_run_bank(struct chip *chip, const struct run *run, int64_t skew)
{
    struct sram_access access = {.first = run->cycle + skew,
                                 .last = run->cycle + skew + (int64_t)(run->count - 1) * run->step,
                                 .bank = common_bank(chip, run),
                                 .run = *run};
    access_bank(chip, &access, run->of->start + run->instruction->cycle);
}

static struct chip_violation *report_place(struct chip *chip, const struct run *run, int64_t cycle,
                                           int64_t index)
{
    const struct program_operand *o = executor_held(run);
    struct chip_violation *v =
        executor_report(chip, run->of, CHIP_RULE_RESIDENCY, run->number, cycle);
    executor_identity_text(run->of->program, o->tensor, o->sub, index, v->expected);
    return v;
}

/* A level that does not repeat has no stride, but for the rows between two tokens and what tells
 * experts' slots apart. */
static bool has_strides_of(const struct program_instruction *i, const struct program_operand *o)
{
    bool outer = i->count[1] > 1 || i->address_mode == PROGRAM_ADDRESS_TOKEN ||
                 i->address_mode == PROGRAM_ADDRESS_EXPERT;
    return (i->count[0] == 1 || i->stride[0] == o->stride[0]) &&
           (!outer || i->stride[1] == o->stride[1]);
}

/* A cache write stores vector r of its stream as row r of the step. */
static bool carries_its_rows(const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    const struct program_operand *o = &run->of->program->operand[i->operand];
    return o->index == i->argument && (i->count[0] == 1 || o->stride[0] == 16) &&
           (i->count[1] == 1 || o->stride[1] == 0);
}

/* The table has `limit` vectors for each expert; the ids are numbers of the slots, and the label
 * goes on from slot to slot. */
static bool chooses_experts(const struct run *run, const struct program_operand *table)
{
    const struct program_instruction *i = run->instruction;
    const struct program *p = run->of->program;
    const struct program_operand *label = executor_output(run, 0), *ids = executor_output(run, 1);
    return (int64_t)i->limit * p->experts == p->tensor[table->tensor].valid &&
           experts_are_ids(run->of, ids) && ids->index == i->low &&
           label->index == table->index + (int64_t)i->low * i->width * i->stride[1] &&
           has_strides_of(i, label);
}

/* Whether run-time values choose among the vectors as operand and tensor say. `offset` is that of
 * the address in the tensor. */
static bool chooses_as_named(const struct run *run, const struct program_operand *o, int64_t offset)
{
    const struct program_instruction *i = run->instruction;
    const struct program *p = run->of->program;
    const struct program_tensor *t = &p->tensor[o->tensor];
    switch (i->address_mode) {
    case PROGRAM_ADDRESS_CLAMP:
        return offset == 0 && i->limit == t->count - 1 && i->argument == o->index;
    case PROGRAM_ADDRESS_KV:
        return offset == o->index && i->width == program_cache_rows(t) && carries_its_rows(run);
    case PROGRAM_ADDRESS_CACHE:
        return offset == o->index && i->width == program_cache_rows(t);
    case PROGRAM_ADDRESS_TOKEN:
        return offset == o->index &&
               (int64_t)i->low * t->subs == (int64_t)o->sub * p->embedding_groups;
    case PROGRAM_ADDRESS_EXPERT:
        return offset == o->index && chooses_experts(run, o);
    default:
        return offset == o->index;
    }
}

/* Whether the instruction's addresses are those of the vectors that it names. */
static void check_addresses(struct chip *chip, const struct run *run,
                            const struct program_operand *o)
{
    const struct program_instruction *i = run->instruction;
    const struct program *p = run->of->program;
    const struct program_tensor *t = &p->tensor[o->tensor];
    if (t->slice < 0) {
        snprintf(report_place(chip, run, run->cycle, o->index)->found, CHIP_TEXT_BYTES,
                 "a tensor without a place");
        return;
    }
    int32_t slice = p->slice[t->slice + o->sub];
    int64_t offset = (int64_t)i->address - program_tensor_address(p, t, o->sub);
    if (slice == i->queue && chooses_as_named(run, o, offset) && has_strides_of(i, o))
        return;
    struct chip_violation *v = report_place(chip, run, run->cycle, o->index);
    if (slice != i->queue)
        snprintf(v->found, sizeof v->found, "slice %d, not %d", i->queue, slice);
    else
        snprintf(v->found, sizeof v->found, "row %d, %s vector %lld", i->address,
                 offset == o->index ? "but not the steps or choice of" : "that of",
                 (long long)offset);
}

static void check_window(struct chip *chip, const struct run *run, const struct program_operand *o,
                         int64_t skew)
{
    const struct program_tensor *t = &run->of->program->tensor[o->tensor];
    int64_t first = run->instruction->cycle + skew;
    int64_t last = order_last_issue(run->instruction) + skew;
    if (first >= t->live_from && last < t->live_to)
        return;
    int64_t cycle = run->of->start + (first < t->live_from ? first : last);
    snprintf(report_place(chip, run, cycle, o->index)->found, CHIP_TEXT_BYTES,
             "outside its window %lld to %lld", (long long)t->live_from, (long long)t->live_to);
}

static bool is_kept_in_order(const struct program_tensor *t)
{
    return t->kind == PROGRAM_TENSOR_ACTIVATION || t->kind == PROGRAM_TENSOR_KV;
}

static void check_instruction(struct chip *chip, const struct run *run,
                              const struct program_operand *o, int64_t skew)
{
    const struct program_tensor *t = &run->of->program->tensor[o->tensor];
    if (t->kind != PROGRAM_TENSOR_ZERO) {
        check_addresses(chip, run, o);
        check_window(chip, run, o, skew);
    }
    if (run->instruction->opcode == PROGRAM_MEM_WRITE && !is_kept_in_order(t))
        snprintf(report_place(chip, run, run->cycle + skew, o->index)->found, CHIP_TEXT_BYTES,
                 "a write to what only the host may write");
}

static struct comb rows_comb(const struct sram_rows *r)
{
    return (struct comb){r->row, r->step, r->count};
}

/* Ascending rows; one row accessed again and again counts with its first access. */
static struct sram_rows ascending(struct sram_rows r)
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

static bool meet(const struct sram_rows *a, const struct sram_rows *b)
{
    return a->row <= b->row + (b->count - 1) * b->step &&
           b->row <= a->row + (a->count - 1) * a->step &&
           comb_meet(rows_comb(a), rows_comb(b)).count > 0;
}

/* Rows are written once a step, so that a read can get one version only. Of the cache, a later step
 * may write again what an earlier one wrote, but not the other way round. */
static bool spoils(const struct sram_write *before, const struct executor_step *of,
                   const struct sram_rows *rows)
{
    return before->of->number >= of->number && meet(rows, &before->rows);
}

static void check_rewrite(struct chip *chip, const struct run *run, const struct program_operand *o,
                          const struct sram_rows *rows, bool repeats)
{
    const struct sram *s = &chip->sram;
    int32_t n = *list_of(chip, run->of, o->tensor, o->sub);
    while (n >= 0 && !repeats && !spoils(&s->write[n], run->of, rows))
        n = s->write[n].next;
    if (n >= 0 || repeats)
        snprintf(report_place(chip, run, rows->cycle, o->index)->found, CHIP_TEXT_BYTES,
                 "a row written for the second time");
}

static int32_t take_write(struct sram *s)
{
    int32_t n = s->spare;
    if (n >= 0) {
        s->spare = s->write[n].next;
        return n;
    }
    s->write = base_grow(s->write, &s->write_capacity, s->writes + 1, sizeof *s->write);
    return (int32_t)s->writes++;
}

static void note_write(struct chip *chip, const struct run *run, const struct program_operand *o,
                       struct sram_rows rows)
{
    int32_t *head = list_of(chip, run->of, o->tensor, o->sub);
    bool repeats = rows.step == 0 && rows.count > 1;
    rows = ascending(rows);
    if (run->of->loaded->is_read[o->tensor])
        check_rewrite(chip, run, o, &rows, repeats);
    int32_t n = take_write(&chip->sram);
    chip->sram.write[n] = (struct sram_write){run->of, rows, *head};
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
static struct resident_rows rows_from(const struct resident *r, const struct sram_read *read,
                                      int32_t ahead)
{
    const struct program_instruction *i = &read->of->program->instruction[read->instruction];
    struct program_sequence s = read->of->runtime.sequence[i->sequence];
    s.position += ahead;
    return r ? residents_rows_from(r, read->sub, s) : (struct resident_rows){0, 0};
}

static bool is_in(struct resident_rows rows, int32_t row)
{
    return row >= rows.from && row < rows.to;
}

/* Members of a read that must have been written in an open step: not padding, not positions yet to
 * come, not cache rows of finished steps. Rows from its own position on a step writes itself:
 * whatever an earlier one left there is not meant. */
static uint64_t wanted_of(const struct chip *chip, const struct sram_read *read)
{
    const struct program *p = read->of->program;
    const struct resident *r = cache_of(chip, read->of, read->tensor);
    struct resident_rows own = rows_from(r, read, 0);
    struct resident_rows to_come = rows_from(r, read, p->rows / p->sequences);
    uint64_t wanted = 0;
    for (int32_t k = 0; k < read->rows.count; k++) {
        int32_t row = read->rows.row + k * read->rows.step;
        bool stands = r && !is_in(own, row) && resident_row_is_written(r, read->sub, row);
        if (row < p->tensor[read->tensor].valid && !is_in(to_come, row) && !stands)
            wanted |= UINT64_C(1) << k;
    }
    return wanted;
}

/* Members of a read that only its own step can serve. */
static uint64_t own_members(const struct chip *chip, const struct sram_read *read)
{
    const struct resident *r = cache_of(chip, read->of, read->tensor);
    struct resident_rows own = rows_from(r, read, 0);
    uint64_t members = 0;
    for (int32_t k = 0; r && k < read->rows.count; k++)
        if (is_in(own, read->rows.row + k * read->rows.step))
            members |= UINT64_C(1) << k;
    return members;
}

/* Takes from `wanted` the members that the write served before they were read. */
static uint64_t serve(uint64_t wanted, const struct sram_rows *read, const struct sram_rows *write)
{
    struct comb_meeting m = comb_meet(rows_comb(read), rows_comb(write));
    for (int32_t k = 0; k < m.count; k++) {
        int32_t i = m.a + k * m.a_step, j = m.b + k * m.b_step;
        if (write->cycle + (int64_t)j * write->cycle_step <
            read->cycle + (int64_t)i * read->cycle_step)
            wanted &= ~(UINT64_C(1) << i);
    }
    return wanted;
}

/* The members that are still wanted, given what its own and earlier steps wrote. */
static uint64_t still_wanted(struct chip *chip, const struct sram_read *read)
{
    uint64_t wanted = read->wanted, own = own_members(chip, read);
    const struct sram *s = &chip->sram;
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

static void judge_read(struct chip *chip, const struct sram_read *read)
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
    struct sram *s = &chip->sram;
    size_t kept = 0;
    for (size_t n = 0; n < s->reads; n++) {
        struct sram_read read = s->read[n];
        int64_t last = read.rows.cycle + (int64_t)(read.rows.count - 1) * read.rows.cycle_step;
        if ((last > read.rows.cycle ? last : read.rows.cycle) < now)
            judge_read(chip, &read);
        else
            s->read[kept++] = read;
    }
    s->reads = kept;
    s->read_limit = READ_LIMIT + 2 * kept;
}

static void note_read(struct chip *chip, const struct run *run, const struct program_operand *o,
                      struct sram_rows rows)
{
    struct sram *s = &chip->sram;
    struct sram_read read = {.of = run->of,
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

/* Members k to k + count - 1, whose addresses are equally spaced and within the tensor or not. */
static void access_rows(struct chip *chip, const struct run *run, const struct program_operand *o,
                        int32_t k, int32_t count, int64_t skew)
{
    const struct program_tensor *t = &run->of->program->tensor[o->tensor];
    if (t->slice < 0)
        return;
    int64_t base = program_tensor_address(run->of->program, t, o->sub);
    int64_t first = target_of(chip, run, k).address - base;
    int64_t last = target_of(chip, run, k + count - 1).address - base;
    int64_t cycle = run->cycle + (int64_t)k * run->step + skew;
    if (first < 0 || first >= t->count || last < 0 || last >= t->count) {
        snprintf(report_place(chip, run, cycle, o->index)->found, CHIP_TEXT_BYTES,
                 "row %lld of its %d", (long long)(first < 0 || first >= t->count ? first : last),
                 t->count);
        return;
    }
    if (run->of->loaded->head[o->tensor] < 0)
        return;
    struct sram_rows rows = {.row = (int32_t)first,
                             .step = count > 1 ? (int32_t)((last - first) / (count - 1)) : 1,
                             .count = count,
                             .cycle = cycle,
                             .cycle_step = run->step};
    if (run->instruction->opcode == PROGRAM_MEM_WRITE)
        note_write(chip, run, o, rows);
    else
        note_read(chip, run, o, rows);
}

static void expect_zero_rows(struct chip *chip, const struct run *run, int32_t k, int32_t count)
{
    int64_t first = target_of(chip, run, k).address;
    int64_t last = target_of(chip, run, k + count - 1).address;
    int64_t low = first < last ? first : last, high = first < last ? last : first;
    if (residents_are_zero(&chip->residents, run->instruction->queue, (int32_t)low,
                           (int32_t)high + 1))
        return;
    struct chip_violation *v = executor_report(chip, run->of, CHIP_RULE_RESIDENCY, run->number,
                                               run->cycle + (int64_t)k * run->step);
    snprintf(v->expected, sizeof v->expected, "zero rows");
    snprintf(v->found, sizeof v->found, "rows %lld to %lld", (long long)low, (long long)high);
}

/* Members whose addresses run-time values scatter, one by one. */
static void access_scattered(struct chip *chip, const struct run *run,
                             const struct program_operand *o, int64_t skew)
{
    bool writes = run->instruction->opcode == PROGRAM_MEM_WRITE;
    for (int32_t k = 0; k < run->count; k++) {
        if (!target_of(chip, run, k).away)
            access_rows(chip, run, o, k, 1, skew);
        else if (!writes)
            expect_zero_rows(chip, run, k, 1);
    }
}

static bool is_in_slice(struct chip *chip, const struct run *run, int64_t skew)
{
    for (int32_t k = 0; k < run->count;
         k += is_linear(run) && run->count > 1 ? run->count - 1 : 1) {
        int64_t address = target_of(chip, run, k).address;
        if (address >= 0 && address < chip->machine->vectors_per_slice)
            continue;
        struct chip_violation *v = executor_report(chip, run->of, CHIP_RULE_CAPACITY, run->number,
                                                   run->cycle + (int64_t)k * run->step + skew);
        snprintf(v->expected, sizeof v->expected, "%d rows a slice",
                 chip->machine->vectors_per_slice);
        snprintf(v->found, sizeof v->found, "row %lld", (long long)address);
        return false;
    }
    return true;
}

/* The ids that complete a run's addresses were written in time for its first issue. */
static void expect_ids(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    const struct program_operand *ids = executor_output(run, 1);
    int32_t first = i->low + run_outer(run, 0) / i->width,
            last = i->low + run_outer(run, run->count - 1) / i->width;
    int64_t known = run->cycle - program_expert_delay_cycles(chip->machine);
    const struct program_tensor *t = &run->of->program->tensor[ids->tensor];
    if (!experts_are_ids(run->of, ids) || last >= t->count)
        return; /* told with the instruction's choice */
    if (known - run->of->start < t->live_from || run->cycle - run->of->start >= t->live_to)
        snprintf(report_place(chip, run, run->cycle, ids->index)->found, CHIP_TEXT_BYTES,
                 "ids outside their window %lld to %lld", (long long)t->live_from,
                 (long long)t->live_to);
    for (int32_t sub = 0; sub < t->subs; sub++) {
        struct program_operand one = *ids;
        one.sub = (uint8_t)sub;
        note_read(
            chip, run, &one,
            (struct sram_rows){.row = first, .step = 1, .count = last - first + 1, .cycle = known});
    }
}

static void execute_run(struct chip *chip, const struct run *run, const struct program_operand *o,
                        int64_t skew)
{
    const struct program_tensor *t = &run->of->program->tensor[o->tensor];
    if (run->instruction->address_mode == PROGRAM_ADDRESS_EXPERT)
        expect_ids(chip, run);
    if (!is_in_slice(chip, run, skew))
        return;
    access_run_bank(chip, run, skew);
    if (t->kind == PROGRAM_TENSOR_ZERO)
        expect_zero_rows(chip, run, 0, run->count);
    else if (is_linear(run))
        access_rows(chip, run, o, 0, run->count, skew);
    else
        access_scattered(chip, run, o, skew);
}

/* Addresses [low, high] of an instruction whose addresses are linear on both levels. */
struct reach {
    int64_t low, high;
};

static struct reach reach_of(const struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    int64_t address = target_of(chip, run, 0).address;
    struct reach reach = {address, address};
    for (int level = 0; level < 2; level++) {
        int64_t length = (int64_t)(i->count[level] - 1) * i->stride[level];
        *(length < 0 ? &reach.low : &reach.high) += length;
    }
    return reach;
}

/* Whether all repeats concern rows of a tensor that no step writes: their order says nothing. */
static bool reads_what_stands(const struct chip *chip, const struct run *run,
                              const struct program_operand *o, const struct reach *reach)
{
    const struct program *p = run->of->program;
    const struct program_tensor *t = &p->tensor[o->tensor];
    if (t->kind == PROGRAM_TENSOR_ZERO || t->slice < 0 || run->of->loaded->head[o->tensor] >= 0)
        return false;
    int64_t base = program_tensor_address(p, t, o->sub);
    return reach->low >= 0 && reach->high < chip->machine->vectors_per_slice &&
           reach->low >= base && reach->high < base + t->count;
}

/* All repeats at once; false where they must be looked at run by run. */
static bool execute_whole(struct chip *chip, const struct run *run, const struct program_operand *o,
                          int64_t skew)
{
    const struct program_instruction *i = run->instruction;
    if (!is_linear(run) || i->address_mode == PROGRAM_ADDRESS_EXPERT)
        return false;
    struct reach reach = reach_of(chip, run);
    if (!reads_what_stands(chip, run, o, &reach))
        return false;
    int32_t bank = bank_of(chip, reach.low);
    int64_t first = run->cycle + skew;
    struct sram_access access = {.first = first,
                                 .last = first + order_last_issue(i) - i->cycle,
                                 .bank = bank == bank_of(chip, reach.high) ? bank : NO_BANK,
                                 .whole = true,
                                 .run = *run};
    access_bank(chip, &access, run->cycle);
    return true;
}

void sram_execute(struct chip *chip, const struct run *run)
{
    const struct program_operand *o = executor_held(run);
    bool writes = run->instruction->opcode == PROGRAM_MEM_WRITE;
    int64_t skew = writes ? chip->machine->mem_write_skew_cycles : 0;
    check_instruction(chip, run, o, skew);
    if (execute_whole(chip, run, o, skew))
        return;
    for (uint32_t piece = 0; piece < order_pieces(run->instruction); piece++) {
        struct run part = order_piece(run, piece);
        execute_run(chip, &part, o, skew);
    }
}

static void give_back(struct sram *s, int32_t n)
{
    s->write[n].next = s->spare;
    s->spare = n;
}

static void keep_rows(struct resident *r, int32_t sub, const struct sram_rows *rows)
{
    for (int32_t k = 0; k < rows->count; k++)
        resident_write_row(r, sub, rows->row + k * rows->step);
}

/* Cache rows of the step become rows of finished steps. */
static void keep_cache(struct sram *s, struct resident *r, int32_t sub,
                       const struct executor_step *of)
{
    int32_t *link = &r->head[sub];
    while (*link >= 0) {
        struct sram_write *write = &s->write[*link];
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

static void forget_writes(struct sram *s, int32_t n)
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
    for (size_t n = 0; n < chip->sram.reads; n++)
        chip->sram.read[n].wanted = still_wanted(chip, &chip->sram.read[n]);
}

void sram_close(struct chip *chip, struct executor_step *of, int64_t now)
{
    const struct program *p = of->program;
    judge_reads(chip, now);
    serve_open_reads(chip);
    for (size_t n = 0; n < p->tensors; n++)
        for (int32_t s = 0; s < p->tensor[n].subs && p->tensor[n].kind == PROGRAM_TENSOR_KV &&
                            of->loaded->resident[n] >= 0;
             s++)
            keep_cache(&chip->sram, &chip->residents.at[of->loaded->resident[n]], s, of);
    for (int32_t n = 0; n < of->loaded->heads; n++)
        forget_writes(&chip->sram, of->head[n]);
}

void sram_clear(struct sram *sram)
{
    for (int32_t n = 0; n < PROGRAM_QUEUE_VXM; n++)
        sram->slice[n].count = 0;
}
