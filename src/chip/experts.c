/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks up the ids of a step's experts. */
#include "chip/experts.h"

#include "chip/executor.h"

bool experts_are_ids(const struct executor_step *of, const struct program_operand *ids)
{
    const struct program_tensor *t = &of->program->tensor[ids->tensor];
    return t->kind == PROGRAM_TENSOR_ACTIVATION && t->dtype == PROGRAM_DTYPE_FP16 &&
           t->subs == program_dtype_planes(t->dtype) && ids->sub == 0 && t->layer >= 0 &&
           t->count == of->program->expert_slots && of->loaded->head[ids->tensor] >= 0;
}

int64_t experts_id(const struct chip *chip, const struct executor_step *of, int32_t ids,
                   int32_t slot)
{
    const struct program_tensor *t = &of->program->tensor[ids];
    const struct program_runtime *r = &of->runtime;
    if (t->slice < 0 || slot >= t->count)
        return -1;
    if (chip->values)
        return values_whole(chip, of->program, &(struct chip_number){.tensor = ids, .index = slot});
    if (t->layer < 0 || t->layer >= r->expert_layers || slot >= of->program->expert_slots)
        return -1;
    return r->expert[(int64_t)t->layer * of->program->expert_slots + slot];
}

/* The last layer whose experts the program's addresses take, or -1. */
static int32_t last_layer(const struct program *p)
{
    int32_t last = -1;
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        if (i->address_mode != PROGRAM_ADDRESS_EXPERT)
            continue;
        int32_t layer = p->tensor[p->operand[i->operand + 1u].tensor].layer;
        last = layer > last ? layer : last;
    }
    return last;
}

bool experts_fit(const struct program *program, const struct program_runtime *runtime,
                 bool computed, struct base_report *report)
{
    int32_t layers = last_layer(program) + 1, slots = program->expert_slots;
    size_t before = report->count;
    if (computed || layers == 0)
        return true;
    if (!runtime->expert || runtime->expert_layers < layers) {
        base_report_add(report, NULL, 0, "chip %d: the program takes experts of %d layers, not %d",
                        program->chip, layers, runtime->expert ? runtime->expert_layers : 0);
        return false;
    }
    for (int64_t n = 0; n < (int64_t)layers * slots && report->count == before; n++)
        if (runtime->expert[n] < 0 || runtime->expert[n] >= program->experts)
            base_report_add(report, NULL, 0,
                            "chip %d: expert %d for slot %lld of layer %lld; there are %d",
                            program->chip, runtime->expert[n], (long long)(n % slots),
                            (long long)(n / slots), program->experts);
    return report->count == before;
}
