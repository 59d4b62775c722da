/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts programs together from bodies and where they are placed. No count is trusted. */
#include "record/programs.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "record/program_tables.h"

/* Of one program; more would not fit the queues of any chip. */
enum { MOST_INSTRUCTIONS = 1 << 24 };

/* Where the rows of a program, or of a body, begin. */
struct start {
    size_t op, tensor, place, placement, use;
};

struct body_start {
    size_t instruction, operand;
};

struct record_programs {
    const struct record_artifact *artifact;
    void *row[RECORD_PROGRAM_TABLES];
    size_t count[RECORD_PROGRAM_TABLES];
    struct start *start;           /* of each program, and the end of the last */
    struct body_start *body_start; /* of each body, and the end of the last */
};

static const struct record_program_row *programs_of(const struct record_programs *r)
{
    return r->row[RECORD_PROGRAMS];
}

static const struct record_program_body *bodies_of(const struct record_programs *r)
{
    return r->row[RECORD_PROGRAM_BODIES];
}

static const struct record_program_placement *placements_of(const struct record_programs *r)
{
    return r->row[RECORD_PROGRAM_PLACEMENTS];
}

/* Adds a count from the file; false where it is negative or leads beyond the rows there are. */
static bool advance(size_t *sum, int32_t count, size_t rows)
{
    if (count < 0 || (size_t)count > rows - *sum)
        return false;
    *sum += (size_t)count;
    return true;
}

/* Whether the operands of a body are as many as its instructions take, and use tensors it has. */
static bool body_is_whole(const struct record_programs *r, size_t n)
{
    const struct program_instruction *i = r->row[RECORD_PROGRAM_INSTRUCTIONS];
    const struct program_operand *operand = r->row[RECORD_PROGRAM_OPERANDS];
    struct body_start from = r->body_start[n], to = r->body_start[n + 1];
    size_t operands = 0;
    for (size_t k = from.instruction; k < to.instruction; k++)
        operands += (size_t)i[k].inputs + i[k].outputs;
    for (size_t k = from.operand; k < to.operand; k++)
        if (operand[k].tensor < -1 || operand[k].tensor >= bodies_of(r)[n].tensors)
            return false;
    return operands == to.operand - from.operand;
}

static bool bodies_are_whole(struct record_programs *r)
{
    size_t bodies = r->count[RECORD_PROGRAM_BODIES];
    struct body_start sum = {0, 0};
    r->body_start = base_alloc(bodies + 1, sizeof *r->body_start);
    for (size_t n = 0; n < bodies; n++) {
        const struct record_program_body *body = &bodies_of(r)[n];
        if (body->tensors < 0 || body->instructions < 1 ||
            !advance(&sum.instruction, body->instructions, r->count[RECORD_PROGRAM_INSTRUCTIONS]) ||
            !advance(&sum.operand, body->operands, r->count[RECORD_PROGRAM_OPERANDS]))
            return false;
        r->body_start[n + 1] = sum;
        if (!body_is_whole(r, n))
            return false;
    }
    return sum.instruction == r->count[RECORD_PROGRAM_INSTRUCTIONS] &&
           sum.operand == r->count[RECORD_PROGRAM_OPERANDS];
}

/* Steps over the placements of a program, whose bodies must be there. */
static bool placements_advance(const struct record_programs *r, int32_t count, struct start *sum)
{
    const struct record_program_placement *placement = placements_of(r) + sum->placement;
    size_t bodies = r->count[RECORD_PROGRAM_BODIES], instructions = 0;
    if (!advance(&sum->placement, count, r->count[RECORD_PROGRAM_PLACEMENTS]))
        return false;
    for (int32_t k = 0; k < count; k++) {
        if (placement[k].body < 0 || (size_t)placement[k].body >= bodies)
            return false;
        const struct record_program_body *body = &bodies_of(r)[placement[k].body];
        instructions += (size_t)body->instructions;
        if (instructions > MOST_INSTRUCTIONS ||
            !advance(&sum->use, body->tensors, r->count[RECORD_PROGRAM_USES]))
            return false;
    }
    return true;
}

