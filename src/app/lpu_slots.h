/* SPDX-License-Identifier: BSD-3-Clause */
/* The timetable of links, as the sends of programs have it. */
#ifndef APP_LPU_SLOTS_H
#define APP_LPU_SLOTS_H

#include "app/lpu.h"

struct app_lpu_slots {
    struct record_lpu_slot *slot;
    size_t count, capacity;
};

/* Adds the slots of one program of a plan, in the order of its instructions. */
void app_lpu_slots_add(struct app_lpu_slots *slots, const struct lpu_chip *machine,
                       const struct lpu_topology *topology, const struct app_lpu_outline *plan,
                       enum partition_phase phase, const struct program *program);
void app_lpu_slots_release(struct app_lpu_slots *slots);

#endif
