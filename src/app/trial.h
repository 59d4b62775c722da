/* SPDX-License-Identifier: BSD-3-Clause */
/* A configuration that is tried beside that of the run: compiled by one rank alone. */
#ifndef APP_TRIAL_H
#define APP_TRIAL_H

#include "app/app.h"

/* Not collective. Compiles what the run's model would be under `scenario`, which shares the run's
 * texts and requests; close it in any case. Where it is not BASE_OK the trial's report says why. */
enum base_status app_trial_open(const struct app_run *run, const struct scenario *scenario,
                                struct app_run *trial);
void app_trial_close(struct app_run *trial);

#endif