static bool programs_are_whole(struct record_programs *r)
{
    size_t programs = r->count[RECORD_PROGRAMS];
    struct start sum = {0};
    r->start = base_alloc(programs + 1, sizeof *r->start);
    for (size_t n = 0; n < programs; n++) {
        const struct record_program_row *row = &programs_of(r)[n];
        if (!advance(&sum.op, row->ops, r->count[RECORD_PROGRAM_OPS]) ||
            !advance(&sum.tensor, row->tensors, r->count[RECORD_PROGRAM_TENSORS]) ||
            !advance(&sum.place, row->slices, r->count[RECORD_PROGRAM_PLACES]) ||
            !placements_advance(r, row->placements, &sum))
            return false;
        r->start[n + 1] = sum;
    }
    return sum.op == r->count[RECORD_PROGRAM_OPS] &&
           sum.tensor == r->count[RECORD_PROGRAM_TENSORS] &&
           sum.place == r->count[RECORD_PROGRAM_PLACES] &&
           sum.placement == r->count[RECORD_PROGRAM_PLACEMENTS] &&
           sum.use == r->count[RECORD_PROGRAM_USES];
}

static bool names_end(const struct record_programs *r)
{
    const struct record_program_name *name = r->row[RECORD_PROGRAM_NAMES];
    for (size_t n = 0; n < r->count[RECORD_PROGRAM_NAMES]; n++)
        if (!memchr(name[n].name, '\0', sizeof name[n].name))
            return false;
    return true;
}

static bool tables_read(struct record_programs *r, struct base_report *report)
{
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++) {
        r->row[table] = record_artifact_rows(
            r->artifact, record_program_schema((enum record_program_table)table), &r->count[table],
            report);
        if (!r->row[table])
            return false;
    }
    return true;
}

struct record_programs *record_programs_open(const struct record_artifact *artifact,
                                             struct base_report *report)
{
    struct record_programs *r = base_alloc(1, sizeof *r);
    r->artifact = artifact;
    bool read = tables_read(r, report);
    if (read && bodies_are_whole(r) && programs_are_whole(r) && names_end(r))
        return r;
    if (read)
        base_report_add(report, record_artifact_path(artifact), 0,
                        "tables of its programs do not agree with each other");
    record_programs_close(r);
    return NULL;
}

void record_programs_close(struct record_programs *r)
{
    if (!r)
        return;
    for (int table = 0; table < RECORD_PROGRAM_TABLES; table++)
        base_free(r->row[table]);
    base_free(r->start);
    base_free(r->body_start);
    base_free(r);
}

/* Copies a name by its number; false where there is none. */
static bool name_take(const struct record_programs *r, int32_t number, char *name)
{
    const struct record_program_name *known = r->row[RECORD_PROGRAM_NAMES];
    if (number < 0 || (size_t)number >= r->count[RECORD_PROGRAM_NAMES])
        return false;
    memcpy(name, known[number].name, sizeof known->name);
    return true;
}

static bool is_layer(int32_t layer)
{
    return layer >= INT16_MIN && layer <= INT16_MAX;
}

static bool take_ops(const struct record_programs *r, size_t n, struct program *p)
{
    const struct record_program_op *row = r->row[RECORD_PROGRAM_OPS];
    int64_t start = 0;
    row += r->start[n].op;
    p->ops = p->op_capacity = (size_t)programs_of(r)[n].ops;
    p->op = base_alloc(p->ops, sizeof *p->op);
    for (size_t k = 0; k < p->ops; k++) {
        start = record_program_add64(start, row[k].start_cycle);
        if (!is_layer(row[k].layer) || !name_take(r, row[k].name, p->op[k].name))
            return false;
        p->op[k].layer = (int16_t)row[k].layer;
        p->op[k].start_cycle = start;
        p->op[k].end_cycle = record_program_add64(start, row[k].cycles);
    }
    return true;
}

static void take_places(const struct record_programs *r, size_t n, struct program *p)
{
    const struct record_program_place *place = r->row[RECORD_PROGRAM_PLACES];
    int32_t row = 0;
    place += r->start[n].place;
    p->slices = p->slice_capacity = (size_t)programs_of(r)[n].slices;
    p->slice = base_alloc(p->slices, sizeof *p->slice);
    p->row = programs_of(r)[n].has_rows ? base_alloc(p->slices, sizeof *p->row) : NULL;
    for (size_t k = 0; k < p->slices; k++) {
        row = record_program_add32(row, place[k].row);
        p->slice[k] = place[k].slice;
        if (p->row)
            p->row[k] = row;
    }
}

