/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds every tensor that a model needs, checks its shape, and converts rows to float. */
#include "model/weights.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "model/shards.h"
#include "model/weight_tensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are copied as they lie");

enum { SHOWN_CHARACTERS = 120, SCALE_BIAS = 127 };

/* A tensor in its mapped file; data NULL where the model has none. */
struct place {
    enum safetensors_type type;
    const unsigned char *data;
    const unsigned char *scale; /* of packed data, one a block; else NULL */
};

struct model_weights {
    struct model model;
    struct shards shards;
    struct place *place; /* [layers][places_of]; weights outside the layers are in layer 0 */
};

enum { EXPERT_MATRICES = MODEL_WEIGHT_EXPERT_DOWN - MODEL_WEIGHT_EXPERT_GATE + 1 };

/* The first expert's place is the weight's own; those of the others follow all weights. */
static int64_t places_of(const struct model *model)
{
    return MODEL_WEIGHTS + (model->experts > 1 ? EXPERT_MATRICES * (model->experts - 1) : 0);
}

/* The tensor that holds a weight. */
static enum model_weight source_of(const struct model *model, enum model_weight what)
{
    bool is_tied = what == MODEL_WEIGHT_HEAD && model->tied_embeddings;
    return is_tied ? MODEL_WEIGHT_EMBEDDING : what;
}

static struct place *place_of(const struct model_weights *weights, enum model_weight what,
                              int64_t layer, int64_t expert)
{
    enum model_weight source = source_of(&weights->model, what);
    struct place *block =
        weights->place + (weight_is_layered(source) ? layer : 0) * places_of(&weights->model);
    if (expert == 0)
        return &block[source];
    int64_t matrix = (int64_t)source - MODEL_WEIGHT_EXPERT_GATE;
    return &block[MODEL_WEIGHTS + (expert - 1) * EXPERT_MATRICES + matrix];
}

