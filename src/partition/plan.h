/* SPDX-License-Identifier: BSD-3-Clause */
/* What files of this room may see of a plan beside its public face. */
#ifndef PARTITION_PLAN_H
#define PARTITION_PLAN_H

#include "partition/partition.h"
#include "partition/stages.h"

const struct partition_input *plan_input(const struct plan *plan);
const struct templates *plan_templates(const struct plan *plan);

/* The unit of a stage that begins with `block`, and a chip's block for it. */
struct stages_unit plan_unit(const struct plan *plan, const struct partition_stage *stage,
                             int32_t block);
const struct block *plan_block(const struct plan *plan, enum partition_phase phase, int32_t rank,
                               struct stages_unit unit);

/* What stage `stage` sends to the next, or the last one to the first. */
struct transfer;
const struct transfer *plan_transfer(const struct plan *plan, enum partition_phase phase,
                                     int32_t stage);

/* Cycles from the end of stage `stage` to the start of the next, or to the step's end. */
int64_t plan_transfer_cycles(const struct plan *plan, enum partition_phase phase, int32_t stage);

/* Rows of a prefill pass: a chunk goes through in one pass (rows 0), or in several equal ones where
 * its activations leave too little SRAM or the last chunk of the bucket would end outside of it.
 * Returns the next fewer rows than `rows`; 0: there are none. */
int32_t plan_pass_rows(const struct bucket *bucket, int32_t rows);

/* A plan that has the blocks of one chip of a group, MLPs cut in two where `shares`, and no stages;
 * NULL where the group is impossible or not allowed. Any number of cuts into c->stages can follow,
 * each with its decode timeline; true where it fits. Release with plan_release. */
struct plan *plan_sketch(const struct partition_input *input, int32_t group, int32_t rows,
                         bool shares);
bool plan_sketch_stages(struct plan *plan, struct partition_candidate *c);

/* Chips that the rack gives. */
int32_t plan_most_chips(const struct partition_input *input);

#endif
