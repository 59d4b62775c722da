/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of tensor names, and the three ways in which experts are stored: a tensor each (mixtral,
 * qwen), one tensor in which outputs of all experts lie across (gpt_oss), and that one packed. */
#include "model/weight_tensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"

/* Within its layer, but for those outside the layers. Of experts the part behind their number. */
static const char *const names[MODEL_WEIGHTS] = {
    [MODEL_WEIGHT_EMBEDDING] = "model.embed_tokens.weight",
    [MODEL_WEIGHT_ATTENTION_NORM] = "input_layernorm.weight",
    [MODEL_WEIGHT_Q] = "self_attn.q_proj.weight",
    [MODEL_WEIGHT_K] = "self_attn.k_proj.weight",
    [MODEL_WEIGHT_V] = "self_attn.v_proj.weight",
    [MODEL_WEIGHT_O] = "self_attn.o_proj.weight",
    [MODEL_WEIGHT_Q_BIAS] = "self_attn.q_proj.bias",
    [MODEL_WEIGHT_K_BIAS] = "self_attn.k_proj.bias",
    [MODEL_WEIGHT_V_BIAS] = "self_attn.v_proj.bias",
    [MODEL_WEIGHT_O_BIAS] = "self_attn.o_proj.bias",
    [MODEL_WEIGHT_Q_NORM] = "self_attn.q_norm.weight",
    [MODEL_WEIGHT_K_NORM] = "self_attn.k_norm.weight",
    [MODEL_WEIGHT_SINKS] = "self_attn.sinks",
    [MODEL_WEIGHT_MLP_NORM] = "post_attention_layernorm.weight",
    [MODEL_WEIGHT_GATE] = "mlp.gate_proj.weight",
    [MODEL_WEIGHT_UP] = "mlp.up_proj.weight",
    [MODEL_WEIGHT_DOWN] = "mlp.down_proj.weight",
    [MODEL_WEIGHT_GATE_BIAS] = "mlp.gate_proj.bias",
    [MODEL_WEIGHT_UP_BIAS] = "mlp.up_proj.bias",
    [MODEL_WEIGHT_DOWN_BIAS] = "mlp.down_proj.bias",
    [MODEL_WEIGHT_ROUTER] = "mlp.gate.weight",
    [MODEL_WEIGHT_ROUTER_BIAS] = "mlp.gate.bias",
    [MODEL_WEIGHT_EXPERT_GATE] = "gate_proj.weight",
    [MODEL_WEIGHT_EXPERT_UP] = "up_proj.weight",
    [MODEL_WEIGHT_EXPERT_DOWN] = "down_proj.weight",
    [MODEL_WEIGHT_SHARED_GATE] = "mlp.shared_expert.gate_proj.weight",
    [MODEL_WEIGHT_SHARED_UP] = "mlp.shared_expert.up_proj.weight",
    [MODEL_WEIGHT_SHARED_DOWN] = "mlp.shared_expert.down_proj.weight",
    [MODEL_WEIGHT_SHARED_ROUTER] = "mlp.shared_expert_gate.weight",
    [MODEL_WEIGHT_FINAL_NORM] = "model.norm.weight",
    [MODEL_WEIGHT_HEAD] = "lm_head.weight",
};

/* Names of a family that differ from those above. */
static const char *const mixtral_names[MODEL_WEIGHTS] = {
    [MODEL_WEIGHT_ROUTER] = "block_sparse_moe.gate.weight",
    [MODEL_WEIGHT_EXPERT_GATE] = "w1.weight",
    [MODEL_WEIGHT_EXPERT_UP] = "w3.weight",
    [MODEL_WEIGHT_EXPERT_DOWN] = "w2.weight",
};

static const char *const gpt_oss_names[MODEL_WEIGHTS] = {
    [MODEL_WEIGHT_ROUTER] = "mlp.router.weight",
    [MODEL_WEIGHT_ROUTER_BIAS] = "mlp.router.bias",
    [MODEL_WEIGHT_EXPERT_GATE] = "mlp.experts.gate_up_proj",
    [MODEL_WEIGHT_EXPERT_UP] = "mlp.experts.gate_up_proj",
    [MODEL_WEIGHT_EXPERT_DOWN] = "mlp.experts.down_proj",
    [MODEL_WEIGHT_EXPERT_GATE_BIAS] = "mlp.experts.gate_up_proj_bias",
    [MODEL_WEIGHT_EXPERT_UP_BIAS] = "mlp.experts.gate_up_proj_bias",
    [MODEL_WEIGHT_EXPERT_DOWN_BIAS] = "mlp.experts.down_proj_bias",
};

static bool is_of(const struct model *model, const char *model_type)
{
    return strcmp(model->model_type, model_type) == 0;
}

static bool is_expert_matrix(enum model_weight what)
{
    return what == MODEL_WEIGHT_EXPERT_GATE || what == MODEL_WEIGHT_EXPERT_UP ||
           what == MODEL_WEIGHT_EXPERT_DOWN;
}

