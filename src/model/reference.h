/* SPDX-License-Identifier: BSD-3-Clause */
/* The model computed plainly, one token at a time: what the values of a simulated rack are compared
 * with. */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "model/weights.h"

struct model_reference;

/* A sequence of up to `positions` tokens, as yet empty. Needs model_is_valid and 1 <= positions <=
 * MODEL_MOST_POSITIONS. `weights` are those of `model`, are read at every step, and must stay open
 * until model_reference_release; `model` is copied. Memory: the keys and values of all positions
 * and a few rows. */
struct model_reference *model_reference_create(const struct model *model,
                                               const struct model_weights *weights,
                                               int32_t positions);

/* Accepts NULL. */
void model_reference_release(struct model_reference *reference);

/* Takes 0 <= token < vocabulary at the next position, of which there must be one. Returns the
 * logits[vocabulary] of the token to follow, valid until the next call. */
const float *model_reference_step(struct model_reference *reference, int32_t token);

/* Lowest id among the greatest logits. Needs 1 <= count <= MODEL_MOST_VOCABULARY and no NaN. */
int32_t model_reference_choice(const float *logit, int64_t count);

#endif
