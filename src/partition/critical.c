/* SPDX-License-Identifier: BSD-3-Clause */
/* Follows a block backwards from its last instruction to the operand that was the last to be there.
 *
 * Vectors meet their consumers to the cycle, so streams never wait; reads of SRAM do, for the write
 * before them. Of several operands the chain follows the one whose reads waited least. */
#include "partition/critical.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "partition/critical_chase.h"
#include "partition/place.h"
#include "partition/plan.h"

enum { UNKNOWN = -2, NEVER = INT32_MAX };

const char *critical_unit_name(enum critical_unit unit)
{
    static const char *const name[CRITICAL_UNITS] = {"SRAM",  "VXM",   "SXM", "MXM",
                                                     "links", "train", "wait"};
    return name[unit];
}

const struct program_instruction *critical_instruction(const struct chase *c, int32_t n)
{
    return &c->b->code.instruction[n];
}

enum critical_unit critical_unit_of(const struct program_instruction *i)
{
    switch (i->opcode) {
    case PROGRAM_MEM_READ:
    case PROGRAM_MEM_WRITE:
        return CRITICAL_SRAM;
    case PROGRAM_VXM:
        return CRITICAL_VXM;
    case PROGRAM_SXM_PERMUTE:
    case PROGRAM_SXM_TRANSPOSE:
        return CRITICAL_SXM;
    case PROGRAM_C2C_SEND:
    case PROGRAM_C2C_RECEIVE:
        return CRITICAL_LINKS;
    default:
        return CRITICAL_MXM;
    }
}

static int64_t last_repeat(const struct program_instruction *i)
{
    return i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0] +
           (int64_t)(i->count[1] - 1) * i->interval[1];
}

/* Whether the instruction issues a repeat in `cycle`, one that drives a result where `drives`. */
bool critical_issues_in(const struct program_instruction *i, int64_t cycle, bool drives)
{
    bool last_inner = drives && i->opcode == PROGRAM_VXM && i->flags & PROGRAM_REDUCE;
    bool last_outer = drives && i->opcode == PROGRAM_MXM_COMPUTE && !(i->flags & PROGRAM_EVERY);
    for (int32_t o = last_outer ? i->count[1] - 1 : 0; o < i->count[1]; o++) {
        int64_t away = cycle - i->cycle - (int64_t)o * i->interval[1];
        int64_t n = i->interval[0] > 0 ? away / i->interval[0] : 0;
        if (away < 0 || away != n * i->interval[0] || n >= i->count[0])
            continue;
        if (!last_inner || n == i->count[0] - 1)
            return true;
    }
    return false;
}

static int32_t position(const struct chase *c, int32_t n)
{
    return program_queue_position(c->b->chip, critical_instruction(c, n)->queue);
}

/* Issue of the repeat of `n` whose result stands at `x` in `cycle` on the stream of `want`; -1:
 * none does. */
static int64_t issue_behind(const struct chase *c, int32_t n, const struct program_operand *want,
                            int32_t x, int64_t cycle)
{
    const struct program_instruction *i = critical_instruction(c, n);
    int32_t away = want->direction == PROGRAM_EAST ? x - position(c, n) : position(c, n) - x;
    int64_t issue = cycle - away - place_delay(c->b->chip, i);
    if (away < 0 || !critical_issues_in(i, issue, true))
        return -1;
    for (int32_t k = 0; k < i->outputs; k++) {
        const struct program_operand *o = &c->b->code.operand[i->operand + i->inputs + (uint32_t)k];
        if (o->kind == PROGRAM_STREAM && o->direction == want->direction &&
            o->stream <= want->stream && want->stream < o->stream + o->streams)
            return issue;
    }
    return -1;
}

static struct event stream_producer(const struct chase *c, const struct program_operand *want,
                                    int32_t x, int64_t cycle)
{
    struct event nearest = {NOBODY, 0};
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        int64_t issue = issue_behind(c, (int32_t)n, want, x, cycle);
        if (issue >= 0 && issue >= nearest.cycle)
            nearest = (struct event){(int32_t)n, issue};
    }
    return nearest;
}

static struct event alu_producer(const struct chase *c, const struct program_operand *want,
                                 int64_t cycle)
{
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        const struct program_instruction *i = critical_instruction(c, (int32_t)n);
        int64_t issue = cycle - c->b->chip->vxm_alu_cycles;
        if (i->opcode == PROGRAM_VXM && i->queue == PROGRAM_QUEUE_VXM + want->stream &&
            i->mark == want->mark && critical_issues_in(i, issue, true))
            return (struct event){(int32_t)n, issue};
    }
    return (struct event){NOBODY, 0};
}

/* Who made input k of an instruction's repeat. */
struct event critical_producer(const struct chase *c, struct event at, int32_t k)
{
    const struct program_instruction *i = critical_instruction(c, at.instruction);
    const struct program_operand *want = &c->b->code.operand[i->operand + (uint32_t)k];
    int64_t sampled = at.cycle + place_skew(c->b->chip, i);
    if (want->kind == PROGRAM_STREAM)
        return stream_producer(c, want, position(c, at.instruction), sampled);
    if (want->kind == PROGRAM_ALU)
        return alu_producer(c, want, sampled);
    return (struct event){NOBODY, 0};
}

