/* SPDX-License-Identifier: BSD-3-Clause */
/* The supported families and what their config.json keys mean. Defaults of absent keys are those of
 * the family's configuration class in transformers 4.5x; keys that its reference implementation
 * ignores are ignored here. */
#include "model/family.h"

#include <math.h>
#include <string.h>

enum { NO_DEFAULT = -1 };

/* A supported model_type and what its class fixes. `kv_heads` 0: as many as heads; NO_DEFAULT:
 * required. */
struct family {
    const char *model_type, *architecture;
    int64_t kv_heads, head_dim; /* head_dim 0: hidden / heads */
    int64_t sliding_window;     /* where the key is absent */
    bool always_qkv_bias, reads_attention_bias, reads_mlp_bias, qk_norm;
    bool reads_window;
    bool window_is_switched; /* by use_sliding_window, and only from layer max_window_layers on */
};

static const struct family families[] = {
    {.model_type = "llama",
     .architecture = "LlamaForCausalLM",
     .reads_attention_bias = true,
     .reads_mlp_bias = true},
    {.model_type = "mistral",
     .architecture = "MistralForCausalLM",
     .kv_heads = 8,
     .sliding_window = 4096,
     .reads_window = true},
    {.model_type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .kv_heads = NO_DEFAULT,
     .always_qkv_bias = true,
     .reads_window = true,
     .window_is_switched = true},
    {.model_type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .kv_heads = NO_DEFAULT,
     .head_dim = 128,
     .reads_attention_bias = true,
     .qk_norm = true,
     .reads_window = true,
     .window_is_switched = true},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

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

static void refuse(const struct keys *keys, const struct model *model, const char *why)
{
    base_report_add(
        keys->report, keys->file, 0,
        "architecture %s (model_type %s) is not supported%s; supported are dense models "
        "of model_type llama, mistral, qwen2, qwen3",
        model->architecture[0] ? model->architecture : "?",
        model->model_type[0] ? model->model_type : "?", why);
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
        keys_fault(keys, "model_type", "missing; one of llama, mistral, qwen2, qwen3");
        return NULL;
    }
    if (!model->architecture[0] && family)
        strcpy(model->architecture, family->architecture);
    bool has_experts = expert_key_find(keys) != NULL;
    if (family && !has_experts && strcmp(model->architecture, family->architecture) == 0)
        return family;
    refuse(keys, model, has_experts ? " (a mixture of experts)" : "");
    return NULL;
}

static void read_shapes(const struct keys *keys, const struct family *family, struct model *model)
{
    model->layers = keys_integer(keys, "num_hidden_layers", 1, MODEL_MOST_LAYERS, NO_DEFAULT);
    model->hidden = keys_integer(keys, "hidden_size", 1, MODEL_MOST_HIDDEN, NO_DEFAULT);
    model->ffn = keys_integer(keys, "intermediate_size", 1, MODEL_MOST_FFN, NO_DEFAULT);
    model->vocabulary = keys_integer(keys, "vocab_size", 1, MODEL_MOST_VOCABULARY, NO_DEFAULT);
    model->max_positions =
        keys_integer(keys, "max_position_embeddings", 1, MODEL_MOST_POSITIONS, NO_DEFAULT);
    model->heads = keys_integer(keys, "num_attention_heads", 1, MODEL_MOST_HEADS, NO_DEFAULT);
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
    bool attention_bias =
        keys_boolean(keys, "attention_bias", false) && family->reads_attention_bias;
    model->qkv_bias = attention_bias || family->always_qkv_bias;
    model->output_bias = attention_bias;
    model->mlp_bias = keys_boolean(keys, "mlp_bias", false) && family->reads_mlp_bias;
    model->qk_norm = family->qk_norm;
    model->tied_embeddings = keys_boolean(keys, "tie_word_embeddings", false);
    model->norm_epsilon = keys_number(keys, "rms_norm_eps", 0, 1, 1e-6);
    char activation[MODEL_NAME_BYTES];
    keys_string(keys, "hidden_act", activation, sizeof activation);
    if (activation[0] && strcmp(activation, "silu") && strcmp(activation, "swish"))
        keys_fault(keys, "hidden_act", "must be silu");
}

