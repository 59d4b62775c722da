/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp collective: one collective of a GPU cluster, explained. */
#ifndef APP_COLLECTIVE_H
#define APP_COLLECTIVE_H

#include <stdbool.h>

#include "base/gpu_machine.h"
#include "base/status.h"
#include "gpu_cluster/predict.h"

enum { APP_COLLECTIVE_SETS = 64 };

/* What is asked for. Paths are owned. */
struct app_collective {
    const char *gpu, *machine, *op;
    char *gpu_path, *machine_path;
    struct gpu_question question;
    const char *set[APP_COLLECTIVE_SETS];
    size_t sets;
    bool help;
    struct gpu_chip chip;
    struct gpu_cluster_spec cluster;
};

/* Words behind "collective", and the descriptions they name. Adds all faults to the report. */
void app_collective_read(int argc, char **argv, struct app_collective *asked,
                         struct base_report *report);
void app_collective_release(struct app_collective *asked);
void app_collective_help(void);

/* The answer, on standard output. */
void app_collective_show(const struct app_collective *asked);

/* Answers the words behind "collective". Not collective: call it on one rank. Returns the status of
 * the process. */
enum base_status app_collective_answer(int argc, char **argv);

#endif
