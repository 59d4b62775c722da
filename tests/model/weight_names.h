/* SPDX-License-Identifier: BSD-3-Clause */
/* What Hugging Face's checkpoints call the weights of dense models and of a qwen3_moe, for the
 * tests' own writers. */
#ifndef TESTS_MODEL_WEIGHT_NAMES_H
#define TESTS_MODEL_WEIGHT_NAMES_H

#include <stdbool.h>

#include "model/weights.h"

/* A layered name follows "model.layers.N.". */
static const struct {
    const char *name;
    bool is_layered;
} weight_names[MODEL_WEIGHTS] = {
    [MODEL_WEIGHT_EMBEDDING] = {"model.embed_tokens.weight", false},
    [MODEL_WEIGHT_ATTENTION_NORM] = {"input_layernorm.weight", true},
    [MODEL_WEIGHT_Q] = {"self_attn.q_proj.weight", true},
    [MODEL_WEIGHT_K] = {"self_attn.k_proj.weight", true},
    [MODEL_WEIGHT_V] = {"self_attn.v_proj.weight", true},
    [MODEL_WEIGHT_O] = {"self_attn.o_proj.weight", true},
    [MODEL_WEIGHT_Q_BIAS] = {"self_attn.q_proj.bias", true},
    [MODEL_WEIGHT_K_BIAS] = {"self_attn.k_proj.bias", true},
    [MODEL_WEIGHT_V_BIAS] = {"self_attn.v_proj.bias", true},
    [MODEL_WEIGHT_O_BIAS] = {"self_attn.o_proj.bias", true},
    [MODEL_WEIGHT_Q_NORM] = {"self_attn.q_norm.weight", true},
    [MODEL_WEIGHT_K_NORM] = {"self_attn.k_norm.weight", true},
    [MODEL_WEIGHT_MLP_NORM] = {"post_attention_layernorm.weight", true},
    [MODEL_WEIGHT_GATE] = {"mlp.gate_proj.weight", true},
    [MODEL_WEIGHT_UP] = {"mlp.up_proj.weight", true},
    [MODEL_WEIGHT_DOWN] = {"mlp.down_proj.weight", true},
    [MODEL_WEIGHT_GATE_BIAS] = {"mlp.gate_proj.bias", true},
    [MODEL_WEIGHT_UP_BIAS] = {"mlp.up_proj.bias", true},
    [MODEL_WEIGHT_DOWN_BIAS] = {"mlp.down_proj.bias", true},
    [MODEL_WEIGHT_ROUTER] = {"mlp.gate.weight", true},
    [MODEL_WEIGHT_EXPERT_GATE] = {"mlp.experts.N.gate_proj.weight", true},
    [MODEL_WEIGHT_EXPERT_UP] = {"mlp.experts.N.up_proj.weight", true},
    [MODEL_WEIGHT_EXPERT_DOWN] = {"mlp.experts.N.down_proj.weight", true},
    [MODEL_WEIGHT_FINAL_NORM] = {"model.norm.weight", false},
    [MODEL_WEIGHT_HEAD] = {"lm_head.weight", false},
};

#endif
