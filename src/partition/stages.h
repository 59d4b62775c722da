/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts the sequence of blocks into pipeline stages. */
#ifndef PARTITION_STAGES_H
#define PARTITION_STAGES_H

#include "partition/template.h"

/* Blocks of a model: embed, attention and MLP of each layer, head. */
int32_t stages_block_count(const struct model *model);
enum partition_block stages_block_kind(const struct model *model, int32_t block);
int32_t stages_block_layer(const struct model *model, int32_t block);

/* first[0..stages] such that stage s holds blocks [first[s], first[s + 1]): each within the rows of
 * a chip, the longest decode stage as short as can be. False where no cut fits; *missing_rows is
 * then what the fullest chip of an even cut lacks, over all its slices. */
bool stages_cut(const struct templates *t, int32_t stages, int32_t *first, int64_t *missing_rows);

/* Cycles from the start of a block to that of the next; 0 for the head in prefill. */
int64_t stages_block_length(const struct templates *t, enum partition_phase phase, int32_t block);

/* Adds the persistent rows of a block, by slice, to `rows`. */
void stages_add_rows(const struct templates *t, int32_t block, int32_t rows[PROGRAM_QUEUE_VXM]);

#endif
