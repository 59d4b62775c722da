/* SPDX-License-Identifier: BSD-3-Clause */
/* Which weights a model has, and their shapes. */
#include "model/weight_tensors.h"

/* A size of a shape; ONE marks the rows of a vector. */
enum extent {
    ONE,
    HIDDEN,
    Q_WIDTH,
    KV_WIDTH,
    HEADS,
    HEAD_DIM,
    FFN,
    SHARED_FFN,
    EXPERTS,
    EXPERT_FFN,
    EXPERTS_FFN,
    EXPERTS_HIDDEN,
    VOCABULARY
};

/* What a model must have so that a weight is there. */
enum need {
    ALWAYS,
    QKV_BIAS,
    OUTPUT_BIAS,
    QK_NORM,
    SINKS,
    DENSE,
    DENSE_BIAS,
    MIXTURE,
    ROUTER_BIAS,
    EXPERT_BIAS,
    SHARED
};

static const struct {
    enum need need;
    enum extent rows, columns;
} kinds[MODEL_WEIGHTS] = {
    [MODEL_WEIGHT_EMBEDDING] = {ALWAYS, VOCABULARY, HIDDEN},
    [MODEL_WEIGHT_ATTENTION_NORM] = {ALWAYS, ONE, HIDDEN},
    [MODEL_WEIGHT_Q] = {ALWAYS, Q_WIDTH, HIDDEN},
    [MODEL_WEIGHT_K] = {ALWAYS, KV_WIDTH, HIDDEN},
    [MODEL_WEIGHT_V] = {ALWAYS, KV_WIDTH, HIDDEN},
    [MODEL_WEIGHT_O] = {ALWAYS, HIDDEN, Q_WIDTH},
    [MODEL_WEIGHT_Q_BIAS] = {QKV_BIAS, ONE, Q_WIDTH},
    [MODEL_WEIGHT_K_BIAS] = {QKV_BIAS, ONE, KV_WIDTH},
    [MODEL_WEIGHT_V_BIAS] = {QKV_BIAS, ONE, KV_WIDTH},
    [MODEL_WEIGHT_O_BIAS] = {OUTPUT_BIAS, ONE, HIDDEN},
    [MODEL_WEIGHT_Q_NORM] = {QK_NORM, ONE, HEAD_DIM},
    [MODEL_WEIGHT_K_NORM] = {QK_NORM, ONE, HEAD_DIM},
    [MODEL_WEIGHT_SINKS] = {SINKS, ONE, HEADS},
    [MODEL_WEIGHT_MLP_NORM] = {ALWAYS, ONE, HIDDEN},
    [MODEL_WEIGHT_GATE] = {DENSE, FFN, HIDDEN},
    [MODEL_WEIGHT_UP] = {DENSE, FFN, HIDDEN},
    [MODEL_WEIGHT_DOWN] = {DENSE, HIDDEN, FFN},
    [MODEL_WEIGHT_GATE_BIAS] = {DENSE_BIAS, ONE, FFN},
    [MODEL_WEIGHT_UP_BIAS] = {DENSE_BIAS, ONE, FFN},
    [MODEL_WEIGHT_DOWN_BIAS] = {DENSE_BIAS, ONE, HIDDEN},
    [MODEL_WEIGHT_ROUTER] = {MIXTURE, EXPERTS, HIDDEN},
    [MODEL_WEIGHT_ROUTER_BIAS] = {ROUTER_BIAS, ONE, EXPERTS},
    [MODEL_WEIGHT_EXPERT_GATE] = {MIXTURE, EXPERTS_FFN, HIDDEN},
    [MODEL_WEIGHT_EXPERT_UP] = {MIXTURE, EXPERTS_FFN, HIDDEN},
    [MODEL_WEIGHT_EXPERT_DOWN] = {MIXTURE, EXPERTS_HIDDEN, EXPERT_FFN},
    [MODEL_WEIGHT_EXPERT_GATE_BIAS] = {EXPERT_BIAS, EXPERTS, EXPERT_FFN},
    [MODEL_WEIGHT_EXPERT_UP_BIAS] = {EXPERT_BIAS, EXPERTS, EXPERT_FFN},
    [MODEL_WEIGHT_EXPERT_DOWN_BIAS] = {EXPERT_BIAS, EXPERTS, HIDDEN},
    [MODEL_WEIGHT_SHARED_GATE] = {SHARED, SHARED_FFN, HIDDEN},
    [MODEL_WEIGHT_SHARED_UP] = {SHARED, SHARED_FFN, HIDDEN},
    [MODEL_WEIGHT_SHARED_DOWN] = {SHARED, HIDDEN, SHARED_FFN},
    [MODEL_WEIGHT_SHARED_ROUTER] = {SHARED, ONE, HIDDEN},
    [MODEL_WEIGHT_FINAL_NORM] = {ALWAYS, ONE, HIDDEN},
    [MODEL_WEIGHT_HEAD] = {ALWAYS, VOCABULARY, HIDDEN},
};

static int64_t extent_of(const struct model *model, enum extent extent)
{
    const int64_t extents[] = {
        [ONE] = 1,
        [HIDDEN] = model->hidden,
        [Q_WIDTH] = model->heads * model->head_dim,
        [KV_WIDTH] = model->kv_heads * model->head_dim,
        [HEADS] = model->heads,
        [HEAD_DIM] = model->head_dim,
        [FFN] = model->ffn,
        [SHARED_FFN] = model->shared_ffn,
        [EXPERTS] = model->experts,
        [EXPERT_FFN] = model->expert_ffn,
        [EXPERTS_FFN] = model->experts * model->expert_ffn,
        [EXPERTS_HIDDEN] = model->experts * model->hidden,
        [VOCABULARY] = model->vocabulary,
    };
    return extents[extent];
}

static bool has(const struct model *model, enum need need)
{
    bool is_mixture = model->experts > 0;
    const bool answers[] = {
        [ALWAYS] = true,
        [QKV_BIAS] = model->qkv_bias,
        [OUTPUT_BIAS] = model->output_bias,
        [QK_NORM] = model->qk_norm,
        [SINKS] = model->attention_sinks,
        [DENSE] = !is_mixture,
        [DENSE_BIAS] = !is_mixture && model->mlp_bias,
        [MIXTURE] = is_mixture,
        [ROUTER_BIAS] = is_mixture && model->router_bias,
        [EXPERT_BIAS] = is_mixture && model->expert_bias,
        [SHARED] = is_mixture && model->shared_ffn > 0,
    };
    return answers[need];
}

struct model_weight_shape model_weight_shape(const struct model *model, enum model_weight what)
{
    if (!has(model, kinds[what].need))
        return (struct model_weight_shape){0};
    return (struct model_weight_shape){.rows = extent_of(model, kinds[what].rows),
                                       .columns = extent_of(model, kinds[what].columns)};
}

bool weight_is_vector(enum model_weight what)
{
    return kinds[what].rows == ONE && what != MODEL_WEIGHT_SHARED_ROUTER;
}
