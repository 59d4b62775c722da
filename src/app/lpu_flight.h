/* SPDX-License-Identifier: BSD-3-Clause */
/* When the steps of several sequences begin that share the pipeline. */
#ifndef APP_LPU_FLIGHT_H
#define APP_LPU_FLIGHT_H

#include "app/app.h"

/* First rank. Fills lpu->step, steps, prompt_steps and sequences; for lpu.seats other than 1. */
void app_lpu_list_flight(struct app_run *run);

/* The first step from which on none stands to the steps open beside it as no two before did: all
 * kinds and distances of two steps that are under way together have occurred by then. */
int32_t app_lpu_flight_known_from(const struct app_lpu *lpu);

#endif
