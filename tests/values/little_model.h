/* SPDX-License-Identifier: BSD-3-Clause */
/* Random weights of a model that only a test knows, written as safetensors. */
#ifndef TESTS_VALUES_LITTLE_MODEL_H
#define TESTS_VALUES_LITTLE_MODEL_H

#include "model/model.h"

/* A new folder below the build tree with the model's weights, the same ones each time. Returns its
 * path; give it to little_model_remove. */
char *little_model_write(const struct model *model);

void little_model_remove(char *folder);

#endif
