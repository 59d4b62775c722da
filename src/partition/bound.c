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
    int32_t v = template_shortest(t, phase, block->kind);
    block->cycles = t->length[phase][block->kind][v];
    for (int32_t n = 0; n < block->ops; n++)
        note_op(&block->op[n], &template_longest(t, phase, block->kind, v)->code);
}

/* A walk through stages. Both shares of an MLP need the same rows, and neither the other: where
 * they are in two stages, they may work at the same time. */
struct stage_walk {
    const struct plan *plan;
    struct bound_machine m;
    struct bound_step *step;
    struct bound_time partial; /* of the latest unit */
    struct bound_time input;   /* of the latest unit but first shares, and the stage that has it */
    int32_t input_stage;
    struct bound_time first_share; /* its sums in the stage of the second; 0: there is none */
};

/* What a stage has from `block` on. */
static struct stages_unit unit_at(const struct stage_walk *w, int32_t s, int32_t block)
{
    return plan_unit(w->plan, plan_stage(w->plan, s), block);
}

static struct stages_unit first_unit(const struct stage_walk *w, int32_t s)
{
    return unit_at(w, s, plan_stage(w->plan, s)->first_block);
}

static bool is_worked(const struct stage_walk *w, enum partition_block kind)
{
    return template_is_compiled(plan_templates(w->plan), w->step->phase, kind);
}

/* What leaves a stage for the next: rows of the residual stream, or the key of a token; 0: nothing
 * has to. *row: vectors of one row. */
static int64_t moving_vectors(const struct stage_walk *w, int32_t s, int64_t *row)
{
    const struct shape *shape = &plan_templates(w->plan)->shape[w->step->phase];
    bool last = s + 1 == w->step->stages, key = last && w->step->phase == PARTITION_DECODE;
    *row = key ? program_dtype_planes(PROGRAM_DTYPE_KEY) : bound_row_vectors(shape);
    if (key)
        return s > 0 ? *row : 0;
    return !last && is_worked(w, first_unit(w, s + 1).kind) ? *row * shape->rows : 0;
}

static struct bound_pair pair_of(const struct stage_walk *w, int32_t s)
{
    int32_t next = s + 1 < w->step->stages ? s + 1 : 0;
    return (struct bound_pair){
        plan_input(w->plan)->topology, plan_group(w->plan), plan_stage(w->plan, s)->first_chip,
        plan_stage(w->plan, next)->first_chip, .sums = plan_group(w->plan) > 1};
}

/* By how much a norm's last vectors may come after what its maximum is made of: the maximum crosses
 * lanes, and its reciprocal takes two functions. */
static int64_t lateness(const struct bound_machine *m)
{
    return bound_crossing_way(m) + 2 * m->alu;
}

/* Notes the rows that the other share of an MLP may need, too. */
static void note_input(struct stage_walk *w, int32_t s, enum partition_block kind)
{
    if (kind == PARTITION_MLP_FIRST)
        return;
    w->input = w->partial;
    w->input_stage = s;
}

static void wait_for(struct bound_time *time, const struct bound_time *other)
{
    time->first = most(time->first, other->first);
    time->row = most(time->row, other->row);
    time->last = most(time->last, other->last);
}

/* Units of a stage one after the other. */
static void walk_stage(struct stage_walk *w, int32_t s, struct bound_time *time)
{
    const struct partition_stage *at = plan_stage(w->plan, s);
    const struct templates *t = plan_templates(w->plan);
    w->partial = *time;
    for (int32_t n = at->first_block; n < at->first_block + at->blocks;) {
        struct stages_unit u = unit_at(w, s, n);
        struct bound_work work = {&t->shape[w->step->phase], u.kind, lateness(&w->m),
                                  u.kind == PARTITION_ATTENTION &&
                                      template_is_windowed(t, u.layer)};
        struct bound_block ignored;
        n = u.next;
        if (!is_worked(w, u.kind))
            continue;
        bound_block(&w->m, &work, time, &w->partial, &ignored);
        if (u.kind == PARTITION_MLP_SECOND) {
            wait_for(time, &w->first_share);
            wait_for(&w->partial, &w->first_share);
        }
        note_input(w, s, u.kind);
    }
}

