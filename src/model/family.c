/* SPDX-License-Identifier: BSD-3-Clause */
/* The supported families and what their config.json keys mean. Defaults of absent keys are those of
 * the family's configuration class in transformers 4.5x; keys that its reference implementation
 * ignores are ignored here. */
#include "model/family.h"

#include <math.h>
#include <string.h>

#include "model/family_parts.h"

#define SUPPORTED "llama, mistral, qwen2, qwen3, mixtral, qwen2_moe, qwen3_moe, gpt_oss"

static const struct family families[] = {
    {.model_type = "llama",
     .architecture = "LlamaForCausalLM",
     .reads_attention_bias = true,
     .reads_mlp_bias = true},
    {.model_type = "mistral",
     .architecture = "MistralForCausalLM",
     .kv_heads = 8,
     .windows = FAMILY_WINDOWS_ALL,
     .sliding_window = 4096},
    {.model_type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .kv_heads = FAMILY_NO_DEFAULT,
     .always_qkv_bias = true,
     .windows = FAMILY_WINDOWS_LATE,
     .window_is_switched = true},
    {.model_type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .kv_heads = FAMILY_NO_DEFAULT,
     .head_dim = 128,
     .reads_attention_bias = true,
     .qk_norm = true,
     .windows = FAMILY_WINDOWS_LATE,
     .window_is_switched = true},
    {.model_type = "mixtral",
     .architecture = "MixtralForCausalLM",
     .kv_heads = 8,
     .theta = 1e6,
     .epsilon = 1e-5,
     .windows = FAMILY_WINDOWS_ALL,
     .experts_key = "num_local_experts",
     .width_key = "intermediate_size",
     .always_normalised = true},
    {.model_type = "qwen2_moe",
     .architecture = "Qwen2MoeForCausalLM",
     .kv_heads = 16,
     .always_qkv_bias = true,
     .reads_qkv_bias = true,
     .windows = FAMILY_WINDOWS_LISTED,
     .sliding_window = 4096,
     .window_is_switched = true,
     .experts_key = "num_experts",
     .width_key = "moe_intermediate_size",
     .may_have_dense_layers = true,
     .has_shared_expert = true},
    {.model_type = "qwen3_moe",
     .architecture = "Qwen3MoeForCausalLM",
     .kv_heads = 4,
     .reads_attention_bias = true,
     .qk_norm = true,
     .windows = FAMILY_WINDOWS_ALL,
     .sliding_window = 4096,
     .window_is_switched = true,
     .experts_key = "num_experts",
     .width_key = "moe_intermediate_size",
     .may_have_dense_layers = true},
    {.model_type = "gpt_oss",
     .architecture = "GptOssForCausalLM",
     .kv_heads = 8,
     .head_dim = 64,
     .theta = 150000,
     .epsilon = 1e-5,
     .reads_attention_bias = true,
     .has_attention_bias = true,
     .windows = FAMILY_WINDOWS_ALTERNATING,
     .sliding_window = 128,
     .experts_key = "num_local_experts",
     .width_key = "intermediate_size",
     .always_normalised = true,
     .is_gpt_oss = true},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

/* Known families that are not built here, by the beginning of their model_type, and why. */
static const struct {
    const char *model_type, *why;
} refused[] = {
    {"deepseek", "it keeps keys and values in a latent form and routes by groups of experts"},
    {"gemma", "it scales the embedding, has a GELU gate and norms behind attention and MLP"},
    {"phi3", "its q, k, v and its gate and up are stored as one tensor"},
    {"gpt2", "it has learned positions and LayerNorm"},
    {"llama4", "it has layers without rotary positions and routes by a sigmoid"},
};

enum { REFUSED = sizeof refused / sizeof refused[0] };

/* Keys that only a mixture of experts has. */
static const char *const expert_keys[] = {"num_local_experts", "num_experts", "n_routed_experts",
                                          "moe_intermediate_size"};

enum { EXPERT_KEYS = sizeof expert_keys / sizeof expert_keys[0] };

static const struct family *family_find(const char *model_type)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(families[i].model_type, model_type) == 0)
            return &families[i];
    return NULL;
}

static const char *expert_key_find(const struct keys *keys)
{
    for (int i = 0; i < EXPERT_KEYS; i++)
        if (keys_value(keys, expert_keys[i]))
            return expert_keys[i];
    return NULL;
}

/* Why a known family is not built here; "" of others. */
static const char *reason_of(const char *model_type)
{
    for (int i = 0; i < REFUSED; i++)
        if (strncmp(model_type, refused[i].model_type, strlen(refused[i].model_type)) == 0)
            return refused[i].why;
    return "";
}

static void refuse(const struct keys *keys, const struct model *model, const char *why)
{
    base_report_add(keys->report, keys->file, 0,
                    "architecture %s (model_type %s) is not supported%s%s; supported are models "
                    "of model_type " SUPPORTED,
                    model->architecture[0] ? model->architecture : "?",
                    model->model_type[0] ? model->model_type : "?", *why ? ": " : "", why);
}

