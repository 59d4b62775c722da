/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds every tensor that a model needs, checks its shape, and converts rows to float. */
#include "model/weights.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "model/shards.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are copied as they lie");

enum { SHOWN_CHARACTERS = 120 };

static const struct {
    const char *name; /* within its layer where is_layered */
    bool is_layered;
    bool is_vector;
} kinds[MODEL_WEIGHTS] = {
    [MODEL_WEIGHT_EMBEDDING] = {"model.embed_tokens.weight", false, false},
    [MODEL_WEIGHT_ATTENTION_NORM] = {"input_layernorm.weight", true, true},
    [MODEL_WEIGHT_Q] = {"self_attn.q_proj.weight", true, false},
    [MODEL_WEIGHT_K] = {"self_attn.k_proj.weight", true, false},
    [MODEL_WEIGHT_V] = {"self_attn.v_proj.weight", true, false},
    [MODEL_WEIGHT_O] = {"self_attn.o_proj.weight", true, false},
    [MODEL_WEIGHT_Q_BIAS] = {"self_attn.q_proj.bias", true, true},
    [MODEL_WEIGHT_K_BIAS] = {"self_attn.k_proj.bias", true, true},
    [MODEL_WEIGHT_V_BIAS] = {"self_attn.v_proj.bias", true, true},
    [MODEL_WEIGHT_MLP_NORM] = {"post_attention_layernorm.weight", true, true},
    [MODEL_WEIGHT_GATE] = {"mlp.gate_proj.weight", true, false},
    [MODEL_WEIGHT_UP] = {"mlp.up_proj.weight", true, false},
    [MODEL_WEIGHT_DOWN] = {"mlp.down_proj.weight", true, false},
    [MODEL_WEIGHT_FINAL_NORM] = {"model.norm.weight", false, true},
    [MODEL_WEIGHT_HEAD] = {"lm_head.weight", false, false},
};

/* A tensor in its mapped file; data NULL where the model has none. */
struct place {
    enum safetensors_type type;
    const unsigned char *data;
};

struct model_weights {
    struct model model;
    struct shards shards;
    struct place *place; /* [layers][MODEL_WEIGHTS]; weights outside the layers are in layer 0 */
};

/* The tensor that holds a weight. */
static enum model_weight source_of(const struct model *model, enum model_weight what)
{
    bool is_tied = what == MODEL_WEIGHT_HEAD && model->tied_embeddings;
    return is_tied ? MODEL_WEIGHT_EMBEDDING : what;
}

static struct place *place_of(const struct model_weights *weights, enum model_weight what,
                              int64_t layer)
{
    enum model_weight source = source_of(&weights->model, what);
    int64_t block = kinds[source].is_layered ? layer : 0;
    return &weights->place[block * MODEL_WEIGHTS + source];
}

/* Free with base_free. */
static char *name_of(enum model_weight what, int64_t layer)
{
    if (kinds[what].is_layered)
        return base_format("model.layers.%" PRId64 ".%s", layer, kinds[what].name);
    return base_strdup(kinds[what].name);
}

/* "[172, 64]", or "[64]" of a vector; free with base_free. */
static char *shape_text(enum model_weight what, struct model_weight_shape shape)
{
    if (kinds[what].is_vector)
        return base_format("[%" PRId64 "]", shape.columns);
    return base_format("[%" PRId64 ", %" PRId64 "]", shape.rows, shape.columns);
}

/* As shape_text, of the shape in a file. */
static char *found_text(const json_t *shape)
{
    char *dump = json_dumps(shape, 0);
    bool is_long = dump && strlen(dump) > SHOWN_CHARACTERS;
    char *text = base_format("%.*s%s", SHOWN_CHARACTERS, dump ? dump : "?", is_long ? "...]" : "");
    free(dump);
    return text;
}

/* Adds a fault where the tensor NAME is not as the model needs it. */
static void check_tensor(const char *name, const char *expected,
                         const struct safetensors_tensor *tensor, struct base_report *report)
{
    char *found = found_text(tensor->shape);
    if (strcmp(found, expected) != 0)
        base_report_add(report, tensor->file, 0, "%s: shape %s, expected %s", name, found,
                        expected);
    if (tensor->type == SAFETENSORS_OTHER)
        base_report_add(report, tensor->file, 0, "%s: dtype %s, expected F32, F16 or BF16", name,
                        tensor->type_name);
    base_free(found);
}

static void find_weight(struct model_weights *weights, enum model_weight what, int64_t layer,
                        struct base_report *report)
{
    struct safetensors_tensor tensor;
    char *name = name_of(what, layer);
    char *expected = shape_text(what, model_weight_shape(&weights->model, what));
    if (shards_find(&weights->shards, name, &tensor))
        check_tensor(name, expected, &tensor, report);
    else
        base_report_add(report, tensor.file, 0, "%s: missing, expected shape %s", name, expected);
    *place_of(weights, what, layer) = (struct place){tensor.type, tensor.data};
    base_free(expected);
    base_free(name);
}

static void find_weights(struct model_weights *weights, struct base_report *report)
{
    for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++) {
        int64_t layers = kinds[what].is_layered ? weights->model.layers : 1;
        bool is_needed = model_weight_shape(&weights->model, what).rows > 0 &&
                         source_of(&weights->model, what) == what;
        for (int64_t layer = 0; is_needed && layer < layers; layer++)
            find_weight(weights, what, layer, report);
    }
}

/* Whether every weight of the model has a row in enum model_weight. */
static bool is_supported(const char *path, const struct model *model, struct base_report *report)
{
    if (!model->output_bias && !model->mlp_bias && !model->qk_norm && !model->experts)
        return true;
    base_report_add(report, path, 0,
                    "weights of a %s with %s cannot be read; supported are llama, mistral and "
                    "qwen2 without biases but those of q, k and v",
                    model->model_type, model->qk_norm ? "norms of q and k" : "biases");
    return false;
}

struct model_weights *model_weights_open(const char *path, const struct model *model,
                                         struct base_report *report)
{
    if (!is_supported(path, model, report))
        return NULL;
    size_t before = report->count;
    struct model_weights *weights = base_alloc(1, sizeof *weights);
    weights->model = *model;
    weights->place = base_alloc((size_t)model->layers * MODEL_WEIGHTS, sizeof *weights->place);
    if (shards_open(&weights->shards, path, report))
        find_weights(weights, report);
    if (report->count == before)
        return weights;
    model_weights_close(weights);
    return NULL;
}

void model_weights_close(struct model_weights *weights)
{
    if (!weights)
        return;
    shards_close(&weights->shards);
    base_free(weights->place);
    base_free(weights);
}

static void convert_halves(enum safetensors_type type, const unsigned char *data, int64_t count,
                           float *out)
{
    for (int64_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, data + 2 * i, sizeof bits);
        out[i] = type == SAFETENSORS_F16 ? base_half_to_float(bits) : base_bfloat_to_float(bits);
    }
}

void model_weights_row(const struct model_weights *weights, enum model_weight what, int64_t layer,
                       int64_t row, float *out)
{
    struct model_weight_shape shape = model_weight_shape(&weights->model, what);
    assert(0 <= row && row < shape.rows);
    assert(!kinds[what].is_layered || (0 <= layer && layer < weights->model.layers));
    const struct place *place = place_of(weights, what, layer);
    if (place->type == SAFETENSORS_F32)
        memcpy(out, place->data + 4 * row * shape.columns, 4 * (size_t)shape.columns);
    else
        convert_halves(place->type, place->data + 2 * row * shape.columns, shape.columns, out);
}