/* The latest repeat of an instruction that is issued up to `cycle`; -1: none is. */
static int64_t repeat_until(const struct program_instruction *i, int64_t cycle)
{
    for (int32_t o = i->count[1] - 1; o >= 0; o--) {
        int64_t start = i->cycle + (int64_t)o * i->interval[1];
        int64_t n = i->interval[0] > 0 ? (cycle - start) / i->interval[0] : 0;
        n = n < i->count[0] ? n : i->count[0] - 1;
        if (start <= cycle)
            return start + n * i->interval[0];
    }
    return -1;
}

/* The send that a receive belongs to: chips of a group send at the same times, or, in an
 * all-gather, some of them a little less. */
static struct event sender(const struct chase *c, struct event at)
{
    const struct lpu_chip *chip = c->b->chip;
    int64_t issue = at.cycle - chip->c2c_hop_cycles - chip->c2c_send_skew_cycles;
    struct event latest = {NOBODY, -1};
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        const struct program_instruction *i = critical_instruction(c, (int32_t)n);
        int64_t repeat = i->opcode == PROGRAM_C2C_SEND ? repeat_until(i, issue) : -1;
        if (repeat > latest.cycle)
            latest = (struct event){(int32_t)n, repeat};
    }
    return latest;
}

/* What a MEM instruction reads or writes. */
const struct program_operand *critical_held(const struct chase *c,
                                            const struct program_instruction *i)
{
    return &c->b->code.operand[i->operand + i->inputs + i->outputs - 1u];
}

/* The last write of what a read reads, as far as it lies before the read's issue. */
static struct event writer(const struct chase *c, struct event at)
{
    const struct program_operand *want = critical_held(c, critical_instruction(c, at.instruction));
    struct event last = {NOBODY, INT64_MIN};
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        const struct program_instruction *i = critical_instruction(c, (int32_t)n);
        if (i->opcode != PROGRAM_MEM_WRITE || critical_held(c, i)->tensor != want->tensor ||
            i->cycle >= at.cycle)
            continue;
        int64_t end = last_repeat(i);
        end = end < at.cycle ? end : i->cycle;
        if (end > last.cycle)
            last = (struct event){(int32_t)n, end};
    }
    return last;
}

static bool is_rooted(const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_C2C_RECEIVE;
}

static struct event before(const struct chase *c, struct event at, int32_t k)
{
    const struct program_instruction *i = critical_instruction(c, at.instruction);
    if (i->opcode == PROGRAM_MEM_READ)
        return writer(c, at);
    return i->opcode == PROGRAM_C2C_RECEIVE ? sender(c, at) : critical_producer(c, at, k);
}

/* Cycles that a read waited for what it reads: from the start of the block for its input, for ever
 * for what is always there. */
static int64_t read_slack(const struct chase *c, int32_t n)
{
    const struct program_instruction *i = critical_instruction(c, n);
    struct event write = writer(c, (struct event){n, i->cycle});
    int32_t kind = c->b->code.tensor[critical_held(c, i)->tensor].kind;
    if (write.instruction != NOBODY)
        return i->cycle - write.cycle;
    return kind == PROGRAM_TENSOR_ACTIVATION ? i->cycle : NEVER;
}

static int64_t slack_of(struct chase *c, int32_t n)
{
    const struct program_instruction *i = critical_instruction(c, n);
    if (c->slack[n] != UNKNOWN)
        return c->slack[n];
    c->slack[n] = NEVER;
    if (i->opcode == PROGRAM_MEM_READ)
        return c->slack[n] = read_slack(c, n);
    int32_t inputs = is_rooted(i) ? 1 : i->inputs;
    int64_t least = NEVER, cycle = i->flags & PROGRAM_REDUCE && i->opcode == PROGRAM_VXM
                                       ? i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0]
                                       : i->cycle;
    for (int32_t k = 0; k < inputs; k++) {
        struct event from = before(c, (struct event){n, cycle}, k);
        int64_t own = from.instruction == NOBODY ? NEVER : slack_of(c, from.instruction);
        least = own < least ? own : least;
    }
    return c->slack[n] = least;
}

/* The operand that was the last to be there, or the instruction that had the queue until then. */
static struct event last_to_come(struct chase *c, struct event at)
{
    const struct program_instruction *i = critical_instruction(c, at.instruction);
    struct event best = {NOBODY, 0};
    int64_t least = INT64_MAX;
    for (int32_t k = 0; k < (is_rooted(i) ? 1 : i->inputs); k++) {
        struct event from = before(c, at, k);
        int64_t slack = from.instruction == NOBODY ? NEVER : slack_of(c, from.instruction);
        if (from.instruction != NOBODY && slack < least)
            best = from, least = slack;
    }
    return best;
}

