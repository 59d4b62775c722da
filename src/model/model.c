/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from a model's shapes alone: whether they agree, and how many parameters they hold.
 */
#include "model/model.h"

static bool is_between(int64_t value, int64_t low, int64_t high)
{
    return low <= value && value <= high;
}

static bool are_tokens_valid(const struct model *model)
{
    bool are_valid = is_between(model->bos_token, -1, model->vocabulary - 1) &&
                     is_between(model->end_tokens, 0, MODEL_MOST_END_TOKENS);
    for (int32_t i = 0; are_valid && i < model->end_tokens; i++)
        are_valid = is_between(model->end_token[i], 0, model->vocabulary - 1);
    return are_valid;
}

static bool are_experts_valid(const struct model *model)
{
    if (!model->experts)
        return !model->experts_per_token && !model->expert_ffn && !model->shared_ffn;
    return is_between(model->experts, 1, MODEL_MOST_EXPERTS) &&
           is_between(model->experts_per_token, 1, model->experts) &&
           is_between(model->expert_ffn, 1, MODEL_MOST_FFN / model->experts_per_token) &&
           model->experts * model->expert_ffn <= MODEL_MOST_EXPERT_WIDTH &&
           is_between(model->shared_ffn, 0, MODEL_MOST_FFN);
}

bool model_is_valid(const struct model *model)
{
    return is_between(model->layers, 1, MODEL_MOST_LAYERS) &&
           is_between(model->hidden, 1, MODEL_MOST_HIDDEN) &&
           is_between(model->heads, 1, MODEL_MOST_HEADS) &&
           is_between(model->kv_heads, 1, model->heads) && model->heads % model->kv_heads == 0 &&
           is_between(model->head_dim, 2, MODEL_MOST_HEAD_DIM) && model->head_dim % 2 == 0 &&
           model->heads * model->head_dim <= MODEL_MOST_WIDTH &&
           is_between(model->ffn, 1, MODEL_MOST_FFN) &&
           is_between(model->vocabulary, 1, MODEL_MOST_VOCABULARY) &&
           is_between(model->max_positions, 1, MODEL_MOST_POSITIONS) &&
           is_between(model->sliding_window, 0, MODEL_MOST_POSITIONS) && model->norm_epsilon > 0 &&
           model->rope_theta > 0 && are_experts_valid(model) && are_tokens_valid(model);
}

int64_t model_window(const struct model *model, int64_t layer)
{
    bool is_full = model->full_layer[layer / 64] >> (layer % 64) & 1;
    return is_full ? 0 : model->sliding_window;
}

static int64_t attention_parameters(const struct model *model)
{
    int64_t q = model->heads * model->head_dim, kv = model->kv_heads * model->head_dim;
    int64_t weights = 2 * model->hidden * (q + kv);
    int64_t biases = (model->qkv_bias ? q + 2 * kv : 0) + (model->output_bias ? model->hidden : 0);
    int64_t norms = model->qk_norm ? 2 * model->head_dim : 0;
    return weights + biases + norms + (model->attention_sinks ? model->heads : 0);
}

/* Gate, up and down of one width. */
static int64_t mlp_parameters(const struct model *model, int64_t width, bool has_bias)
{
    return 3 * model->hidden * width + (has_bias ? 2 * width + model->hidden : 0);
}

/* Of a layer's MLP with so many of the routed experts. */
static int64_t block_parameters(const struct model *model, int64_t experts)
{
    if (!model->experts)
        return mlp_parameters(model, model->ffn, model->mlp_bias);
    int64_t router = model->experts * (model->hidden + (model->router_bias ? 1 : 0));
    int64_t routed = experts * mlp_parameters(model, model->expert_ffn, model->expert_bias);
    int64_t shared =
        model->shared_ffn ? mlp_parameters(model, model->shared_ffn, false) + model->hidden : 0;
    return router + routed + shared;
}

static int64_t parameters_with(const struct model *model, int64_t experts)
{
    int64_t layer =
        attention_parameters(model) + block_parameters(model, experts) + 2 * model->hidden;
    int64_t tables = model->tied_embeddings ? 1 : 2;
    return model->layers * layer + model->hidden + tables * model->vocabulary * model->hidden;
}

int64_t model_parameter_count(const struct model *model)
{
    return parameters_with(model, model->experts);
}

int64_t model_active_parameter_count(const struct model *model)
{
    return parameters_with(model, model->experts_per_token);
}