/* Older files say "type"; "default" means no scaling. */
static void read_rope_type(const struct keys *rope, struct model *model)
{
    const char *key = keys_value(rope, "rope_type") ? "rope_type" : "type";
    keys_string(rope, key, model->rope_scaling, MODEL_NAME_BYTES);
    if (strcmp(model->rope_scaling, "default") == 0)
        model->rope_scaling[0] = '\0';
    const char *type = model->rope_scaling;
    if (type[0] && strcmp(type, "linear") && strcmp(type, "llama3"))
        keys_fault(rope, key, "is not supported; supported are default, linear, llama3");
}

static void read_rope_factors(const struct keys *rope, struct model *model)
{
    model->rope_factor = keys_number(rope, "factor", 0, 1e6, NAN);
    if (strcmp(model->rope_scaling, "llama3"))
        return;
    model->rope_low_frequency_factor = keys_number(rope, "low_freq_factor", 0, 1e6, NAN);
    model->rope_high_frequency_factor = keys_number(rope, "high_freq_factor", 0, 1e6, NAN);
    if (model->rope_high_frequency_factor <= model->rope_low_frequency_factor)
        keys_fault(rope, "high_freq_factor", "must be above low_freq_factor");
    model->rope_original_positions =
        keys_integer(rope, "original_max_position_embeddings", 1, MODEL_MOST_POSITIONS, NO_DEFAULT);
}

/* transformers 4 writes rope_theta and rope_scaling; 5 writes both into rope_parameters. */
static void read_rope(const struct keys *keys, struct model *model)
{
    bool is_new = keys_value(keys, "rope_parameters") != NULL;
    const char *key = is_new ? "rope_parameters" : "rope_scaling";
    const json_t *object = keys_value(keys, key);
    struct keys rope = *keys;
    rope.object = object;
    rope.prefix = is_new ? "rope_parameters." : "rope_scaling.";
    model->rope_theta = keys_number(is_new ? &rope : keys, "rope_theta", 0, 1e12, 10000);
    if (object && !json_is_object(object))
        keys_fault(keys, key, "must be an object or null");
    if (!json_is_object(object))
        return;
    size_t before = keys->report->count;
    read_rope_type(&rope, model);
    if (model->rope_scaling[0] && keys->report->count == before)
        read_rope_factors(&rope, model);
}

static int64_t count_windowed_layers(const json_t *layer_types)
{
    int64_t windowed = 0;
    for (size_t i = 0; i < json_array_size(layer_types); i++) {
        const char *type = json_string_value(json_array_get(layer_types, i));
        windowed += type && strcmp(type, "sliding_attention") == 0;
    }
    return windowed;
}

/* How many layers look through a window: by layer_types, or from layer max_window_layers on. */
static int64_t windowed_layers(const struct keys *keys, const struct family *family,
                               const struct model *model)
{
    const json_t *types = keys_value(keys, "layer_types");
    if (types)
        return count_windowed_layers(types);
    if (!family->window_is_switched)
        return model->layers;
    int64_t first = keys_integer(keys, "max_window_layers", 0, MODEL_MOST_LAYERS, 28);
    return first < model->layers ? model->layers - first : 0;
}

static void read_window(const struct keys *keys, const struct family *family, struct model *model)
{
    if (!family->reads_window)
        return;
    if (family->window_is_switched && !keys_boolean(keys, "use_sliding_window", false))
        return;
    bool is_null = json_is_null(json_object_get(keys->object, "sliding_window"));
    int64_t missing = is_null ? 0 : family->sliding_window;
    int64_t window = missing;
    if (keys_value(keys, "sliding_window"))
        window = keys_integer(keys, "sliding_window", 1, MODEL_MOST_POSITIONS, NO_DEFAULT);
    int64_t layers = windowed_layers(keys, family, model);
    if (window && layers && layers != model->layers)
        keys_fault(keys, "sliding_window", "must hold for all layers or for none");
    model->sliding_window = layers ? window : 0;
}

/* Needs shapes without faults. */
static void read_tokens(const struct keys *keys, struct model *model)
{
    int64_t last = model->vocabulary - 1;
    model->bos_token = -1;
    if (keys_value(keys, "bos_token_id"))
        model->bos_token = keys_integer(keys, "bos_token_id", 0, last, NO_DEFAULT);
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
    }
    read_switches(keys, family, model);
    read_rope(keys, model);
    read_window(keys, family, model);
}
