/* SPDX-License-Identifier: BSD-3-Clause */
/* Adds the bounds of blocks and moves up to stages and the step, and finds what was compiled. */
#include "partition/bound.h"

#include <string.h>

#include "base/memory.h"
#include "partition/bound_path.h"
#include "partition/plan.h"
#include "partition/stages.h"

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Variant of a kind of block that is the shortest. */
static int32_t shortest(const struct templates *t, enum partition_phase phase,
                        enum partition_block kind)
{
    int32_t best = 0;
    for (int32_t v = 1; v < TEMPLATE_VARIANTS; v++)
        if (t->length[phase][kind][v] && t->length[phase][kind][v] < t->length[phase][kind][best])
            best = v;
    return best;
}

/* An op may be written several times, for one group of rows after the other. */
static void note_op(struct bound_op *op, const struct program *code)
{
    int64_t start = INT64_MAX, end = 0, before = 0;
    for (size_t n = 0; n < code->ops; n++) {
        const struct program_op *compiled = &code->op[n];
        if (strcmp(op->name, compiled->name) == 0) {
            start = compiled->start_cycle < start ? compiled->start_cycle : start;
            end = most(end, compiled->end_cycle);
            op->advance += most(compiled->end_cycle - before, 0);
        }
        before = most(before, compiled->end_cycle);
    }
    op->span = end > start ? end - start : 0;
}

static void note_compiled(const struct templates *t, enum partition_phase phase,
                          struct bound_block *block)
{
    int32_t v = shortest(t, phase, block->kind);
    block->length = t->length[phase][block->kind][v];
    for (int32_t n = 0; n < block->ops; n++)
        note_op(&block->op[n], &t->rank[0].block[phase][block->kind][v].code);
}

static struct stages_unit unit_at(const struct plan *plan, const struct partition_stage *at,
                                  int32_t block)
{
    return stages_unit(plan_templates(plan), block, at->first_block + at->blocks, at->order);
}

static struct stages_unit first_unit(const struct plan *plan, int32_t stage)
{
    const struct partition_stage *at = plan_stage(plan, stage);
    return unit_at(plan, at, at->first_block);
}

/* What leaves a stage: rows of the residual stream, or the key of a token; 0: nothing has to. */
static int64_t moving_vectors(const struct plan *plan, enum partition_phase phase, int32_t stage)
{
    const struct partition_input *in = plan_input(plan);
    const struct shape *s = &plan_templates(plan)->shape[phase];
    int64_t hidden = bound_ceil(2 * in->model->hidden, in->chip->lanes) * s->rows;
    int32_t stages = plan_stages(plan), head = stages_block_count(in->model) - 1;
    if (stage + 1 < stages && first_unit(plan, stage + 1).kind == PARTITION_MLP_SECOND)
        hidden *= 2;
    if (phase == PARTITION_DECODE)
        return stage + 1 < stages ? hidden : stages > 1 ? 4 : 0;
    return stage + 1 < stages && plan_stage(plan, stage + 1)->first_block < head ? hidden : 0;
}

/* Blocks one after the other; the last one's sums may go on without being known here. */
static void bound_stage_of(const struct bound_machine *m, const struct plan *plan,
                           struct bound_step *step, int32_t s)
{
    const struct partition_stage *at = plan_stage(plan, s);
    const struct bound_block *last = NULL;
    struct bound_stage *stage = &step->stage[s];
    int64_t vectors = moving_vectors(plan, step->phase, s);
    for (int32_t n = at->first_block; n < at->first_block + at->blocks;) {
        struct stages_unit u = unit_at(plan, at, n);
        n = u.next;
        if (step->phase == PARTITION_PREFILL && u.kind == PARTITION_HEAD)
            continue;
        last = &step->block[u.kind];
        stage->bound += last->end;
    }
    stage->cycles = at->end_cycle[step->phase] - at->start_cycle[step->phase];
    stage->move_cycles = plan_transfer_cycles(plan, step->phase, s);
    stage->joint_cycles = stage->cycles + stage->move_cycles;
    stage->joint_bound = stage->bound;
    if (!vectors || !last)
        return;
    int32_t to = plan_stage(plan, s + 1 < step->stages ? s + 1 : 0)->first_chip;
    struct bound_pair pair = {plan_input(plan)->topology, plan_group(plan), at->first_chip, to,
                              .sums = plan_group(plan) > 1};
    int64_t one = bound_move(m, &pair, 1), all = bound_move(m, &pair, vectors);
    stage->joint_bound += most(last->last + one, last->first + all) - last->end;
    pair.sums = false;
    stage->move_bound = bound_move(m, &pair, vectors);
}

void bound_step(const struct plan *plan, enum partition_phase phase, struct bound_step *step)
{
    const struct templates *t = plan_templates(plan);
    struct bound_machine m = bound_machine_of(plan_input(plan)->chip);
    *step = (struct bound_step){.phase = phase,
                                .stages = plan_stages(plan),
                                .start = plan_input(plan)->chip->sync_cycles,
                                .cycles = plan_length_cycles(plan, phase)};
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++) {
        if (!template_is_compiled(t, phase, kind))
            continue;
        bound_block(&m, &t->shape[phase], kind, &step->block[kind]);
        note_compiled(t, phase, &step->block[kind]);
    }
    step->stage = base_alloc((size_t)step->stages, sizeof *step->stage);
    step->bound = step->start;
    for (int32_t s = 0; s < step->stages; s++) {
        bound_stage_of(&m, plan, step, s);
        step->bound += step->stage[s].joint_bound;
    }
}

void bound_release(struct bound_step *step)
{
    base_free(step->stage);
    step->stage = NULL;
}
