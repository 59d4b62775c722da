/* SPDX-License-Identifier: BSD-3-Clause */
/* What the host writes into SRAM before anything runs: weights, scales and tables in the places
 * that a program gives them. */
#ifndef PARTITION_IMAGE_H
#define PARTITION_IMAGE_H

#include "base/program.h"
#include "model/weights.h"
#include "partition/partition.h"

/* One chip's share. `rank` is the chip's place in its tensor group of `group`. */
struct image_input {
    const struct lpu_chip *chip;
    const struct model *model;
    const struct bucket *bucket;
    const struct model_weights *weights;
    int32_t group, rank;
    struct partition_columns columns;
    bool int8; /* int8 weights with a scale a column, rounded; else as they are, with scales of 1 */
};

/* Planes from `sub` on of vector `index` of a placed tensor are to hold lanes[chip lanes]. */
typedef void image_put(void *context, int32_t tensor, int32_t sub, int32_t index,
                       const float *lanes);

/* Puts all of a decode program's weights, constants and embedding; what is not put is zero. False,
 * with its name in `report`, where the program keeps something that nobody knows how to fill. */
bool image_write(const struct image_input *input, const struct program *program, image_put *put,
                 void *context, struct base_report *report);

/* Numbers of a vector in SRAM, into lanes[chip lanes]. */
typedef void image_get(void *context, int32_t tensor, int32_t sub, int32_t index, float *lanes);

/* logit[share of the vocabulary] that a decode step has left for row `row` on a chip of the last
 * stage; places beyond the vocabulary are 0. Returns the share, which is the same on all chips of
 * the group; 0 where the program has no logits. `logit` NULL: only the share. */
int32_t image_read_logits(const struct image_input *input, const struct program *program,
                          image_get *get, void *context, int32_t row, float *logit);

#endif
