/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends of a program as slots of links. */
#include "app/lpu_slots.h"

#include "base/memory.h"

static struct record_lpu_slot *slot_add(struct app_lpu_slots *slots)
{
    slots->slot = base_grow(slots->slot, &slots->capacity, slots->count + 1, sizeof *slots->slot);
    return &slots->slot[slots->count++];
}

/* One row an outer repeat, unless the inner level has but one. */
static void add_send(struct app_lpu_slots *slots, const struct lpu_chip *machine,
                     const struct program_instruction *i, struct record_lpu_slot slot)
{
    int level = i->count[0] == 1;
    int32_t groups = level == 1 ? 1 : i->count[1];
    slot.vectors = i->count[level];
    slot.interval_cycles = i->interval[level];
    for (int32_t o = 0; o < groups; o++) {
        slot.departure_cycle =
            i->cycle + machine->c2c_send_skew_cycles + (int64_t)o * i->interval[1];
        slot.arrival_cycle = slot.departure_cycle + machine->c2c_hop_cycles;
        *slot_add(slots) = slot;
    }
}

void app_lpu_slots_add(struct app_lpu_slots *slots, const struct lpu_chip *machine,
                       const struct lpu_topology *topology, const struct app_lpu_outline *plan,
                       enum partition_phase phase, const struct program *p)
{
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (i->opcode != PROGRAM_C2C_SEND)
            continue;
        int32_t link = i->queue - PROGRAM_QUEUE_SEND;
        struct record_lpu_slot slot = {.phase = (uint8_t)app_lpu_record_phase(phase),
                                       .bucket = plan->positions[phase],
                                       .from_chip = p->chip,
                                       .to_chip = lpu_topology_peer(topology, p->chip, link).chip,
                                       .link = link,
                                       .tensor = p->operand[i->operand].tensor};
        add_send(slots, machine, i, slot);
    }
}

void app_lpu_slots_release(struct app_lpu_slots *slots)
{
    base_free(slots->slot);
    *slots = (struct app_lpu_slots){0};
}
