/* SPDX-License-Identifier: BSD-3-Clause */
/* When the steps of several batches begin that share the pipeline. */
#ifndef APP_LPU_FLIGHT_H
#define APP_LPU_FLIGHT_H

#include "app/app.h"

/* First rank. Fills lpu->step, steps, prompt_steps and sequences; for lpu.seats other than 1. */
void app_lpu_list_flight(struct app_run *run);

/* Fills lpu->executes: prefill passes, as many decode steps of each bucket as were asked for, and
 * steps that stand to one that is open beside them as no two before did, each with all that are
 * open beside it. What is left stands to everything open beside it as two executed steps did. */
void app_lpu_mark_flight(struct app_run *run);

#endif