/* The instruction before on the queue of a read. */
struct event critical_queue_before(const struct chase *c, struct event at)
{
    const struct program_instruction *own = critical_instruction(c, at.instruction);
    struct event last = {NOBODY, INT64_MIN};
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        const struct program_instruction *i = critical_instruction(c, (int32_t)n);
        int64_t end = last_repeat(i);
        if (i->queue == own->queue && end < own->cycle && end > last.cycle)
            last = (struct event){(int32_t)n, end};
    }
    return last;
}

void critical_add(struct chase *c, int32_t n, enum critical_unit unit, int64_t cycles)
{
    struct critical_path *path = c->path;
    const char *op = c->b->code.op[critical_instruction(c, n)->op].name;
    struct critical_part *last = path->parts ? &path->part[path->parts - 1] : NULL;
    if (cycles == 0)
        return;
    if (!last || last->unit != unit || strcmp(last->op, op) != 0) {
        path->part = base_grow(path->part, &path->capacity, path->parts + 1, sizeof *path->part);
        last = &path->part[path->parts++];
        *last = (struct critical_part){.unit = unit};
        snprintf(last->op, sizeof last->op, "%s", op);
    }
    last->instructions++;
    last->cycles += cycles;
}

/* A train that others feed is as late as they are; reads and products have their own pace. */
static bool paces(const struct program_instruction *i)
{
    return is_rooted(i) || i->opcode == PROGRAM_MXM_COMPUTE || i->opcode == PROGRAM_C2C_SEND;
}

/* Whether a read or a product waited for its queue and not for data. */
static bool is_held_up(struct chase *c, struct event at, struct event from, struct event busy)
{
    const struct program_instruction *i = critical_instruction(c, at.instruction);
    if (busy.instruction == NOBODY || !paces(i))
        return false;
    int64_t gap = at.cycle - busy.cycle;
    if (i->opcode == PROGRAM_MEM_READ)
        return gap == 1 && (from.instruction == NOBODY || busy.cycle > from.cycle);
    return i->opcode == PROGRAM_MXM_COMPUTE && gap < slack_of(c, at.instruction);
}

/* Adds what lies between the event and the one before it; returns that one. */
static struct event step_back(struct chase *c, struct event at)
{
    const struct program_instruction *i = critical_instruction(c, at.instruction);
    if (paces(i) && i->opcode != PROGRAM_C2C_RECEIVE && at.cycle > i->cycle) {
        critical_add(c, at.instruction, CRITICAL_TRAIN, at.cycle - i->cycle);
        return (struct event){at.instruction, i->cycle};
    }
    struct event from = last_to_come(c, at), busy = critical_queue_before(c, at);
    if (is_held_up(c, at, from, busy)) {
        critical_add(c, busy.instruction, CRITICAL_TRAIN, at.cycle - busy.cycle);
        return busy;
    }
    if (from.instruction == NOBODY) {
        critical_add(c, at.instruction, CRITICAL_WAIT, at.cycle);
        return from;
    }
    critical_add(c, from.instruction, critical_unit_of(critical_instruction(c, from.instruction)),
                 at.cycle - from.cycle);
    return from;
}

struct event critical_last_event(const struct chase *c, int64_t end)
{
    struct event last = {NOBODY, 0};
    for (size_t n = 0; n < c->b->code.instructions; n++) {
        const struct program_instruction *i = critical_instruction(c, (int32_t)n);
        int64_t repeat = last_repeat(i);
        if (repeat + 1 + place_delay(c->b->chip, i) == end)
            last = (struct event){(int32_t)n, repeat};
    }
    return last;
}

static void turn_round(struct critical_path *path)
{
    for (size_t n = 0; n < path->parts / 2; n++) {
        struct critical_part first = path->part[n];
        path->part[n] = path->part[path->parts - 1 - n];
        path->part[path->parts - 1 - n] = first;
    }
}

static void chase(struct chase *c)
{
    size_t count = c->b->code.instructions;
    struct event at = critical_last_event(c, c->b->end);
    c->slack = base_alloc(count + 1, sizeof *c->slack);
    for (size_t n = 0; n < count; n++)
        c->slack[n] = UNKNOWN;
    if (at.instruction != NOBODY)
        critical_add(c, at.instruction, critical_unit_of(critical_instruction(c, at.instruction)),
                     c->b->end - at.cycle);
    for (int32_t n = 0; n < LONGEST_CHAIN && at.instruction != NOBODY; n++)
        at = step_back(c, at);
    base_free(c->slack);
    turn_round(c->path);
}

const struct block *critical_shortest_block(const struct plan *plan, enum partition_phase phase,
                                            enum partition_block kind)
{
    const struct templates *t = plan_templates(plan);
    return template_longest(t, phase, kind, template_shortest(t, phase, kind));
}

void critical_block(const struct plan *plan, enum partition_phase phase, enum partition_block kind,
                    struct critical_path *path)
{
    *path = (struct critical_path){0};
    struct chase c = {.b = critical_shortest_block(plan, phase, kind), .path = path};
    path->cycles = c.b->end;
    chase(&c);
}

void critical_release(struct critical_path *path)
{
    base_free(path->part);
    *path = (struct critical_path){0};
}
