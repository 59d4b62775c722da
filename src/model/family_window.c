/* SPDX-License-Identifier: BSD-3-Clause */
/* Which layers of a model look through a sliding window, and how wide it is. */
#include "model/family_parts.h"

#include <string.h>

static void set_full(struct model *model, int64_t layer)
{
    model->full_layer[layer / 64] |= UINT64_C(1) << (layer % 64);
}

/* Whether TYPES names sliding_attention or full_attention for each layer, and nothing else. */
static bool read_types(const json_t *types, struct model *model)
{
    if (json_array_size(types) != (size_t)model->layers)
        return false;
    for (int64_t i = 0; i < model->layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        bool is_full = type && strcmp(type, "full_attention") == 0;
        if (!is_full && (!type || strcmp(type, "sliding_attention")))
            return false;
        if (is_full)
            set_full(model, i);
    }
    return true;
}

static void set_by_family(const struct keys *keys, const struct family *family, struct model *model)
{
    int64_t first = 0;
    if (family->windows == FAMILY_WINDOWS_LATE)
        first = keys_integer(keys, "max_window_layers", 0, MODEL_MOST_LAYERS, 28);
    for (int64_t i = 0; i < model->layers && i < first; i++)
        set_full(model, i);
    for (int64_t i = 1; i < model->layers && family->windows == FAMILY_WINDOWS_ALTERNATING; i += 2)
        set_full(model, i);
    if (family->windows == FAMILY_WINDOWS_LISTED)
        keys_fault(keys, "layer_types",
                   "missing; with use_sliding_window a list of sliding_attention or "
                   "full_attention, one a layer");
}

static void set_layers(const struct keys *keys, const struct family *family, struct model *model)
{
    const json_t *types = keys_value(keys, "layer_types");
    if (!types)
        set_by_family(keys, family, model);
    else if (!read_types(types, model))
        keys_fault(keys, "layer_types",
                   "must be a list of sliding_attention or full_attention, one a layer");
}

static int64_t read_width(const struct keys *keys, const struct family *family)
{
    bool is_null = json_is_null(json_object_get(keys->object, "sliding_window"));
    if (keys_value(keys, "sliding_window"))
        return keys_integer(keys, "sliding_window", 1, MODEL_MOST_POSITIONS, FAMILY_NO_DEFAULT);
    return is_null ? 0 : family->sliding_window;
}

void family_read_window(const struct keys *keys, const struct family *family, struct model *model)
{
    if (family->windows == FAMILY_WINDOWS_NONE)
        return;
    if (family->window_is_switched && !keys_boolean(keys, "use_sliding_window", false))
        return;
    model->sliding_window = read_width(keys, family);
    if (!model->sliding_window)
        return;
    set_layers(keys, family, model);
    for (int64_t i = 0; i < model->layers; i++)
        if (model_window(model, i))
            return;
    model->sliding_window = 0;
    memset(model->full_layer, 0, sizeof model->full_layer);
}
