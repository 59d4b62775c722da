/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of an artifact beside those of its programs. */
#ifndef APP_ARTIFACT_TABLES_H
#define APP_ARTIFACT_TABLES_H

#include "record/record.h"

/* A layer of the model, as far as layers differ. */
struct app_artifact_layer {
    uint8_t full; /* 1: its queries see all positions where others see a window */
};

/* Rows are structures of their own name: struct model, app_artifact_layer, app_lpu_outline,
 * app_lpu_sharing, distances_range, partition_stage, partition_candidate, record_lpu_slot,
 * record_plan_bound. */
enum app_artifact_table {
    APP_ARTIFACT_MODEL,
    APP_ARTIFACT_LAYERS,
    APP_ARTIFACT_OUTLINE,
    APP_ARTIFACT_SHARING,
    APP_ARTIFACT_DISTANCES,
    APP_ARTIFACT_STAGES,
    APP_ARTIFACT_CANDIDATES,
    APP_ARTIFACT_TIMETABLE,
    APP_ARTIFACT_BOUNDS,
    APP_ARTIFACT_TABLES
};

const struct record_schema *app_artifact_schema(enum app_artifact_table table);

#endif
