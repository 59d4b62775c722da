/* SPDX-License-Identifier: BSD-3-Clause */
/* In which tensors Hugging Face's checkpoints of each family hold a weight, and how. */
#ifndef MODEL_WEIGHT_TENSORS_H
#define MODEL_WEIGHT_TENSORS_H

#include "model/weights.h"

enum { WEIGHT_MOST_SIZES = 4, WEIGHT_PACK = 32 };

/* Row r of expert e (where experts are one tensor) has its column c at element first + e x
 * expert_stride + r x row_stride + c x column_stride. Of packed tensors those are rows of the
 * tensor, WEIGHT_PACK columns to a block of two to the byte, and column_stride is 0. */
struct weight_layout {
    int64_t tensors; /* 1, or one an expert */
    int32_t sizes;
    int64_t size[WEIGHT_MOST_SIZES]; /* shape of one tensor */
    int64_t expert_rows;             /* rows of the weight in one expert, or all */
    int64_t first, expert_stride, row_stride, column_stride;
};

/* One a layer, or one in the model. */
bool weight_is_layered(enum model_weight what);

/* Whether its tensor has one dimension. */
bool weight_is_vector(enum model_weight what);

/* Whether a checkpoint may hold the weight as blocks of WEIGHT_PACK 4-bit numbers with a scale each
 * (MXFP4): an expert's matrix of gpt_oss whose rows are whole blocks. */
bool weight_may_be_packed(const struct model *model, enum model_weight what);

/* Needs a weight that the model has; `is_packed` needs weight_may_be_packed. */
struct weight_layout weight_layout(const struct model *model, enum model_weight what,
                                   bool is_packed);

/* Name of the tensor that holds a weight; `expert` counts where there is one an expert. Free with
 * base_free. */
char *weight_tensor_name(const struct model *model, enum model_weight what, int64_t layer,
                         int64_t expert);

#endif
