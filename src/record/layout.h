/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of the file: for each a schema that says what the fields of its rows are. */
#ifndef RECORD_LAYOUT_H
#define RECORD_LAYOUT_H

#include <stdbool.h>
#include <stdio.h>

#include "record/gpu_rows.h"
#include "record/lpu_rows.h"
#include "record/record.h"

/* Schemas, in the order of the file. */
enum record_table {
    RECORD_MODEL_OPS,
    RECORD_PLAN_CANDIDATES,
    RECORD_PLAN_STAGES,
    RECORD_PLAN_TENSORS,
    RECORD_PLAN_PLACES,
    RECORD_PLAN_BOUNDS,
    RECORD_PLAN_SEATS,
    RECORD_PLAN_DISTANCES,
    RECORD_LPU_QUEUES,
    RECORD_LPU_OPS,
    RECORD_LPU_PROGRAM,
    RECORD_LPU_TIMETABLE,
    RECORD_LPU_STEPS,
    RECORD_LPU_TOKENS,
    RECORD_LPU_TRANSFERS,
    RECORD_LPU_VIOLATIONS,
    RECORD_GPU_STEPS,
    RECORD_GPU_KERNELS,
    RECORD_GPU_COLLECTIVES,
    RECORD_GPU_LINKS,
    RECORD_GPU_DECISIONS,
    RECORD_SERVE_REQUESTS,
    RECORD_SERVE_MEASURES,
    RECORD_SERVE_LOADS,
    RECORD_SERVE_FRONTIER,
    RECORD_SERVE_ROLLOUT,
    RECORD_COMPARE_DECISIONS,
    RECORD_COMPARE_STEPS,
    RECORD_COMPARE_SHARES,
    RECORD_COMPARE_METRICS,
    RECORD_COMPARE_ATTRIBUTION,
    RECORD_COMPARE_INTERVALS,
    RECORD_TABLES
};

/* The schema whose rows are the structures above: record_append(file,
 * record_layout(RECORD_LPU_STEPS), rows, n). */
const struct record_schema *record_layout(enum record_table table);

/* Every name fits, every field lies in its row, names are unique in a group. */
bool record_schema_is_valid(const struct record_schema *schema);

/* Prints all tables as Markdown: the reference part of docs/file_layout.md. */
void record_layout_print(FILE *stream);

#endif
