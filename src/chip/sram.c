/* SPDX-License-Identifier: BSD-3-Clause */
/* Judges memory instructions, as a whole where their addresses are linear, else run by run. */
#include "chip/sram.h"

#include <stdio.h>

#include "chip/addresses.h"
#include "chip/executor.h"
#include "chip/experts.h"

struct chip_violation *sram_report_place(struct chip *chip, const struct run *run, int64_t cycle,
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
        snprintf(sram_report_place(chip, run, run->cycle, o->index)->found, CHIP_TEXT_BYTES,
                 "a tensor without a place");
        return;
    }
    int32_t slice = p->slice[t->slice + o->sub];
    int64_t offset = (int64_t)i->address - program_tensor_address(p, t, o->sub);
    if (slice == i->queue && chooses_as_named(run, o, offset) && has_strides_of(i, o))
        return;
    struct chip_violation *v = sram_report_place(chip, run, run->cycle, o->index);
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
    snprintf(sram_report_place(chip, run, cycle, o->index)->found, CHIP_TEXT_BYTES,
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
        snprintf(sram_report_place(chip, run, run->cycle + skew, o->index)->found, CHIP_TEXT_BYTES,
                 "a write to what only the host may write");
}

/* Members k to k + count - 1, whose addresses are equally spaced and within the tensor or not. */
static void access_rows(struct chip *chip, const struct run *run, const struct program_operand *o,
                        int32_t k, int32_t count, int64_t skew)
{
    const struct program_tensor *t = &run->of->program->tensor[o->tensor];
    if (t->slice < 0)
        return;
    int64_t base = program_tensor_address(run->of->program, t, o->sub);
    int64_t first = addresses_target(chip, run, k).address - base;
    int64_t last = addresses_target(chip, run, k + count - 1).address - base;
    int64_t cycle = run->cycle + (int64_t)k * run->step + skew;
    if (first < 0 || first >= t->count || last < 0 || last >= t->count) {
        snprintf(sram_report_place(chip, run, cycle, o->index)->found, CHIP_TEXT_BYTES,
                 "row %lld of its %d", (long long)(first < 0 || first >= t->count ? first : last),
                 t->count);
        return;
    }
    if (run->of->loaded->head[o->tensor] < 0)
        return;
    struct rows_comb rows = {.row = (int32_t)first,
                             .step = count > 1 ? (int32_t)((last - first) / (count - 1)) : 1,
                             .count = count,
                             .cycle = cycle,
                             .cycle_step = run->step};
    if (run->instruction->opcode == PROGRAM_MEM_WRITE)
        rows_write(chip, run, o, rows);
    else
        rows_read(chip, run, o, rows);
}

static void expect_zero_rows(struct chip *chip, const struct run *run, int32_t k, int32_t count)
{
    int64_t first = addresses_target(chip, run, k).address;
    int64_t last = addresses_target(chip, run, k + count - 1).address;
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
        if (!addresses_target(chip, run, k).away)
            access_rows(chip, run, o, k, 1, skew);
        else if (!writes)
            expect_zero_rows(chip, run, k, 1);
    }
}

static bool is_in_slice(struct chip *chip, const struct run *run, int64_t skew)
{
    for (int32_t k = 0; k < run->count;
         k += addresses_are_linear_in_runs(run) && run->count > 1 ? run->count - 1 : 1) {
        int64_t address = addresses_target(chip, run, k).address;
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
        snprintf(sram_report_place(chip, run, run->cycle, ids->index)->found, CHIP_TEXT_BYTES,
                 "ids outside their window %lld to %lld", (long long)t->live_from,
                 (long long)t->live_to);
    for (int32_t sub = 0; sub < t->subs; sub++) {
        struct program_operand one = *ids;
        one.sub = (uint8_t)sub;
        rows_read(
            chip, run, &one,
            (struct rows_comb){.row = first, .step = 1, .count = last - first + 1, .cycle = known});
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
    banks_use_run(chip, run);
    if (t->kind == PROGRAM_TENSOR_ZERO)
        expect_zero_rows(chip, run, 0, run->count);
    else if (addresses_are_linear_in_runs(run))
        access_rows(chip, run, o, 0, run->count, skew);
    else
        access_scattered(chip, run, o, skew);
}

static bool is_within(const struct chip *chip, const struct run *run,
                      const struct program_operand *o, const struct addresses_reach *reach)
{
    const struct program *p = run->of->program;
    const struct program_tensor *t = &p->tensor[o->tensor];
    if (reach->low < 0 || reach->high >= chip->machine->vectors_per_slice)
        return false;
    if (t->kind == PROGRAM_TENSOR_ZERO)
        return residents_are_zero(&chip->residents, run->instruction->queue, (int32_t)reach->low,
                                  (int32_t)reach->high + 1);
    int64_t base = t->slice < 0 ? 0 : program_tensor_address(p, t, o->sub);
    return t->slice >= 0 && reach->low >= base && reach->high < base + t->count;
}

/* Rows of all runs; `first` is that of the first repeat. */
static void access_all_rows(struct chip *chip, const struct run *run,
                            const struct program_operand *o, int64_t first)
{
    const struct program_instruction *i = run->instruction;
    int32_t skew = chip->timing[i->opcode].skew;
    struct run part = *run;
    do {
        struct rows_comb rows = {.row = (int32_t)run_value(&part, first, i->stride, 0),
                                 .step = part.count > 1 ? i->stride[part.level] : 1,
                                 .count = part.count,
                                 .cycle = part.cycle + skew,
                                 .cycle_step = part.step};
        if (i->opcode == PROGRAM_MEM_WRITE)
            rows_write(chip, &part, o, rows);
        else
            rows_read(chip, &part, o, rows);
    } while (order_next(&part));
}

/* All repeats at once; false where they must be looked at run by run. */
static bool execute_whole(struct chip *chip, const struct run *run, const struct program_operand *o)
{
    if (!addresses_are_linear(run->instruction))
        return false;
    const struct program *p = run->of->program;
    struct addresses_reach reach = addresses_reach(chip, run);
    if (!is_within(chip, run, o, &reach))
        return false;
    banks_use_all(chip, run, banks_bank(chip, reach.low), banks_bank(chip, reach.high));
    if (run->of->loaded->head[o->tensor] < 0)
        return true;
    int64_t base = program_tensor_address(p, &p->tensor[o->tensor], o->sub);
    bool reads = run->instruction->opcode == PROGRAM_MEM_READ;
    if (!reads ||
        !rows_stand(chip, run, o, (int32_t)(reach.low - base), (int32_t)(reach.high - base) + 1))
        access_all_rows(chip, run, o, reach.first - base);
    return true;
}

void sram_execute(struct chip *chip, const struct run *run)
{
    const struct program_operand *o = executor_held(run);
    int32_t skew = chip->timing[run->instruction->opcode].skew;
    struct run part = *run;
    check_instruction(chip, run, o, skew);
    if (execute_whole(chip, run, o))
        return;
    do
        execute_run(chip, &part, o, skew);
    while (order_next(&part));
}
