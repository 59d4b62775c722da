/* SPDX-License-Identifier: BSD-3-Clause */
/* Models of a few thousand weights that a test draws, changes and opens. */
#ifndef SMALL_MODEL_H
#define SMALL_MODEL_H

#include "model/weights.h"

enum { SMALL_MODEL_MOST_LAYERS = 2 };

struct small_model {
    struct model model;
    float *weight[SMALL_MODEL_MOST_LAYERS][MODEL_WEIGHTS]; /* NULL where the model has none; layer 0
                                                            * has those outside the layers */
};

/* The model of sample_read with random weights, which do not depend on how many layers there are.
 * Release with small_model_release. */
struct small_model small_model_create(const char *family, const char *extra);
void small_model_release(struct small_model *small);

void small_model_zero(struct small_model *small, enum model_weight what, int64_t layer);

/* The weights as they are now, as float; close with model_weights_close. */
struct model_weights *small_model_open(const struct small_model *small);

#endif
