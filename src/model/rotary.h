/* SPDX-License-Identifier: BSD-3-Clause */
/* The angles of a model's rotary position embedding. */
#ifndef MODEL_ROTARY_H
#define MODEL_ROTARY_H

#include "model/model.h"

/* frequency[head_dim / 2]: radians a position by which the pair i of a head turns: elements i and
 * i + head_dim / 2 in the order of Hugging Face checkpoints. Needs model_is_valid. */
void model_rotary_frequencies(const struct model *model, double *frequency);

/* Factor of every cosine and sine: yarn's attention factor, 1 of other scalings. */
double model_rotary_gain(const struct model *model);

#endif