/* "[172, 64]"; free with base_free. */
static char *shape_text(const int64_t *size, int32_t sizes)
{
    char *text = base_strdup("[");
    for (int32_t i = 0; i < sizes; i++) {
        char *longer = base_format("%s%" PRId64 "%s", text, size[i], i + 1 < sizes ? ", " : "]");
        base_free(text);
        text = longer;
    }
    return text;
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

static bool is_float(enum safetensors_type type)
{
    return type == SAFETENSORS_F32 || type == SAFETENSORS_F16 || type == SAFETENSORS_BF16;
}

/* A tensor NAME that must be there, of so many sizes and of numbers or, packed, of bytes. Its data,
 * or NULL and a fault. */
static const unsigned char *find_tensor(const struct shards *shards, const char *name,
                                        const int64_t *size, int32_t sizes, bool is_packed,
                                        enum safetensors_type *type, struct base_report *report)
{
    struct safetensors_tensor tensor = {0};
    char *expected = shape_text(size, sizes);
    size_t before = report->count;
    if (!shards_find(shards, name, &tensor)) {
        base_report_add(report, tensor.file, 0, "%s: missing, expected shape %s", name, expected);
        base_free(expected);
        return NULL;
    }
    char *found = found_text(tensor.shape);
    if (strcmp(found, expected) != 0)
        base_report_add(report, tensor.file, 0, "%s: shape %s, expected %s", name, found, expected);
    if (is_packed ? tensor.type != SAFETENSORS_U8 : !is_float(tensor.type))
        base_report_add(report, tensor.file, 0, "%s: dtype %s, expected %s", name, tensor.type_name,
                        is_packed ? "U8" : "F32, F16 or BF16");
    base_free(found);
    base_free(expected);
    *type = tensor.type;
    return report->count == before ? tensor.data : NULL;
}

/* NAME_blocks and NAME_scales, in which one scale belongs to each block. */
static void find_packed(const struct shards *shards, const char *name,
                        const struct weight_layout *layout, struct place *place,
                        struct base_report *report)
{
    char *blocks = base_format("%s_blocks", name), *scales = base_format("%s_scales", name);
    place->data =
        find_tensor(shards, blocks, layout->size, layout->sizes, true, &place->type, report);
    place->scale =
        find_tensor(shards, scales, layout->size, layout->sizes - 1, true, &place->type, report);
    base_free(blocks);
    base_free(scales);
}

/* Whether the files have NAME as blocks and not as numbers. */
static bool is_packed(const struct model_weights *weights, enum model_weight what, const char *name)
{
    struct safetensors_tensor tensor;
    if (!weight_may_be_packed(&weights->model, what) ||
        shards_find(&weights->shards, name, &tensor))
        return false;
    char *blocks = base_format("%s_blocks", name);
    bool is_there = shards_find(&weights->shards, blocks, &tensor);
    base_free(blocks);
    return is_there;
}

static void find_weight(struct model_weights *weights, enum model_weight what, int64_t layer,
                        int64_t expert, struct base_report *report)
{
    const struct model *model = &weights->model;
    struct place *place = place_of(weights, what, layer, expert);
    char *name = weight_tensor_name(model, what, layer, expert);
    bool packed = is_packed(weights, what, name);
    struct weight_layout layout = weight_layout(model, what, packed);
    if (packed)
        find_packed(&weights->shards, name, &layout, place, report);
    else
        place->data = find_tensor(&weights->shards, name, layout.size, layout.sizes, false,
                                  &place->type, report);
    base_free(name);
}

/* All tensors of a weight; none where the model has none or holds it as another weight. Of experts
 * only the first fault of a layer. */
static void find_all(struct model_weights *weights, enum model_weight what,
                     struct base_report *report)
{
    const struct model *model = &weights->model;
    if (model_weight_shape(model, what).rows == 0 || source_of(model, what) != what)
        return;
    int64_t layers = weight_is_layered(what) ? model->layers : 1;
    int64_t tensors = weight_layout(model, what, false).tensors;
    for (int64_t layer = 0; layer < layers; layer++) {
        size_t before = report->count;
        for (int64_t expert = 0; expert < tensors && report->count == before; expert++)
            find_weight(weights, what, layer, expert, report);
    }
}

struct model_weights *model_weights_open(const char *path, const struct model *model,
                                         struct base_report *report)
{
    size_t before = report->count;
    struct model_weights *weights = base_alloc(1, sizeof *weights);
    weights->model = *model;
    weights->place = base_alloc((size_t)(model->layers * places_of(model)), sizeof *weights->place);
    bool is_open = shards_open(&weights->shards, path, report);
    for (enum model_weight what = 0; is_open && what < MODEL_WEIGHTS; what++)
        find_all(weights, what, report);
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

static float element_at(const struct place *place, int64_t index)
{
    float wide;
    uint16_t bits;
    if (place->type == SAFETENSORS_F32) {
        memcpy(&wide, place->data + 4 * index, sizeof wide);
        return wide;
    }
    memcpy(&bits, place->data + 2 * index, sizeof bits);
    return place->type == SAFETENSORS_F16 ? base_half_to_float(bits) : base_bfloat_to_float(bits);
}

/* Row `row` of a packed tensor: of a byte the lower half comes first; a half is a sign, two bits of
 * exponent and one of mantissa; a scale is a power of two. */
static void unpack(const struct place *place, int64_t row, int64_t columns, float *out)
{
    static const float magnitude[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    int64_t first = row * columns;
    for (int64_t c = 0; c < columns; c++) {
        unsigned byte = place->data[(first + c) / 2];
        unsigned half = c % 2 ? byte >> 4 : byte & 15;
        float value = half & 8 ? -magnitude[half & 7] : magnitude[half];
        out[c] = ldexpf(value, place->scale[(first + c) / WEIGHT_PACK] - SCALE_BIAS);
    }
}

void model_weights_row(const struct model_weights *weights, enum model_weight what, int64_t layer,
                       int64_t row, float *out)
{
    const struct model *model = &weights->model;
    struct model_weight_shape shape = model_weight_shape(model, what);
    assert(0 <= row && row < shape.rows);
    assert(!weight_is_layered(what) || (0 <= layer && layer < model->layers));
    bool packed = place_of(weights, what, layer, 0)->scale != NULL;
    struct weight_layout layout = weight_layout(model, what, packed);
    int64_t expert = row / layout.expert_rows;
    int64_t at =
        layout.first + expert * layout.expert_stride + row % layout.expert_rows * layout.row_stride;
    const struct place *place = place_of(weights, what, layer, layout.tensors > 1 ? expert : 0);
    if (packed)
        unpack(place, at, shape.columns, out);
    else if (place->type == SAFETENSORS_F32 && layout.column_stride == 1)
        memcpy(out, place->data + 4 * at, 4 * (size_t)shape.columns);
    else
        for (int64_t c = 0; c < shape.columns; c++)
            out[c] = element_at(place, at + c * layout.column_stride);
}
