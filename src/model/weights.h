/* SPDX-License-Identifier: BSD-3-Clause */
/* The weights of a model from the safetensors files beside its config.json. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "model/model.h"

/* What a tensor is to the model. Matrices have the checkpoint's shape [outputs, inputs]; those of
 * experts lie one below the other: row r of expert e is row e x outputs + r. */
enum model_weight {
    MODEL_WEIGHT_EMBEDDING,      /* [vocabulary, hidden] */
    MODEL_WEIGHT_ATTENTION_NORM, /* [hidden]; from here on one a layer */
    MODEL_WEIGHT_Q,              /* [heads x head_dim, hidden] */
    MODEL_WEIGHT_K,              /* [kv_heads x head_dim, hidden] */
    MODEL_WEIGHT_V,
    MODEL_WEIGHT_O,      /* [hidden, heads x head_dim] */
    MODEL_WEIGHT_Q_BIAS, /* [heads x head_dim] */
    MODEL_WEIGHT_K_BIAS, /* [kv_heads x head_dim] */
    MODEL_WEIGHT_V_BIAS,
    MODEL_WEIGHT_O_BIAS,           /* [hidden] */
    MODEL_WEIGHT_Q_NORM,           /* [head_dim], one for all heads */
    MODEL_WEIGHT_K_NORM,           /* [head_dim] */
    MODEL_WEIGHT_SINKS,            /* [heads] */
    MODEL_WEIGHT_MLP_NORM,         /* [hidden] */
    MODEL_WEIGHT_GATE,             /* [ffn, hidden] */
    MODEL_WEIGHT_UP,               /* [ffn, hidden] */
    MODEL_WEIGHT_DOWN,             /* [hidden, ffn] */
    MODEL_WEIGHT_GATE_BIAS,        /* [ffn] */
    MODEL_WEIGHT_UP_BIAS,          /* [ffn] */
    MODEL_WEIGHT_DOWN_BIAS,        /* [hidden] */
    MODEL_WEIGHT_ROUTER,           /* [experts, hidden] */
    MODEL_WEIGHT_ROUTER_BIAS,      /* [experts] */
    MODEL_WEIGHT_EXPERT_GATE,      /* [experts x expert_ffn, hidden] */
    MODEL_WEIGHT_EXPERT_UP,        /* [experts x expert_ffn, hidden] */
    MODEL_WEIGHT_EXPERT_DOWN,      /* [experts x hidden, expert_ffn] */
    MODEL_WEIGHT_EXPERT_GATE_BIAS, /* [experts, expert_ffn] */
    MODEL_WEIGHT_EXPERT_UP_BIAS,   /* [experts, expert_ffn] */
    MODEL_WEIGHT_EXPERT_DOWN_BIAS, /* [experts, hidden] */
    MODEL_WEIGHT_SHARED_GATE,      /* [shared_ffn, hidden] */
    MODEL_WEIGHT_SHARED_UP,        /* [shared_ffn, hidden] */
    MODEL_WEIGHT_SHARED_DOWN,      /* [hidden, shared_ffn] */
    MODEL_WEIGHT_SHARED_ROUTER, /* [hidden]: the logit by whose sigmoid the shared expert counts; up
                                   to here one a layer */
    MODEL_WEIGHT_FINAL_NORM,    /* [hidden] */
    MODEL_WEIGHT_HEAD,          /* [vocabulary, hidden]; the embedding where the two are tied */
    MODEL_WEIGHTS
};

struct model_weights;

/* A vector is one row. Both are 0 where the model has no such weight. */
struct model_weight_shape {
    int64_t rows, columns;
};

struct model_weight_shape model_weight_shape(const struct model *model, enum model_weight what);

/* Maps the weights of MODEL, stored as F32, F16 or BF16 under Hugging Face's names of its family;
 * the experts of a gpt_oss may also be MXFP4 (names that end in _blocks and _scales). PATH: the
 * model's folder or its config.json, as for model_read; beside it lies model.safetensors or, where
 * that is absent, model.safetensors.index.json and its files. They must not shrink while they are
 * open. Tensors that the model does not need are ignored but must be well formed. Every fault goes
 * to `report` by file and tensor, of experts the first one of a layer. Returns NULL where there was
 * one; else release with model_weights_close. Needs model_is_valid. */
struct model_weights *model_weights_open(const char *path, const struct model *model,
                                         struct base_report *report);

/* Accepts NULL. */
void model_weights_close(struct model_weights *weights);

/* Converts row `row` of a weight that the model has, exactly, into out[columns]. `layer` is ignored
 * outside the layers. Safe to call from several threads. */
void model_weights_row(const struct model_weights *weights, enum model_weight what, int64_t layer,
                       int64_t row, float *out);

#endif
