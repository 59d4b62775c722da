/* SPDX-License-Identifier: BSD-3-Clause */
/* The bounds of both steps as rows of the record. */
#include <stdio.h>

#include "app/artifact.h"
#include "app/lpu.h"
#include "base/memory.h"

/* Values of the column `part`. */
enum part { PART_STEP, PART_STAGE, PART_MOVE, PART_BLOCK, PART_OP };

struct rows {
    struct record_plan_bound *row;
    size_t count, capacity;
    uint8_t phase;
};

static struct record_plan_bound *add(struct rows *rows, enum part part, const char *name,
                                     int64_t cycles, int64_t bound)
{
    rows->row = base_grow(rows->row, &rows->capacity, rows->count + 1, sizeof *rows->row);
    struct record_plan_bound *row = &rows->row[rows->count++];
    *row = (struct record_plan_bound){.phase = rows->phase,
                                      .part = (uint8_t)part,
                                      .stage = -1,
                                      .block = PARTITION_BLOCKS,
                                      .cycles = cycles,
                                      .bound_cycles = bound,
                                      .limit = BOUND_LIMITS};
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

static void add_op(struct rows *rows, enum partition_block block, const struct bound_op *op)
{
    struct record_plan_bound *row = add(rows, PART_OP, op->name, op->advance, op->path);
    row->block = (uint8_t)block;
    row->span_cycles = op->span, row->alone_cycles = op->alone;
    row->install_cycles = op->need[BOUND_INSTALL], row->compute_cycles = op->need[BOUND_COMPUTE];
    row->vxm_cycles = op->need[BOUND_VXM], row->sxm_cycles = op->need[BOUND_SXM];
    row->link_cycles = op->need[BOUND_LINKS], row->latency_cycles = op->need[BOUND_LATENCY];
    row->limit = (uint8_t)op->limit;
}

static void add_block(struct rows *rows, const struct bound_block *block)
{
    if (!block->times)
        return;
    add(rows, PART_BLOCK, "block", block->cycles, block->bound)->block = (uint8_t)block->kind;
    for (int32_t n = 0; n < block->ops; n++)
        add_op(rows, block->kind, &block->op[n]);
}

static void add_step(struct rows *rows, const struct bound_step *step)
{
    add(rows, PART_STEP, "step", step->cycles, step->bound);
    for (int32_t s = 0; s < step->stages; s++) {
        const struct bound_stage *stage = &step->stage[s];
        add(rows, PART_STAGE, "stage", stage->cycles, stage->bound)->stage = s;
        add(rows, PART_MOVE, "move", stage->move_cycles, 0)->stage = s;
    }
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++)
        add_block(rows, &step->block[kind]);
}

struct record_plan_bound *app_lpu_bounds(const struct plan *plan, size_t *count)
{
    struct rows rows = {.count = 0};
    for (enum partition_phase phase = 0; phase < PARTITION_RUNG; phase++) {
        struct bound_step step;
        rows.phase = (uint8_t)app_lpu_record_phase(phase);
        bound_step(plan, phase, &step);
        add_step(&rows, &step);
        bound_release(&step);
    }
    *count = rows.count;
    return rows.row;
}

/* The first rank's: of its plan, or as the artifact has them. */
void app_lpu_record_bounds(struct app_run *run)
{
    const struct app_artifact *artifact = parallel_is_first() ? run->artifact : NULL;
    size_t count = artifact ? artifact->bounds : 0;
    struct record_plan_bound *row = run->lpu->plan ? app_lpu_bounds(run->lpu->plan, &count) : NULL;
    record_append(run->file, record_layout(RECORD_PLAN_BOUNDS), artifact ? artifact->bound : row,
                  count);
    base_free(row);
}
