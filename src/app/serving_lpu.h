/* SPDX-License-Identifier: BSD-3-Clause */
/* A rack as its compiled plan describes it, ready to be given requests. */
#ifndef APP_SERVING_LPU_H
#define APP_SERVING_LPU_H

#include "app/serving.h"
#include "partition/partition.h"

struct app_serving_rack {
    struct serve_machine machine;
    struct serve_apart *apart; /* owned; machine.apart */
    struct serve_frame frame;
    struct serve_capacity capacity;
};

/* The plan of `run`, whose scenario outlives the rack, with a frame for such requests. On the first
 * rank. */
struct app_serving_rack app_serving_rack_open(const struct app_run *run,
                                              const struct serve_spec *spec,
                                              const struct serve_request *request, size_t count);
void app_serving_rack_close(struct app_serving_rack *rack);

void app_serving_rack_note(const struct app_serving_rack *rack,
                           struct app_serving_timetable *timetable);

/* The kind of step of a phase of the run's plan. */
uint8_t app_serving_kind(const struct app_run *run, enum partition_phase phase);

/* What the executor finds against the planner is a failure of the program: a fault, and false. */
bool app_serving_is_proved(const struct serve_rehearsal *found, struct base_report *report);

#endif
