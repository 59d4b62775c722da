/* SPDX-License-Identifier: BSD-3-Clause */
/* One field of one entry changed at random: refused, found out or harmless, but never a crash. */
#include "mutate.h"
#include "test.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "idle.h"
#include "rig.h"

enum { MUTANTS = 20000 };

struct field {
    const char *name;
    size_t offset, bytes;
};

#define FIELD(type, name)                                                                          \
    {                                                                                              \
#name, offsetof(struct type, name), sizeof(((struct type *)0)->name)                       \
    }
#define PART(type, name, k)                                                                        \
    {                                                                                              \
#name "[" #k "]", offsetof(struct type, name) + k * sizeof(int32_t), sizeof(int32_t)       \
    }

/* What the contract can see. Numbers that only values depend on (function, immediate, low and width
 * of a permutation) are not here. */
static const struct field of_instruction[] = {
    FIELD(program_instruction, cycle),      FIELD(program_instruction, queue),
    FIELD(program_instruction, opcode),     FIELD(program_instruction, flags),
    FIELD(program_instruction, inputs),     FIELD(program_instruction, outputs),
    FIELD(program_instruction, op),         FIELD(program_instruction, operand),
    FIELD(program_instruction, address),    FIELD(program_instruction, address_mode),
    FIELD(program_instruction, limit),      FIELD(program_instruction, argument),
    FIELD(program_instruction, low),        FIELD(program_instruction, sequence),
    PART(program_instruction, count, 0),    PART(program_instruction, count, 1),
    PART(program_instruction, interval, 0), PART(program_instruction, interval, 1),
    PART(program_instruction, stride, 0),   PART(program_instruction, stride, 1)};
static const struct field of_operand[] = {
    FIELD(program_operand, kind),     FIELD(program_operand, direction),
    FIELD(program_operand, stream),   FIELD(program_operand, streams),
    FIELD(program_operand, sub),      FIELD(program_operand, index_mode),
    FIELD(program_operand, tensor),   FIELD(program_operand, index),
    PART(program_operand, stride, 0), PART(program_operand, stride, 1)};
static const struct field of_tensor[] = {
    FIELD(program_tensor, kind),   FIELD(program_tensor, subs),    FIELD(program_tensor, layer),
    FIELD(program_tensor, slice),  FIELD(program_tensor, address), FIELD(program_tensor, count),
    FIELD(program_tensor, caches), FIELD(program_tensor, valid),   FIELD(program_tensor, live_from),
    FIELD(program_tensor, live_to)};
static const struct field of_op[] = {FIELD(program_op, start_cycle), FIELD(program_op, end_cycle)};

static uint64_t state = 2024;

static uint64_t draw(uint64_t n)
{
    return mutate_draw(&state, n);
}

/* Near, far, or one of the numbers that break programs. */
static int64_t mutated(int64_t value)
{
    switch (draw(4)) {
    case 0:
        return mutate_evil(&state);
    case 1:
        return mutate_bit(&state, value, 32);
    default:
        return mutate_near(&state, value);
    }
}

static void mutate(void *entry, const struct field *field)
{
    int64_t value = 0;
    memcpy(&value, (char *)entry + field->offset, field->bytes);
    int64_t other = value;
    while (memcmp(&other, &value, field->bytes) == 0)
        other = mutated(value);
    memcpy((char *)entry + field->offset, &other, field->bytes);
}

static const char *mutate_operand(struct program *p)
{
    const struct field *f = &of_operand[draw(sizeof of_operand / sizeof of_operand[0])];
    const struct program_instruction *i = &p->instruction[draw(p->instructions)];
    struct program_operand *o = &p->operand[i->operand + draw((uint64_t)i->inputs + i->outputs)];
    if (idle_field(i, o, f->name))
        return mutate_operand(p);
    mutate(o, f);
    return f->name;
}

static const char *mutate_instruction(struct program *p)
{
    const struct field *f = &of_instruction[draw(sizeof of_instruction / sizeof of_instruction[0])];
    struct program_instruction *i = &p->instruction[draw(p->instructions)];
    if (idle_field(i, NULL, f->name))
        return mutate_instruction(p);
    mutate(i, f);
    return f->name;
}

/* Changes one field of a program; returns its name. */
static const char *mutate_program(struct program *p)
{
    const struct field *f = &of_op[draw(2)];
    uint64_t what = draw(8);
    if (what > 1)
        return what > 4 ? mutate_operand(p) : mutate_instruction(p);
    if (what == 1) {
        mutate(&p->op[draw(p->ops)], f);
        return f->name;
    }
    f = &of_tensor[draw(sizeof of_tensor / sizeof of_tensor[0])];
    mutate(&p->tensor[draw(p->tensors)], f);
    return f->name;
}

struct score {
    const char *name;
    int32_t refused, found, silent;
};

static struct score *score_of(struct score *score, const char *name)
{
    while (score->name && strcmp(score->name, name) != 0)
        score++;
    score->name = name;
    return score;
}

/* Both chips, whatever happens; violations found. */
static int64_t run(const struct program pair[2])
{
    struct rig rig;
    rig_start(&rig, &rig_machine);
    rig_step(&rig, pair, 16);
    rig_step(&rig, pair, 17);
    int64_t found = rig_violations(&rig);
    rig_stop(&rig);
    return found;
}

static void judge_mutant(struct score *scores)
{
    struct program pair[2];
    struct base_report report = {0};
    rig_pair(pair);
    int32_t chip = draw(6) == 0;
    struct score *score = score_of(scores, mutate_program(&pair[chip]));
    if (!program_is_valid(&rig_machine, &pair[chip], &report))
        score->refused++;
    else if (run(pair))
        score->found++;
    else
        score->silent++;
    base_report_release(&report);
    program_release(&pair[0]);
    program_release(&pair[1]);
}

static void no_mutant_breaks_the_executor_and_few_go_unseen(void)
{
    struct score scores[64] = {{0}};
    int32_t silent = 0;
    for (int n = 0; n < MUTANTS; n++)
        judge_mutant(scores);
    printf("%-14s %8s %8s %8s\n", "field", "refused", "found", "silent");
    for (const struct score *s = scores; s->name; s++) {
        printf("%-14s %8d %8d %8d\n", s->name, s->refused, s->found, s->silent);
        silent += s->silent;
    }
    CU_ASSERT_TRUE(silent < MUTANTS / 8);
}

TEST_MAIN("mutants", TEST(no_mutant_breaks_the_executor_and_few_go_unseen))