/* Placed tensors have their places one after the other. */
static bool take_tensors(const struct record_programs *r, size_t n, struct program *p)
{
    const struct record_program_tensor *row = r->row[RECORD_PROGRAM_TENSORS];
    size_t place = 0;
    row += r->start[n].tensor;
    take_places(r, n, p);
    p->tensors = p->tensor_capacity = (size_t)programs_of(r)[n].tensors;
    p->tensor = base_alloc(p->tensors, sizeof *p->tensor);
    for (size_t k = 0; k < p->tensors; k++) {
        struct program_tensor *t = &p->tensor[k];
        *t = (struct program_tensor){.kind = row[k].kind,
                                     .dtype = row[k].dtype,
                                     .subs = row[k].subs,
                                     .caches = row[k].caches,
                                     .layer = (int16_t)row[k].layer,
                                     .slice = row[k].placed ? (int32_t)place : -1,
                                     .address = row[k].address,
                                     .count = row[k].count,
                                     .valid = row[k].valid,
                                     .live_from = row[k].live_from,
                                     .live_to = row[k].live_to};
        if (!is_layer(row[k].layer) || !name_take(r, row[k].name, t->name) ||
            (row[k].placed && !advance(&place, row[k].subs, p->slices)))
            return false;
    }
    return place == p->slices;
}

/* A body on its way into a program. */
struct placing {
    const struct record_programs *r;
    struct program *program;
    const struct record_program_use *use;
    int32_t op, tensor; /* of the placement and the use before */
    int32_t *used;      /* tensors of the body at hand */
    size_t used_capacity;
};

/* The tensors of the body at hand; false where one is not there. */
static bool take_uses(struct placing *at, int32_t count)
{
    at->used = base_grow(at->used, &at->used_capacity, (size_t)count, sizeof *at->used);
    for (int32_t k = 0; k < count; k++) {
        at->tensor = record_program_add32(at->tensor, at->use++->tensor);
        if (at->tensor < 0 || (size_t)at->tensor >= at->program->tensors)
            return false;
        at->used[k] = at->tensor;
    }
    return true;
}

static void take_operands(struct placing *at, const struct program_operand *from, size_t count)
{
    struct program *p = at->program;
    for (size_t k = 0; k < count; k++) {
        struct program_operand *o = &p->operand[p->operands++];
        *o = from[k];
        o->tensor = from[k].tensor < 0 ? -1 : at->used[from[k].tensor];
    }
}

/* Where the address counts from; the operand must name a tensor then. */
static bool base_find(const struct program *p, const struct program_instruction *i, int32_t *base)
{
    const struct program_operand *held = p->operand + p->operands - 1;
    bool memory = i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_MEM_WRITE;
    if (memory && (i->inputs + i->outputs == 0 || held->tensor < 0))
        return false;
    *base = record_program_base(p, i, held);
    return true;
}

static bool take_body(struct placing *at, int32_t body)
{
    const struct record_programs *r = at->r;
    const struct program_instruction *from = r->row[RECORD_PROGRAM_INSTRUCTIONS];
    const struct program_operand *operand = r->row[RECORD_PROGRAM_OPERANDS];
    struct body_start start = r->body_start[body], end = r->body_start[body + 1];
    struct program *p = at->program;
    int64_t cycle = p->op[at->op].start_cycle;
    operand += start.operand;
    for (size_t k = start.instruction; k < end.instruction; k++) {
        struct program_instruction *i = &p->instruction[p->instructions++];
        size_t operands = (size_t)from[k].inputs + from[k].outputs;
        int32_t base;
        *i = from[k];
        i->cycle = cycle = record_program_add64(cycle, from[k].cycle);
        i->op = at->op;
        i->operand = (uint32_t)p->operands;
        take_operands(at, operand, operands);
        operand += operands;
        if (!base_find(p, i, &base))
            return false;
        i->address = record_program_add32(i->address, base);
    }
    return true;
}

