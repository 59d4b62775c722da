/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests at both machines' doors. */
#ifndef APP_SERVING_H
#define APP_SERVING_H

#include <stdio.h>

#include "app/app.h"
#include "record/layout.h"
#include "serve/frame_choice.h"
#include "serve/measures.h"
#include "serve/rehearsal.h"
#include "serve/requests.h"
#include "serve/source.h"

/* The LPU's frame of slots and windows, and what all steps in it came to. */
struct app_serving_timetable {
    int32_t seats, lanes, pass_rows; /* 0: prompts take decode steps */
    int64_t slot_cycles;
    int32_t slots, closed_slots, passes; /* of a frame; passes 0: no windows */
    struct serve_capacity capacity;
    struct serve_usage usage;
    struct serve_rehearsal rehearsal;
};

/* What serve found out; the same on all ranks. */
struct app_serving {
    struct serve_requests requests;
    struct serve_outcome *outcome[2]; /* by enum record_machine; NULL: it takes no part */
    struct serve_measures measures[2];
    struct app_serving_timetable timetable; /* where the LPU takes part */
    double seconds[2];                      /* wall time */
};

void app_serving_free(struct app_serving *serving);

/* Serve `count` requests, sorted by arrival, on one machine as the run describes it; fill
 * outcome[count]. Collective; the outcome is the same on all ranks and for any number of them. The
 * LPU's programs are compiled, the GPU's job is valid. Shows progress unless the run is quiet. */
enum base_status app_serving_lpu(struct app_run *run, const struct serve_request *request,
                                 size_t count, struct serve_outcome *outcome);
enum base_status app_serving_gpu(struct app_run *run, const struct serve_request *request,
                                 size_t count, struct serve_outcome *outcome);

/* The measures of one machine with names and units, as the file and the JSON have them, in *row
 * (base_free). Returns how many. */
size_t app_serving_rows(const struct app_run *run, enum record_machine machine,
                        struct record_serve_measure **row);

/* The summary as JSON (app_json_writer). */
void app_serving_json(FILE *out, const struct app_run *run);

struct app_paint; /* app/rows.h */
void app_serving_timetable_print(const struct app_run *run, const struct app_paint *paint);

/* Collective. /serve. */
void app_serving_record(struct app_run *run);

#endif
