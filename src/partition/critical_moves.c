/* SPDX-License-Identifier: BSD-3-Clause */
/* Follows moves between stages backwards, from chip to chip. */
#include <stdio.h>

#include "base/memory.h"
#include "partition/critical_chase.h"
#include "partition/plan.h"
#include "partition/transfer.h"

static struct transfer_part *part_of(const struct transfer *x, int32_t chip)
{
    for (size_t n = 0; n < x->parts; n++)
        if (x->part[n].chip == chip)
            return &x->part[n];
    return NULL;
}

static const struct transfer_part *last_part(const struct transfer *x)
{
    const struct transfer_part *last = &x->part[0];
    for (size_t n = 1; n < x->parts; n++)
        last = x->part[n].block.end > last->block.end ? &x->part[n] : last;
    return last;
}

/* The send behind a receive of a chip, in the part of the chip that it comes from. */
static struct event sender_of(struct chase *c, const struct transfer *x, struct lpu_port from,
                              struct event at)
{
    const struct transfer_part *part = part_of(x, from.chip);
    int64_t issue = at.cycle - c->b->chip->c2c_hop_cycles - c->b->chip->c2c_send_skew_cycles;
    for (size_t n = 0; part && n < part->block.code.instructions; n++) {
        const struct program_instruction *i = &part->block.code.instruction[n];
        if (i->opcode == PROGRAM_C2C_SEND && i->queue == PROGRAM_QUEUE_SEND + from.link &&
            critical_issues_in(i, issue, false)) {
            c->b = &part->block;
            return (struct event){(int32_t)n, issue};
        }
    }
    return (struct event){NOBODY, 0};
}

/* Whether a send of what stands in SRAM came after others on its link; goes on to the one before.
 */
static bool wait_for_link(struct chase *c, struct event *at, struct event from)
{
    const struct program_instruction *i = critical_instruction(c, at->instruction);
    int64_t slot = machine_link_slot_cycles(c->b->chip), since = at->cycle;
    if (i->opcode != PROGRAM_C2C_SEND || from.instruction == NOBODY ||
        critical_instruction(c, from.instruction)->opcode != PROGRAM_MEM_READ)
        return false;
    struct event busy = critical_queue_before(c, *at);
    if (at->cycle > i->cycle)
        at->cycle = i->cycle;
    else if (busy.instruction != NOBODY && at->cycle - busy.cycle <= 2 * slot)
        *at = busy;
    critical_add(c, at->instruction, CRITICAL_TRAIN, since - at->cycle);
    return since > at->cycle;
}

/* From the last vector that arrives back over all hops to the read that it began with. */
static void trace(struct chase *c, const struct transfer *x, const struct lpu_topology *topology)
{
    const struct transfer_part *part = last_part(x);
    c->b = &part->block;
    struct event at = critical_last_event(c, c->b->end);
    int32_t chip = part->chip;
    if (at.instruction != NOBODY)
        critical_add(c, at.instruction, CRITICAL_SRAM, x->length - at.cycle);
    for (int32_t n = 0; n < LONGEST_CHAIN && at.instruction != NOBODY; n++) {
        const struct program_instruction *i = critical_instruction(c, at.instruction);
        struct event from = {NOBODY, 0};
        if (i->opcode == PROGRAM_C2C_RECEIVE) {
            struct lpu_port port =
                lpu_topology_peer(topology, chip, i->queue - PROGRAM_QUEUE_RECEIVE);
            from = sender_of(c, x, port, at);
            chip = port.chip;
        } else if (i->opcode != PROGRAM_MEM_READ) {
            from = critical_producer(c, at, 0);
        }
        if (wait_for_link(c, &at, from))
            continue;
        if (from.instruction == NOBODY)
            critical_add(c, at.instruction, CRITICAL_WAIT, at.cycle);
        else
            critical_add(c, from.instruction,
                         critical_unit_of(critical_instruction(c, from.instruction)),
                         at.cycle - from.cycle);
        at = from;
    }
}

/* Adds parts up by unit; those of the path are given away. */
static void sum_up(struct critical_path *path)
{
    struct critical_part sum[CRITICAL_UNITS] = {{.op = ""}};
    for (size_t n = 0; n < path->parts; n++) {
        sum[path->part[n].unit].cycles += path->part[n].cycles;
        sum[path->part[n].unit].instructions += path->part[n].instructions;
    }
    path->parts = 0;
    for (enum critical_unit unit = 0; unit < CRITICAL_UNITS; unit++) {
        if (!sum[unit].cycles)
            continue;
        path->part = base_grow(path->part, &path->capacity, path->parts + 1, sizeof *path->part);
        sum[unit].unit = unit;
        snprintf(sum[unit].op, sizeof sum[unit].op, "moves");
        path->part[path->parts++] = sum[unit];
    }
}

void critical_moves(const struct plan *plan, enum partition_phase phase, struct critical_path *path)
{
    *path = (struct critical_path){0};
    struct chase c = {.path = path};
    for (int32_t s = 0; s < plan_stages(plan); s++) {
        const struct transfer *x = plan_transfer(plan, phase, s);
        if (!x->parts)
            continue;
        trace(&c, x, plan_input(plan)->topology);
        path->cycles += x->length;
    }
    sum_up(path);
}
