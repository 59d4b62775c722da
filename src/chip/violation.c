/* SPDX-License-Identifier: BSD-3-Clause */
/* Collects violations and says them in words. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"

const char *chip_rule_name(enum chip_rule rule)
{
    static const char *const name[CHIP_RULES] = {
        [CHIP_RULE_QUEUE] = "queue",         [CHIP_RULE_STREAM] = "stream",
        [CHIP_RULE_SAMPLE] = "sample",       [CHIP_RULE_BANK] = "bank",
        [CHIP_RULE_RESIDENCY] = "residency", [CHIP_RULE_MXM] = "MXM",
        [CHIP_RULE_LINK] = "link",           [CHIP_RULE_MESSAGE] = "message",
        [CHIP_RULE_CAPACITY] = "capacity",   [CHIP_RULE_LENGTH] = "length"};
    return rule > 0 && rule < CHIP_RULES ? name[rule] : "?";
}

const char *chip_unit_name(enum chip_unit unit)
{
    static const char *const name[CHIP_UNITS] = {"MEM", "MXM load", "MXM compute",
                                                 "VXM", "SXM",      "C2C"};
    return unit < CHIP_UNITS ? name[unit] : "?";
}

struct chip_violation *executor_report(struct chip *chip, const struct executor_step *of,
                                       enum chip_rule rule, int64_t instruction, int64_t cycle)
{
    if (!chip->violation)
        chip->violation = base_alloc(CHIP_VIOLATIONS_KEPT + 1, sizeof *chip->violation);
    struct chip_violation *v = &chip->violation[chip->violations_kept];
    if (chip->violations_kept < CHIP_VIOLATIONS_KEPT)
        chip->violations_kept++;
    chip->violations_total++;
    *v = (struct chip_violation){.rule = rule,
                                 .chip = chip->id,
                                 .queue = -1,
                                 .step = of ? of->number : -1,
                                 .cycle = of ? cycle - of->start : cycle,
                                 .layer = -1};
    if (instruction == EXECUTOR_NO_INSTRUCTION)
        return v;
    const struct program_instruction *i = &of->program->instruction[instruction];
    v->queue = i->queue;
    v->layer = of->program->op[i->op].layer;
    memcpy(v->op, of->program->op[i->op].name, sizeof v->op);
    return v;
}

void executor_identity_text(const struct program *program, int32_t tensor, int32_t sub,
                            int64_t index, char *text)
{
    const struct program_tensor *t = &program->tensor[tensor];
    if (t->kind == PROGRAM_TENSOR_ZERO)
        snprintf(text, CHIP_TEXT_BYTES, "zero");
    else
        snprintf(text, CHIP_TEXT_BYTES, "%.23s[%d][%lld]", t->name, sub, (long long)index);
}

const struct chip_violation *chip_violations(const struct chip *chip, size_t *kept, int64_t *total)
{
    *kept = chip->violations_kept;
    *total = chip->violations_total;
    return chip->violation;
}

char *chip_violation_text(const struct chip_violation *v)
{
    char unit[24] = "chip";
    if (v->queue >= 0)
        program_queue_name(v->queue, unit);
    return base_format("rule %d (%s): chip %d, %s, cycle %lld, op %.23s, layer %d: expected %s, "
                       "found %s",
                       (int)v->rule, chip_rule_name(v->rule), v->chip, unit, (long long)v->cycle,
                       v->op[0] ? v->op : "-", v->layer, v->expected, v->found);
}
