/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiled schedules as files: plan and programs, and what they were compiled from. */
#ifndef APP_ARTIFACT_H
#define APP_ARTIFACT_H

#include "app/app.h"
#include "app/lpu.h"
#include "record/artifact.h"
#include "record/programs.h"

/* What an artifact holds, read and found to agree with itself. */
struct app_artifact {
    struct record_artifact *file;
    struct record_programs *programs; /* NULL once a run has taken those of its chips */
    size_t bytes;
    struct app_lpu_outline outline;
    struct app_lpu_sharing sharing;
    struct distances *distances;   /* NULL: one seat */
    struct partition_stage *stage; /* [outline.stages] */
    struct partition_candidate *candidate;
    size_t candidates;
    struct record_plan_bound *bound;
    size_t bounds;
    struct model model;
    struct scenario scenario; /* that it was compiled for */
    char **kept;              /* the same as "key=value" */
    size_t kept_count;
};

/* Not collective. From the bytes of a whole file; NULL and the faults where it is refused. */
struct app_artifact *app_artifact_read(const char *path, const char *bytes, size_t count,
                                       struct base_report *report);
void app_artifact_close(struct app_artifact *artifact);

/* Chips of its racks, used or not; each has programs. */
int32_t app_artifact_chips(const struct app_artifact *artifact);

/* Not collective. Both programs of a chip, by enum partition_phase; released by the caller whatever
 * the result. False and the faults where they are not there, not valid, or not of this plan. */
bool app_artifact_programs(const struct app_artifact *artifact, int32_t chip,
                           struct program program[PARTITION_PHASES], struct base_report *report);

/* Not collective. The timetable, in the order of chips and phases; base_free. NULL and a fault
 * where it is not there. */
struct record_lpu_slot *app_artifact_slots(const struct app_artifact *artifact, size_t *count,
                                           struct base_report *report);

/* Collective. Reads the file that the command names; scenario and model of the run are then those
 * of the artifact, with the command's overrides. */
enum base_status app_artifact_open(struct app_run *run);

/* verify: the steps that try what was promised, each executed. Fills lpu->step and steps. */
void app_artifact_list_steps(struct app_run *run);

/* Collective. Slots of the timetable, and how many of timetable and programs are in only one of
 * the two; says so where there are any. */
enum base_status app_artifact_check_timetable(struct app_run *run, size_t *slots, int64_t *differ);

/* What all ranks know of a plan. */
void app_artifact_outline(const struct app_artifact *artifact, struct app_lpu *lpu);

/* Collective, once. Fills lpu->own[].program. */
enum base_status app_artifact_take(struct app_run *run);

/* The values of a scenario as "key=value", but for those of one run alone (output, JSON, quiet);
 * free each, and the array, with base_free. */
char **app_artifact_values(const struct scenario *scenario, size_t *count);

#endif