bool weight_is_layered(enum model_weight what)
{
    return what != MODEL_WEIGHT_EMBEDDING && what != MODEL_WEIGHT_FINAL_NORM &&
           what != MODEL_WEIGHT_HEAD;
}

bool weight_may_be_packed(const struct model *model, enum model_weight what)
{
    bool is_whole = model->hidden % WEIGHT_PACK == 0 && model->expert_ffn % WEIGHT_PACK == 0;
    return is_whole && is_of(model, "gpt_oss") && is_expert_matrix(what);
}

/* Sizes of a tensor that holds all of a weight, row by row. */
static struct weight_layout plain_layout(struct model_weight_shape shape, bool is_vector)
{
    struct weight_layout layout = {.tensors = 1,
                                   .sizes = is_vector ? 1 : 2,
                                   .size = {shape.rows, shape.columns},
                                   .expert_rows = shape.rows,
                                   .row_stride = shape.columns,
                                   .column_stride = 1};
    if (is_vector)
        layout.size[0] = shape.columns;
    return layout;
}

/* gpt_oss: [experts, inputs, outputs], in which gate and up alternate. */
static struct weight_layout across_layout(const struct model *model, enum model_weight what)
{
    bool is_down = what == MODEL_WEIGHT_EXPERT_DOWN;
    int64_t inputs = is_down ? model->expert_ffn : model->hidden;
    int64_t outputs = is_down ? model->hidden : 2 * model->expert_ffn;
    return (struct weight_layout){.tensors = 1,
                                  .sizes = 3,
                                  .size = {model->experts, inputs, outputs},
                                  .expert_rows = is_down ? outputs : outputs / 2,
                                  .first = what == MODEL_WEIGHT_EXPERT_UP,
                                  .expert_stride = inputs * outputs,
                                  .row_stride = is_down ? 1 : 2,
                                  .column_stride = outputs};
}

/* gpt_oss packed: [experts, outputs, inputs / 32, 16] of bytes. */
static struct weight_layout packed_layout(const struct model *model, enum model_weight what)
{
    struct weight_layout layout = across_layout(model, what);
    int64_t inputs = layout.size[1], outputs = layout.size[2];
    layout.sizes = 4;
    layout.size[1] = outputs;
    layout.size[2] = inputs / WEIGHT_PACK;
    layout.size[3] = WEIGHT_PACK / 2;
    layout.expert_stride = outputs;
    layout.column_stride = 0;
    return layout;
}

/* gpt_oss: [experts, 2 x expert_ffn], in which gate and up alternate. */
static struct weight_layout alternating_layout(const struct model *model, enum model_weight what)
{
    int64_t width = 2 * model->expert_ffn;
    return (struct weight_layout){.tensors = 1,
                                  .sizes = 2,
                                  .size = {model->experts, width},
                                  .expert_rows = model->experts,
                                  .first = what == MODEL_WEIGHT_EXPERT_UP_BIAS,
                                  .row_stride = width,
                                  .column_stride = 2};
}

/* A tensor for each expert. */
static struct weight_layout apart_layout(const struct model *model, struct model_weight_shape shape)
{
    shape.rows /= model->experts;
    struct weight_layout layout = plain_layout(shape, false);
    layout.tensors = model->experts;
    return layout;
}

struct weight_layout weight_layout(const struct model *model, enum model_weight what,
                                   bool is_packed)
{
    struct model_weight_shape shape = model_weight_shape(model, what);
    bool is_gpt_oss = is_of(model, "gpt_oss");
    if (is_packed)
        return packed_layout(model, what);
    if (is_expert_matrix(what))
        return is_gpt_oss ? across_layout(model, what) : apart_layout(model, shape);
    if (what == MODEL_WEIGHT_EXPERT_GATE_BIAS || what == MODEL_WEIGHT_EXPERT_UP_BIAS)
        return alternating_layout(model, what);
    return plain_layout(shape, weight_is_vector(what));
}

static const char *name_within(const struct model *model, enum model_weight what)
{
    const char *name = NULL;
    if (is_of(model, "mixtral"))
        name = mixtral_names[what];
    if (is_of(model, "gpt_oss"))
        name = gpt_oss_names[what];
    return name ? name : names[what];
}

char *weight_tensor_name(const struct model *model, enum model_weight what, int64_t layer,
                         int64_t expert)
{
    const char *name = name_within(model, what);
    const char *block = is_of(model, "mixtral") ? "block_sparse_moe" : "mlp";
    if (!weight_is_layered(what))
        return base_strdup(name);
    if (is_expert_matrix(what) && !is_of(model, "gpt_oss"))
        return base_format("model.layers.%" PRId64 ".%s.experts.%" PRId64 ".%s", layer, block,
                           expert, name);
    return base_format("model.layers.%" PRId64 ".%s", layer, name);
}
