/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary as JSON: the same numbers as on the terminal and under /compare. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include "app/app.h"

/* Writes to PATH, "-" being standard output; false and a fault where it cannot. One rank calls. */
bool app_json_write(const struct app_run *run, const char *path, struct base_report *report);

#endif
