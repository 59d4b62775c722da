/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of an artifact add up to, by kind of step, opcode and op. */
#ifndef APP_ARTIFACT_TALLY_H
#define APP_ARTIFACT_TALLY_H

#include "app/artifact.h"

/* Over all chips. */
struct app_artifact_sums {
    int64_t instructions, tensors, ops, slots;
    int64_t opcode[PROGRAM_OPCODES];
};

/* An op by its name: for each layer the longest of all chips, added up. */
struct app_artifact_op {
    char name[24];
    int64_t cycles[PARTITION_PHASES];
};

struct app_artifact_tally {
    struct app_artifact_sums phase[PARTITION_PHASES];
    struct app_artifact_op *op; /* in the order of their first use */
    size_t ops, capacity;
};

/* False and the faults where programs are refused; released by the caller in any case. */
bool app_artifact_tally_make(const struct app_artifact *artifact,
                             const struct lpu_topology *topology, struct app_artifact_tally *tally,
                             struct base_report *report);
void app_artifact_tally_release(struct app_artifact_tally *tally);

/* "decode", "prefill", "rung 1", ... */
const char *app_artifact_phase_name(enum partition_phase phase);

#endif
