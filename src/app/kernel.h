/* SPDX-License-Identifier: BSD-3-Clause */
/* lpusim-mp kernel: one kernel on one GPU, explained stage by stage. */
#ifndef APP_KERNEL_H
#define APP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "gpu_cluster/kernel.h"

enum { APP_KERNEL_NUMBERS = 8, APP_KERNEL_SETS = 32, APP_KERNEL_LAUNCHES = 4 };

struct app_kernel_subject;

/* What is asked. Texts point into argv. */
struct app_kernel_question {
    const struct app_kernel_subject *subject;
    int64_t number[APP_KERNEL_NUMBERS];
    const char *gpu;
    enum gpu_number type;
    int32_t kv_bytes;
    int64_t sms; /* that are free; 0: all */
    const char *set[APP_KERNEL_SETS];
    size_t sets;
    bool help;
};

/* One launch of what was asked, with a name. */
struct app_kernel_launch {
    const char *name;
    struct gpu_kernel kernel;
    double flops; /* useful ones; 0: none to speak of */
};

/* A thing to ask for: "--gemm m,n,k". */
struct app_kernel_subject {
    const char *name;                          /* "gemm" */
    const char *field[APP_KERNEL_NUMBERS + 1]; /* NULL behind the last */
    int64_t otherwise[APP_KERNEL_NUMBERS];     /* where it is left out; -1: must be given */
    const char *help;
    double (*bytes)(const struct app_kernel_question *q); /* of operands and results together */
    /* Adds a fault for numbers that do not go together; else fills `launch` and returns how many.
     */
    int32_t (*plan)(const struct gpu_chip *chip, const struct app_kernel_question *q,
                    struct app_kernel_launch launch[APP_KERNEL_LAUNCHES],
                    struct base_report *report);
};

extern const struct app_kernel_subject app_kernel_subjects[]; /* name NULL behind the last */

/* Answers the words behind "kernel". Not collective: call it on one rank. Returns the status of the
 * process. */
enum base_status app_kernel_answer(int argc, char **argv);

/* Prints one launch, stage by stage, on standard output; `sms` of the GPU's are free. */
void app_kernel_print(const struct gpu_chip *chip, int32_t sms,
                      const struct app_kernel_launch *launch);

#endif
