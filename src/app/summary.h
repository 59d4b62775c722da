/* SPDX-License-Identifier: BSD-3-Clause */
/* The summaries of the program's commands, and how one is kept in the file and shown again. */
#ifndef APP_SUMMARY_H
#define APP_SUMMARY_H

#include "app/app.h"

/* Print on standard output, from what the first rank knows. */
void app_summary_print(const struct app_run *run);
void app_attribute_print(const struct app_run *run);
void app_serving_print(const struct app_run *run);
void app_frontier_print(const struct app_run *run);

/* Collective. Keeps the summary of the run that is over as the attribute `summary` of /run. */
void app_summary_keep(struct app_run *run);

/* Whether the words behind "show" name the file of a run, not an artifact. */
bool app_summary_is_asked(int argc, char **argv);

/* Prints the summary that such a file keeps. Not collective: call it on one rank. */
enum base_status app_summary_answer(int argc, char **argv);

#endif
