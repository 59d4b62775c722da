/* SPDX-License-Identifier: BSD-3-Clause */
/* How long what arrives over links lies in SRAM before anybody reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "partition/critical_chase.h"
#include "partition/plan.h"
#include "partition/stages.h"
#include "partition/transfer.h"

/* Times between arrival and first use of single vectors. */
struct waits {
    int64_t *cycles;
    size_t count, capacity;
};

static int64_t cycle_of(const struct program_instruction *i, int32_t inner, int32_t outer)
{
    return i->cycle + (int64_t)inner * i->interval[0] + (int64_t)outer * i->interval[1];
}

static int32_t index_of(const struct program_operand *o, int32_t inner, int32_t outer)
{
    return o->index + inner * o->stride[0] + outer * o->stride[1];
}

/* First repeat of `i` that concerns vector `index`; INT64_MAX: none. */
static int64_t first_use(const struct program_instruction *i, const struct program_operand *o,
                         int32_t index)
{
    for (int32_t outer = 0; outer < i->count[1]; outer++)
        for (int32_t inner = 0; inner < i->count[0]; inner++)
            if (index_of(o, inner, outer) == index)
                return cycle_of(i, inner, outer);
    return INT64_MAX;
}

/* The first read in block `b` of what an operand of another one, or of its own, has written. */
static int64_t first_read(const struct block *b, const char *tensor, int32_t sub, int32_t index)
{
    int64_t first = INT64_MAX;
    for (size_t n = 0; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        const struct program_operand *o =
            &b->code.operand[i->operand + i->inputs + i->outputs - 1u];
        if (i->opcode != PROGRAM_MEM_READ || o->sub != sub ||
            strcmp(b->code.tensor[o->tensor].name, tensor) != 0)
            continue;
        int64_t use = first_use(i, o, index);
        first = use < first ? use : first;
    }
    return first;
}

/* What a write keeps of what a receive brought, until `reader` reads it, whose cycles begin
 * `later`.
 */
static void note_waits(const struct chase *c, int32_t n, const struct block *reader, int64_t later,
                       struct waits *w)
{
    const struct program_instruction *i = critical_instruction(c, n);
    const struct program_operand *to = critical_held(c, i);
    const char *tensor = c->b->code.tensor[to->tensor].name;
    for (int32_t outer = 0; outer < i->count[1]; outer++)
        for (int32_t inner = 0; inner < i->count[0]; inner++) {
            int64_t written = cycle_of(i, inner, outer) + c->b->chip->mem_write_skew_cycles;
            int64_t read = first_read(reader, tensor, to->sub, index_of(to, inner, outer));
            if (read == INT64_MAX)
                continue;
            w->cycles = base_grow(w->cycles, &w->capacity, w->count + 1, sizeof *w->cycles);
            w->cycles[w->count++] = later + read - written - 1;
        }
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static struct critical_slack slack_of_waits(const char *op, struct waits *w)
{
    struct critical_slack slack = {.transfers = (int64_t)w->count};
    snprintf(slack.op, sizeof slack.op, "%s", op);
    if (w->count) {
        qsort(w->cycles, w->count, sizeof *w->cycles, ascending);
        slack.least = w->cycles[0];
        slack.median = w->cycles[w->count / 2];
    }
    base_free(w->cycles);
    return slack;
}

static struct critical_slack slack_of_op(const struct chase *c, int32_t op)
{
    struct waits w = {0};
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        const struct program_instruction *i = critical_instruction(c, (int32_t)n);
        if (i->op != op || i->opcode != PROGRAM_MEM_WRITE)
            continue;
        struct event from = critical_producer(c, (struct event){(int32_t)n, i->cycle}, 0);
        if (from.instruction != NOBODY &&
            critical_instruction(c, from.instruction)->opcode == PROGRAM_C2C_RECEIVE)
            note_waits(c, (int32_t)n, c->b, 0, &w);
    }
    return slack_of_waits(c->b->code.op[op].name, &w);
}

static void note_arrivals(const struct transfer_part *part, const struct block *reader,
                          int64_t later, struct waits *w)
{
    struct chase c = {.b = &part->block};
    for (size_t n = 0; n < c.b->code.instructions; n++)
        if (critical_instruction(&c, (int32_t)n)->opcode == PROGRAM_MEM_WRITE)
            note_waits(&c, (int32_t)n, reader, later, w);
}

struct critical_slack critical_move_slack(const struct plan *plan, enum partition_phase phase)
{
    const struct templates *t = plan_templates(plan);
    struct waits w = {0};
    for (int32_t s = 0; s + 1 < plan_stages(plan); s++) {
        const struct partition_stage *to = plan_stage(plan, s + 1);
        struct stages_unit u = plan_unit(plan, to, to->first_block);
        const struct transfer *x = plan_transfer(plan, phase, s);
        for (size_t n = 0; n < x->parts; n++)
            if (x->part[n].chip == to->first_chip)
                note_arrivals(&x->part[n], &t->rank[0].block[phase][u.kind][u.variant],
                              plan_transfer_cycles(plan, phase, s), &w);
    }
    return slack_of_waits("moves", &w);
}

int32_t critical_slacks(const struct plan *plan, enum partition_phase phase,
                        enum partition_block kind, struct critical_slack *slack, int32_t most)
{
    struct chase c = {.b = critical_shortest_block(plan, phase, kind)};
    int32_t found = 0;
    for (size_t op = 0; op < c.b->code.ops && found < most; op++) {
        slack[found] = slack_of_op(&c, (int32_t)op);
        found += slack[found].transfers > 0;
    }
    return found;
}