/* Parts of sums of stage `from`, as soon as they exist, on to the stage after s. */
static struct bound_time moved(const struct stage_walk *w, int32_t from, int32_t s,
                               const struct bound_time *partial)
{
    int64_t row, all = moving_vectors(w, s, &row);
    struct bound_pair pair = pair_of(w, s);
    pair.from = plan_stage(w->plan, from)->first_chip;
    int64_t late = s + 1 < w->step->stages ? lateness(&w->m) : 0;
    int64_t one = bound_move(&w->m, &pair, 1);
    int64_t a_row = most(bound_move(&w->m, &pair, row) - late, one);
    int64_t every = most(bound_move(&w->m, &pair, all) - late, one);
    struct bound_time time = {.first = partial->first + one,
                              .row = most(partial->row + one, partial->first + a_row)};
    time.last = most(most(partial->last + one, partial->first + every), time.row);
    return time;
}

static void walk_move(struct stage_walk *w, int32_t s, struct bound_time *time)
{
    int64_t row;
    if (!moving_vectors(w, s, &row))
        return;
    bool inside = s + 1 < w->step->stages && first_unit(w, s + 1).kind == PARTITION_MLP_SECOND;
    w->first_share = inside ? moved(w, s, s, &w->partial) : (struct bound_time){0};
    *time = inside ? moved(w, w->input_stage, s, &w->input) : moved(w, s, s, &w->partial);
}

static void note_stage(const struct stage_walk *walk, int32_t s)
{
    struct stage_walk w = *walk;
    const struct partition_stage *at = plan_stage(w.plan, s);
    struct bound_stage *stage = &w.step->stage[s];
    struct bound_time time = {0};
    w.first_share = time;
    walk_stage(&w, s, &time);
    stage->bound = time.last;
    stage->cycles = at->end_cycle[w.step->phase] - at->start_cycle[w.step->phase];
    stage->move_cycles = plan_transfer_cycles(w.plan, w.step->phase, s);
}

/* Cycles of the step by what they are for; what no op is known for counts as vectors. */
static void add_shares(const struct stage_walk *w, int32_t s)
{
    const struct partition_stage *at = plan_stage(w->plan, s);
    struct bound_step *step = w->step;
    for (int32_t n = at->first_block; n < at->first_block + at->blocks;) {
        struct stages_unit u = unit_at(w, s, n);
        struct bound_block *block = &step->block[u.kind];
        int64_t left = stages_unit_length(plan_templates(w->plan), step->phase, u);
        n = u.next;
        block->times += block->ops > 0;
        for (int32_t k = 0; k < block->ops; k++) {
            step->share[block->op[k].of] += block->op[k].advance;
            left -= block->op[k].advance;
        }
        step->share[BOUND_VECTORS] += left;
    }
    step->share[BOUND_SUMS] += step->stage[s].move_cycles;
}

static void note_blocks(const struct stage_walk *w)
{
    const struct templates *t = plan_templates(w->plan);
    enum partition_phase phase = w->step->phase;
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++) {
        struct bound_time time = {0}, partial;
        struct bound_work work = {.shape = &t->shape[phase], .kind = kind};
        if (!template_is_compiled(t, phase, kind))
            continue;
        work.windowed = template_shortest(t, phase, kind) >= EMIT_SETS;
        bound_block(&w->m, &work, &time, &partial, &w->step->block[kind]);
        note_compiled(t, phase, &w->step->block[kind]);
    }
}

void bound_step(const struct plan *plan, enum partition_phase phase, struct bound_step *step)
{
    *step = (struct bound_step){
        .phase = phase, .stages = plan_stages(plan), .cycles = plan_length_cycles(plan, phase)};
    struct stage_walk w = {
        .plan = plan, .m = bound_machine_of(plan_input(plan)->chip), .step = step};
    int64_t start = plan_input(plan)->chip->sync_cycles;
    struct bound_time time = {start, start, start};
    note_blocks(&w);
    step->stage = base_alloc((size_t)step->stages, sizeof *step->stage);
    for (int32_t s = 0; s < step->stages; s++) {
        note_stage(&w, s);
        add_shares(&w, s);
        walk_stage(&w, s, &time);
        walk_move(&w, s, &time);
    }
    step->bound = time.last;
}

void bound_release(struct bound_step *step)
{
    base_free(step->stage);
    step->stage = NULL;
}
