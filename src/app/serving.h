/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests at both machines' doors. */
#ifndef APP_SERVING_H
#define APP_SERVING_H

#include <stdbool.h>
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

/* The door of one machine, open for as many loads as are brought, one after the other. Loads are
 * sorted by arrival and of requests like those that it was opened for. On the first rank only. */
struct app_door {
    void *self;
    /* Fills outcome[count]; shows progress unless `quiet`. false: stopped by a signal, or by a
     * fault in the run's report. */
    bool (*serve)(void *self, const struct serve_request *request, size_t count,
                  struct serve_outcome *outcome, bool quiet);
    /* Requests a second that it can take at most, with no limits; 0: stopped. */
    double (*capacity)(void *self);
};

/* What is done at an open door. */
typedef void app_door_visitor(void *context, const struct app_door *door);

/* Open a machine's door as the run describes it for `count` requests and those like them, on the
 * first rank let the visitor in, and close it. Collective; what comes of it does not depend on the
 * number of ranks. The LPU's programs are compiled, the GPU's job is valid. */
typedef enum base_status app_door_opener(struct app_run *run, const struct serve_request *request,
                                         size_t count, app_door_visitor *visit, void *context);
app_door_opener app_serving_lpu, app_serving_gpu;
app_door_opener *app_serving_opener(enum record_machine machine);

/* The requests of the run and what became of them on a machine, for measures. */
struct serve_served app_serving_served(const struct app_run *run, enum record_machine machine);

/* Collective. Checks the books of a machine and takes its measures; books that do not balance are a
 * failure of the program, never of its user. */
enum base_status app_serving_measure(struct app_run *run, enum record_machine machine);

/* The measures of one machine with names and units, as the file and the JSON have them, in *row
 * (base_free). Returns how many. */
size_t app_serving_rows(const struct app_run *run, enum record_machine machine,
                        struct record_serve_measure **row);

/* The summary as JSON (app_json_writer). */
void app_serving_json(FILE *out, const struct app_run *run);

/* A line about the requests, and a blank one. */
void app_serving_source_print(const struct app_run *run);

/* A machine and its replicas in a few words; free with base_free. */
char *app_serving_machines_text(const struct app_run *run, enum record_machine machine);

struct app_paint; /* app/rows.h */
void app_serving_timetable_print(const struct app_run *run, const struct app_paint *paint);

/* Collective. /serve. */
void app_serving_record(struct app_run *run);

#endif
