/* SPDX-License-Identifier: BSD-3-Clause */
/* Adds up programs, one chip in memory at a time. */
#include "app/artifact_tally.h"

#include <string.h>

#include "app/lpu_slots.h"
#include "base/memory.h"

/* The longest of an op in one layer, as chips are looked at. */
struct longest {
    size_t op;
    int32_t layer;
    int64_t cycles[PARTITION_PHASES];
};

struct adding {
    struct app_artifact_tally *tally;
    struct longest *longest;
    size_t count, capacity, next; /* next: chips have their ops in much the same order */
};

const char *app_artifact_phase_name(enum partition_phase phase)
{
    static const char *const name[PARTITION_PHASES] = {"decode", "prefill", "rung 1",
                                                       "rung 2", "rung 3",  "rung 4"};
    return name[phase];
}

static size_t op_number(struct app_artifact_tally *tally, const char *name)
{
    for (size_t n = 0; n < tally->ops; n++)
        if (!strcmp(tally->op[n].name, name))
            return n;
    tally->op = base_grow(tally->op, &tally->capacity, tally->ops + 1, sizeof *tally->op);
    memcpy(tally->op[tally->ops].name, name, sizeof tally->op->name);
    return tally->ops++;
}

static struct longest *longest_of(struct adding *all, size_t op, int32_t layer)
{
    for (size_t i = 0; i < all->count; i++) {
        size_t n = (all->next + i) % all->count;
        if (all->longest[n].op == op && all->longest[n].layer == layer) {
            all->next = n + 1;
            return &all->longest[n];
        }
    }
    all->longest = base_grow(all->longest, &all->capacity, all->count + 1, sizeof *all->longest);
    all->longest[all->count] = (struct longest){.op = op, .layer = layer};
    return &all->longest[all->count++];
}

static void add_ops(struct adding *all, enum partition_phase phase, const struct program *p)
{
    for (size_t n = 0; n < p->ops; n++) {
        size_t op = op_number(all->tally, p->op[n].name);
        struct longest *longest = longest_of(all, op, p->op[n].layer);
        int64_t cycles = p->op[n].end_cycle - p->op[n].start_cycle;
        if (cycles > longest->cycles[phase])
            longest->cycles[phase] = cycles;
    }
}

static void add_program(struct adding *all, enum partition_phase phase, const struct program *p)
{
    struct app_artifact_sums *sums = &all->tally->phase[phase];
    sums->instructions += (int64_t)p->instructions;
    sums->tensors += (int64_t)p->tensors;
    sums->ops += (int64_t)p->ops;
    for (size_t n = 0; n < p->instructions; n++)
        sums->opcode[p->instruction[n].opcode]++;
    add_ops(all, phase, p);
}

static void add_slots(struct app_artifact_tally *tally, const struct app_artifact *a,
                      const struct lpu_topology *topology, enum partition_phase phase,
                      const struct program *p)
{
    struct app_lpu_slots slots = {0};
    app_lpu_slots_add(&slots, &a->scenario.lpu_chip, topology, &a->outline, phase, p);
    tally->phase[phase].slots += (int64_t)slots.count;
    app_lpu_slots_release(&slots);
}

bool app_artifact_tally_make(const struct app_artifact *a, const struct lpu_topology *topology,
                             struct app_artifact_tally *tally, struct base_report *report)
{
    struct adding all = {.tally = tally};
    bool sound = true;
    for (int32_t chip = 0; chip < app_artifact_chips(a) && sound; chip++) {
        struct program program[PARTITION_PHASES] = {{0}};
        sound = app_artifact_programs(a, chip, program, report);
        for (int phase = 0; phase < PARTITION_PHASES; phase++) {
            if (sound) {
                add_program(&all, (enum partition_phase)phase, &program[phase]);
                add_slots(tally, a, topology, (enum partition_phase)phase, &program[phase]);
            }
            program_release(&program[phase]);
        }
    }
    for (size_t n = 0; n < all.count; n++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            tally->op[all.longest[n].op].cycles[phase] += all.longest[n].cycles[phase];
    base_free(all.longest);
    return sound;
}

void app_artifact_tally_release(struct app_artifact_tally *tally)
{
    base_free(tally->op);
    *tally = (struct app_artifact_tally){0};
}
