/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary as JSON: the same numbers as on the terminal and under /compare. */
#ifndef APP_JSON_H
#define APP_JSON_H

#include <stdio.h>

#include "app/app.h"

/* One object about a run. */
typedef void app_json_writer(FILE *out, const struct app_run *run);
app_json_writer app_json_run; /* the request of an ordinary run */

/* Writes to PATH, "-" being standard output; false and a fault where it cannot. One rank calls. */
bool app_json_write(const struct app_run *run, app_json_writer *write, const char *path,
                    struct base_report *report);

/* A text in quotes; bytes that are no UTF-8 become U+FFFD. */
void app_json_text(FILE *out, const char *text);

#endif
