/* SPDX-License-Identifier: BSD-3-Clause */
/* A plan while it is made: what the files that make it share. */
#ifndef PARTITION_PLAN_ROOM_H
#define PARTITION_PLAN_ROOM_H

#include "partition/interval.h"
#include "partition/plan.h"
#include "partition/stages.h"
#include "partition/template.h"

struct plan {
    struct partition_input input;
    struct templates templates;
    struct partition_stage *stage;
    struct transfer *
        transfer[PARTITION_PHASES]; /* after each stage; the last of decode brings the token back */
    int32_t stages, group, seats;
    struct partition_columns columns;
    struct partition_choice choice[PARTITION_MATRICES];
    struct interval *interval; /* NULL where one seat was asked for */
    int64_t length[PARTITION_PHASES];
    struct partition_candidate *candidate;
    size_t candidates, candidate_capacity;
};

/* Compiles a split whose prefill passes have `rows` rows as far as its decode length, for the first
 * rank; true where it fits. */
bool plan_try_rows(struct plan *p, struct partition_candidate *c, int32_t rows, bool shares);

/* The same with the longest passes that fit. */
bool plan_try_passes(struct plan *p, struct partition_candidate *c, bool shares);

/* Compiles the other ranks of a split that fits, and all phases. */
void plan_complete(struct plan *p, struct partition_candidate *c);

#endif
