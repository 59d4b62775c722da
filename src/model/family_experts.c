/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys of a mixture of experts: how many, how wide, how a token chooses, and what an expert does.
 */
#include "model/family_parts.h"

#include <math.h>

/* Every layer must be a mixture: decoder_sparse_step 1 and no mlp_only_layers. */
static void check_layers(const struct keys *keys)
{
    int64_t step = keys_integer(keys, "decoder_sparse_step", 1, MODEL_MOST_LAYERS, 1);
    if (step != 1)
        keys_fault(keys, "decoder_sparse_step",
                   "must be 1: layers without experts among layers with them are not supported");
    const json_t *dense = keys_value(keys, "mlp_only_layers");
    if (dense && (!json_is_array(dense) || json_array_size(dense) > 0))
        keys_fault(keys, "mlp_only_layers",
                   "must be []: layers without experts among layers with them are not supported");
}

static void read_sizes(const struct keys *keys, const struct family *family, struct model *model)
{
    model->experts =
        keys_integer(keys, family->experts_key, 1, MODEL_MOST_EXPERTS, FAMILY_NO_DEFAULT);
    model->experts_per_token =
        keys_integer(keys, "num_experts_per_tok", 1, model->experts, FAMILY_NO_DEFAULT);
    int64_t widest = MODEL_MOST_FFN / model->experts_per_token;
    if (widest > MODEL_MOST_EXPERT_WIDTH / model->experts)
        widest = MODEL_MOST_EXPERT_WIDTH / model->experts;
    model->expert_ffn = keys_integer(keys, family->width_key, 1, widest, FAMILY_NO_DEFAULT);
    if (family->has_shared_expert)
        model->shared_ffn = keys_integer(keys, "shared_expert_intermediate_size", 1, MODEL_MOST_FFN,
                                         FAMILY_NO_DEFAULT);
}

static void read_gpt_oss(const struct keys *keys, struct model *model)
{
    model->attention_sinks = true;
    model->router_bias = true;
    model->expert_bias = true;
    model->clamped_gate = true;
    model->gate_limit = keys_number(keys, "swiglu_limit", 0, 1e6, 7);
    model->gate_alpha = keys_number(keys, "swiglu_alpha", 0, 1e6, 1.702);
}

void family_read_experts(const struct keys *keys, const struct family *family, struct model *model)
{
    if (!family->experts_key)
        return;
    read_sizes(keys, family, model);
    model->normalise_experts =
        family->always_normalised || keys_boolean(keys, "norm_topk_prob", false);
    if (family->may_have_dense_layers)
        check_layers(keys);
    if (family->is_gpt_oss)
        read_gpt_oss(keys, model);
}
