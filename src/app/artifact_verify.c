/* SPDX-License-Identifier: BSD-3-Clause */
/* verify: what was executed under the contract, and whether the timetable is the programs' own. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/artifact.h"
#include "app/lpu_slots.h"
#include "app/text.h"
#include "base/memory.h"

static bool is_equal(const struct record_lpu_slot *a, const struct record_lpu_slot *b)
{
    return a->phase == b->phase && a->bucket == b->bucket && a->from_chip == b->from_chip &&
           a->to_chip == b->to_chip && a->link == b->link && a->tensor == b->tensor &&
           a->departure_cycle == b->departure_cycle && a->arrival_cycle == b->arrival_cycle &&
           a->vectors == b->vectors && a->interval_cycles == b->interval_cycles;
}

/* Slots of this rank's chips, as their programs have them, in the order of the timetable. */
static struct app_lpu_slots own_slots(const struct app_run *run)
{
    struct app_lpu_slots slots = {0};
    const struct app_lpu *lpu = run->lpu;
    for (int64_t i = 0; i < lpu->block.count; i++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            app_lpu_slots_add(&slots, &run->scenario.lpu_chip, &lpu->topology, &lpu->outline,
                              (enum partition_phase)phase, &lpu->own[i].program[phase]);
    return slots;
}

static bool is_own(const struct app_lpu *lpu, int32_t chip)
{
    return chip >= lpu->block.first && chip < lpu->block.first + lpu->block.count;
}

/* How many slots of this rank's chips are in only one of timetable and programs. */
static int64_t slots_that_differ(const struct app_run *run, const struct record_lpu_slot *slot,
                                 size_t count)
{
    struct app_lpu_slots own = own_slots(run);
    size_t n = 0;
    int64_t others = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_own(run->lpu, slot[i].from_chip))
            continue;
        others += n >= own.count || !is_equal(&own.slot[n], &slot[i]);
        n++;
    }
    others += n < own.count ? (int64_t)(own.count - n) : 0;
    app_lpu_slots_release(&own);
    return others;
}

static void print_rule(const char *what, int64_t checked, const char *noun)
{
    printf("%-12s%s %s\n", what, app_text_count(checked).text, noun);
}

static int32_t steps_of(const struct app_lpu *lpu, enum partition_phase phase)
{
    int32_t steps = 0;
    for (int32_t n = 0; n < lpu->steps; n++)
        steps += app_lpu_phase_of(lpu, &lpu->step[n]) == phase;
    return steps;
}

/* Steps that began before the one before them had ended. */
static int32_t overlapping(const struct app_lpu *lpu)
{
    int32_t steps = 0;
    for (int32_t n = 1; n < lpu->steps; n++)
        steps += lpu->step[n].start_cycle < lpu->step[n - 1].end_cycle;
    return steps;
}

static void print_length(const struct app_lpu *lpu, const char *what, enum partition_phase phase)
{
    int32_t steps = steps_of(lpu, phase);
    printf("%-12s%s cycles compiled, %" PRId32 " positions: %" PRId32 " step%s\n", what,
           app_text_count(lpu->outline.length_cycles[phase]).text, lpu->outline.positions[phase],
           steps, steps == 1 ? "" : "s");
}

static void print_lengths(const struct app_run *run)
{
    const struct app_lpu *lpu = run->lpu;
    print_length(lpu, "prefill", PARTITION_PREFILL);
    for (int32_t n = 0; n <= run->scenario.bucket.rungs; n++)
        print_length(lpu, n ? "" : "decode", app_lpu_bucket(run, n));
    if (lpu->sharing.interval.mixed_cycles > 0)
        printf("%-12s%" PRId32 " of the steps began among others, of %" PRId32 " seats\n",
               "in flight", overlapping(lpu), lpu->sharing.seats.placed);
}

static void print_verdict(const struct app_run *run, size_t slots, int64_t differ)
{
    const struct app_lpu *lpu = run->lpu;
    const struct app_lpu_totals *t = &lpu->totals;
    printf("%s: %" PRId32 " steps, %" PRId32 " chips\n", run->command->file, lpu->steps,
           lpu->topology.chips);
    print_rule("executed", t->instructions, "instructions");
    print_rule("", t->vectors, "vectors");
    print_rule("", t->messages, "messages between chips");
    printf("%-12s%s slots, %s\n", "timetable", app_text_count((int64_t)slots).text,
           differ ? "not those that the programs send in" : "those that the programs send in");
    print_lengths(run);
    printf("%-12s%s violated\n", "contract", app_text_count(t->violations + differ).text);
}

enum base_status app_artifact_check_timetable(struct app_run *run, size_t *slots, int64_t *differ)
{
    struct record_lpu_slot *slot = app_artifact_slots(run->artifact, slots, &run->report);
    enum base_status status = parallel_agree_report(&run->report, BASE_IO);
    if (status == BASE_OK) {
        *differ = slots_that_differ(run, slot, *slots);
        parallel_sum_i64(differ, 1);
        if (*differ > 0 && parallel_is_first())
            fprintf(stderr,
                    "lpusim-mp: the timetable and what programs send differ in %" PRId64 " slots\n",
                    *differ);
    }
    base_free(slot);
    return status;
}

enum base_status app_artifact_verify(struct app_run *run)
{
    size_t slots;
    int64_t differ;
    enum base_status status = app_artifact_check_timetable(run, &slots, &differ);
    if (status != BASE_OK)
        return status;
    if (parallel_is_first() && !run->scenario.quiet)
        print_verdict(run, slots, differ);
    if (differ > 0)
        run->verdict = BASE_CONTRACT;
    return BASE_OK;
}
