/* SPDX-License-Identifier: BSD-3-Clause */
/* A machine of the run in a few words. */
#ifndef APP_MACHINE_TEXT_H
#define APP_MACHINE_TEXT_H

#include "app/app.h"
#include "record/layout.h"

/* "8 lpu-v1, 1 node"; the machine takes part. Free with base_free. */
char *app_machine_text(const struct app_run *run, enum record_machine machine);

#endif
