/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts the sequence of blocks into pipeline stages. */
#ifndef PARTITION_STAGES_H
#define PARTITION_STAGES_H

#include "partition/template.h"

/* Blocks of a model: embed, attention and both shares of the MLP of each layer, head. */
int32_t stages_block_count(const struct model *model);

/* The most stages that these templates can be cut into. */
int32_t stages_most(const struct templates *t, const struct model *model);

/* What is compiled as one, in which variant, and the block after it. */
struct stages_unit {
    enum partition_block kind;
    int32_t layer; /* of the head: one more than there are */
    int32_t variant;
    int32_t next;
};

/* The unit that begins with `block` in a stage that ends before block `end` and takes variants in
 * `order`. */
struct stages_unit stages_unit(const struct templates *t, int32_t block, int32_t end,
                               int32_t order);

/* Blocks [first, first + blocks), variants in `order`. */
struct stages_piece {
    int32_t first, blocks, order;
};

/* Fills piece[0..stages): each within the rows of a chip, as few MLPs cut in two as can be, and
 * then the longest decode stage as short as can be. False where no cut fits; *missing is then what
 * the fullest chip of an even cut lacks, in vectors over all its slices. */
bool stages_cut(const struct templates *t, int32_t stages, struct stages_piece *piece,
                int64_t *missing);

/* The fewest stages with which a cut fits; 0: none does. */
int32_t stages_least(const struct templates *t);

/* Cycles from the start of a unit to that of the next; 0 for the head in prefill. */
int64_t stages_unit_length(const struct templates *t, enum partition_phase phase,
                           struct stages_unit unit);

/* Adds the persistent rows of a unit, by slice, to `rows`. */
void stages_add_rows(const struct templates *t, struct stages_unit unit,
                     int32_t rows[PROGRAM_QUEUE_VXM]);

#endif