/* NULL and a fault where the architecture is not one that this program knows how to build. */
static const struct family *read_family(const struct keys *keys, struct model *model)
{
    size_t before = keys->report->count;
    keys_string(keys, "model_type", model->model_type, MODEL_NAME_BYTES);
    keys_first_string(keys, "architectures", model->architecture, MODEL_NAME_BYTES);
    const struct family *family = family_find(model->model_type);
    if (keys->report->count > before)
        return NULL;
    if (!model->model_type[0]) {
        keys_fault(keys, "model_type", "missing; one of " SUPPORTED);
        return NULL;
    }
    if (!model->architecture[0] && family)
        strcpy(model->architecture, family->architecture);
    const char *expert_key = family && !family->experts_key ? expert_key_find(keys) : NULL;
    if (family && !expert_key && strcmp(model->architecture, family->architecture) == 0)
        return family;
    if (expert_key)
        keys_fault(keys, expert_key, "must be absent: a model of this model_type has no experts");
    else
        refuse(keys, model, reason_of(model->model_type));
    return NULL;
}

static void read_shapes(const struct keys *keys, const struct family *family, struct model *model)
{
    model->layers =
        keys_integer(keys, "num_hidden_layers", 1, MODEL_MOST_LAYERS, FAMILY_NO_DEFAULT);
    model->hidden = keys_integer(keys, "hidden_size", 1, MODEL_MOST_HIDDEN, FAMILY_NO_DEFAULT);
    model->ffn = keys_integer(keys, "intermediate_size", 1, MODEL_MOST_FFN, FAMILY_NO_DEFAULT);
    model->vocabulary =
        keys_integer(keys, "vocab_size", 1, MODEL_MOST_VOCABULARY, FAMILY_NO_DEFAULT);
    model->max_positions =
        keys_integer(keys, "max_position_embeddings", 1, MODEL_MOST_POSITIONS, FAMILY_NO_DEFAULT);
    model->heads =
        keys_integer(keys, "num_attention_heads", 1, MODEL_MOST_HEADS, FAMILY_NO_DEFAULT);
    int64_t kv_heads = family->kv_heads ? family->kv_heads : model->heads;
    model->kv_heads = keys_integer(keys, "num_key_value_heads", 1, MODEL_MOST_HEADS, kv_heads);
}

/* Needs shapes without faults. */
static void read_head_dim(const struct keys *keys, const struct family *family, struct model *model)
{
    if (model->heads % model->kv_heads)
        keys_fault(keys, "num_key_value_heads", "must divide num_attention_heads");
    bool is_derived = !keys_value(keys, "head_dim") && !family->head_dim;
    if (is_derived && model->hidden % model->heads)
        keys_fault(keys, "hidden_size", "must be a multiple of num_attention_heads");
    int64_t missing = is_derived ? model->hidden / model->heads : family->head_dim;
    model->head_dim = keys_integer(keys, "head_dim", 2, MODEL_MOST_HEAD_DIM, missing);
    if (model->head_dim % 2)
        keys_fault(keys, "head_dim", "must be even for rotary embeddings");
    if (model->heads * model->head_dim > MODEL_MOST_WIDTH)
        keys_fault(keys, "num_attention_heads", "too many for this head_dim");
}

static void read_switches(const struct keys *keys, const struct family *family, struct model *model)
{
    bool attention_bias = keys_boolean(keys, "attention_bias", family->has_attention_bias) &&
                          family->reads_attention_bias;
    bool qkv_bias = !family->reads_qkv_bias || keys_boolean(keys, "qkv_bias", true);
    model->qkv_bias = attention_bias || (family->always_qkv_bias && qkv_bias);
    model->output_bias = attention_bias;
    model->mlp_bias = keys_boolean(keys, "mlp_bias", false) && family->reads_mlp_bias;
    model->qk_norm = family->qk_norm;
    model->tied_embeddings = keys_boolean(keys, "tie_word_embeddings", false);
    model->norm_epsilon =
        keys_number(keys, "rms_norm_eps", 0, 1, family->epsilon > 0 ? family->epsilon : 1e-6);
    char activation[MODEL_NAME_BYTES];
    keys_string(keys, "hidden_act", activation, sizeof activation);
    if (activation[0] && strcmp(activation, "silu") && strcmp(activation, "swish"))
        keys_fault(keys, "hidden_act", "must be silu");
}

/* Needs shapes without faults. */
static void read_tokens(const struct keys *keys, struct model *model)
{
    int64_t last = model->vocabulary - 1;
    model->bos_token = -1;
    if (keys_value(keys, "bos_token_id"))
        model->bos_token = keys_integer(keys, "bos_token_id", 0, last, FAMILY_NO_DEFAULT);
    model->end_tokens =
        keys_integers(keys, "eos_token_id", last, model->end_token, MODEL_MOST_END_TOKENS);
}

void family_read(const struct keys *keys, struct model *model)
{
    const struct family *family = read_family(keys, model);
    if (!family)
        return;
    size_t before = keys->report->count;
    read_shapes(keys, family, model);
    if (keys->report->count == before) {
        read_head_dim(keys, family, model);
        read_tokens(keys, model);
        family_read_window(keys, family, model);
    }
    read_switches(keys, family, model);
    family_read_rope(keys, family, model);
    family_read_experts(keys, family, model);
}