/* Room for what the placements of a program bring, which placements_advance has bounded. */
static void room_make(const struct record_programs *r, size_t n, struct program *p)
{
    const struct record_program_placement *placement = placements_of(r);
    for (size_t k = r->start[n].placement; k < r->start[n + 1].placement; k++) {
        p->instruction_capacity += (size_t)bodies_of(r)[placement[k].body].instructions;
        p->operand_capacity += (size_t)bodies_of(r)[placement[k].body].operands;
    }
    p->instruction = base_alloc(p->instruction_capacity, sizeof *p->instruction);
    p->operand = base_alloc(p->operand_capacity, sizeof *p->operand);
}

static bool take_placements(const struct record_programs *r, size_t n, struct program *p)
{
    const struct record_program_placement *placement = placements_of(r);
    const struct record_program_use *use = r->row[RECORD_PROGRAM_USES];
    struct placing at = {.r = r, .program = p, .use = use + r->start[n].use};
    bool whole = true;
    room_make(r, n, p);
    for (size_t k = r->start[n].placement; whole && k < r->start[n + 1].placement; k++) {
        at.op = record_program_add32(at.op, placement[k].op);
        whole = at.op >= 0 && (size_t)at.op < p->ops &&
                take_uses(&at, bodies_of(r)[placement[k].body].tensors) &&
                take_body(&at, placement[k].body);
    }
    base_free(at.used);
    return whole;
}

static int by_cycle(const void *a, const void *b)
{
    const struct program_instruction *x = a, *y = b;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    return (x->operand > y->operand) - (x->operand < y->operand);
}

static void sort_queue(struct program_instruction *i, size_t count)
{
    for (size_t n = 1; n < count; n++)
        if (i[n].cycle < i[n - 1].cycle) {
            qsort(i, count, sizeof *i, by_cycle);
            return;
        }
}

/* From the order of operands into that of queues and cycles. */
static void sort_instructions(struct program *p)
{
    size_t start[UINT8_MAX + 2] = {0}, next[UINT8_MAX + 1];
    struct program_instruction *sorted = base_alloc(p->instructions, sizeof *sorted);
    for (size_t n = 0; n < p->instructions; n++)
        start[p->instruction[n].queue + 1]++;
    for (int queue = 0; queue <= UINT8_MAX; queue++) {
        next[queue] = start[queue];
        start[queue + 1] += start[queue];
    }
    for (size_t n = 0; n < p->instructions; n++)
        sorted[next[p->instruction[n].queue]++] = p->instruction[n];
    for (int queue = 0; queue <= UINT8_MAX; queue++)
        sort_queue(sorted + start[queue], start[queue + 1] - start[queue]);
    base_free(p->instruction);
    p->instruction = sorted;
}

static void take_head(const struct record_program_row *row, struct program *p)
{
    *p = (struct program){.chip = row->chip,
                          .rows = row->rows,
                          .sequences = row->sequences,
                          .experts = row->experts,
                          .expert_slots = row->expert_slots,
                          .length_cycles = row->length_cycles,
                          .kv_tile_positions = row->kv_tile_positions,
                          .vocabulary_first = row->vocabulary_first,
                          .vocabulary_count = row->vocabulary_count,
                          .embedding_groups = row->embedding_groups,
                          .token = row->token,
                          .key_id_bits = row->key_id_bits};
}

/* The row of a program; the number of rows where there is none. */
static size_t find(const struct record_programs *r, uint8_t phase, int32_t chip)
{
    size_t n = 0;
    while (n < r->count[RECORD_PROGRAMS] &&
           (programs_of(r)[n].phase != phase || programs_of(r)[n].chip != chip))
        n++;
    return n;
}

bool record_programs_take(const struct record_programs *r, uint8_t phase, int32_t chip,
                          struct program *program, struct base_report *report)
{
    size_t n = find(r, phase, chip);
    bool there = n < r->count[RECORD_PROGRAMS], whole = false;
    *program = (struct program){0};
    if (there) {
        take_head(&programs_of(r)[n], program);
        whole = take_ops(r, n, program) && take_tensors(r, n, program) &&
                take_placements(r, n, program);
    }
    if (whole) {
        sort_instructions(program);
        return true;
    }
    base_report_add(report, record_artifact_path(r->artifact), 0,
                    there ? "the program of chip %d, phase %d, speaks of what is not there"
                          : "has no program of chip %d, phase %d",
                    chip, phase);
    program_release(program);
    return false;
}
