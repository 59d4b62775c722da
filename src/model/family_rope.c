/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys of the rotary embedding: its base and the scalings default, linear, llama3 and yarn. */
#include "model/family_parts.h"

#include <math.h>
#include <string.h>

/* Older files say "type"; "default" means no scaling. */
static void read_type(const struct keys *rope, struct model *model)
{
    const char *key = keys_value(rope, "rope_type") ? "rope_type" : "type";
    keys_string(rope, key, model->rope_scaling, MODEL_NAME_BYTES);
    if (strcmp(model->rope_scaling, "default") == 0)
        model->rope_scaling[0] = '\0';
    const char *type = model->rope_scaling;
    if (type[0] && strcmp(type, "linear") && strcmp(type, "llama3") && strcmp(type, "yarn"))
        keys_fault(rope, key, "is not supported; supported are default, linear, llama3, yarn");
}

static void read_llama3(const struct keys *rope, struct model *model)
{
    model->rope_low_frequency_factor = keys_number(rope, "low_freq_factor", 0, 1e6, NAN);
    model->rope_high_frequency_factor = keys_number(rope, "high_freq_factor", 0, 1e6, NAN);
    if (model->rope_high_frequency_factor <= model->rope_low_frequency_factor)
        keys_fault(rope, "high_freq_factor", "must be above low_freq_factor");
    model->rope_original_positions = keys_integer(rope, "original_max_position_embeddings", 1,
                                                  MODEL_MOST_POSITIONS, FAMILY_NO_DEFAULT);
}

/* By how much yarn sharpens attention that reaches `factor` times as far. */
static double sharpening(double factor, double gain)
{
    return factor <= 1 ? 1 : 0.1 * gain * log(factor) + 1;
}

static void read_yarn(const struct keys *rope, struct model *model)
{
    model->rope_original_positions = keys_integer(rope, "original_max_position_embeddings", 1,
                                                  MODEL_MOST_POSITIONS, model->max_positions);
    model->rope_beta_fast = keys_number(rope, "beta_fast", 0, 1e6, 32);
    model->rope_beta_slow = keys_number(rope, "beta_slow", 0, 1e6, 1);
    if (model->rope_beta_fast <= model->rope_beta_slow)
        keys_fault(rope, "beta_fast", "must be above beta_slow");
    model->rope_truncate = keys_boolean(rope, "truncate", true);
    double factor = model->rope_factor, above = keys_number(rope, "mscale", 0, 1e6, 1);
    double below = keys_number(rope, "mscale_all_dim", 0, 1e6, 1);
    bool has_both = keys_value(rope, "mscale") && keys_value(rope, "mscale_all_dim");
    double usual =
        has_both ? sharpening(factor, above) / sharpening(factor, below) : sharpening(factor, 1);
    model->rope_attention_factor = keys_number(rope, "attention_factor", 0, 1e6, usual);
}

static void read_factors(const struct keys *rope, struct model *model)
{
    model->rope_factor = keys_number(rope, "factor", 0, 1e6, NAN);
    if (strcmp(model->rope_scaling, "llama3") == 0)
        read_llama3(rope, model);
    if (strcmp(model->rope_scaling, "yarn") == 0)
        read_yarn(rope, model);
}

/* transformers 4 writes rope_theta and rope_scaling; 5 writes both into rope_parameters. */
void family_read_rope(const struct keys *keys, const struct family *family, struct model *model)
{
    bool is_new = keys_value(keys, "rope_parameters") != NULL;
    const char *key = is_new ? "rope_parameters" : "rope_scaling";
    const json_t *object = keys_value(keys, key);
    struct keys rope = *keys;
    rope.object = object;
    rope.prefix = is_new ? "rope_parameters." : "rope_scaling.";
    double theta = family->theta > 0 ? family->theta : 10000;
    model->rope_theta = keys_number(is_new ? &rope : keys, "rope_theta", 0, 1e12, theta);
    if (object && !json_is_object(object))
        keys_fault(keys, key, "must be an object or null");
    if (family->is_gpt_oss && !object)
        keys_fault(keys, key, "missing; an object with the yarn scaling of gpt_oss");
    if (!json_is_object(object))
        return;
    size_t before = keys->report->count;
    read_type(&rope, model);
    if (model->rope_scaling[0] && keys->report->count == before)
        read_factors(&rope, model);
}
