/* SPDX-License-Identifier: BSD-3-Clause */
/* Rotary frequencies: rope_theta^(-2 i / head_dim), then the scaling that the model names, as
 * transformers 4.5x has it in modeling_rope_utils.py. */
#include "model/rotary.h"

#include <math.h>
#include <string.h>

static const double two_pi = 6.283185307179586476925;

/* llama3: frequencies that turn less than low_freq_factor times over the original context are
 * slowed by `factor`, those above high_freq_factor are kept, those between are blended. */
static double llama3_frequency(const struct model *model, double plain)
{
    double low = model->rope_low_frequency_factor, high = model->rope_high_frequency_factor;
    double turns = (double)model->rope_original_positions * plain / two_pi;
    double kept = (turns - low) / (high - low);
    kept = fmin(fmax(kept, 0), 1);
    return kept * plain + (1 - kept) * plain / model->rope_factor;
}

/* The pair (a real number) that turns so many times over the original context. */
static double pair_of_turns(const struct model *model, double turns)
{
    double positions = (double)model->rope_original_positions;
    return (double)model->head_dim * log(positions / (turns * two_pi)) /
           (2 * log(model->rope_theta));
}

/* yarn: pairs before the one that turns beta_fast times are kept, those behind the one that turns
 * beta_slow times are slowed by `factor`, and in between the two are blended along a ramp. */
static double yarn_frequency(const struct model *model, double plain, double pair)
{
    double first = pair_of_turns(model, model->rope_beta_fast);
    double last = pair_of_turns(model, model->rope_beta_slow);
    if (model->rope_truncate) {
        first = floor(first);
        last = ceil(last);
    }
    first = fmax(first, 0);
    last = fmin(last, (double)(model->head_dim - 1));
    double width = last - first == 0 ? 0.001 : last - first;
    double slowed = fmin(fmax((pair - first) / width, 0), 1);
    return (1 - slowed) * plain + slowed * plain / model->rope_factor;
}

static double scaled_frequency(const struct model *model, double plain, int64_t pair)
{
    if (strcmp(model->rope_scaling, "yarn") == 0)
        return yarn_frequency(model, plain, (double)pair);
    if (strcmp(model->rope_scaling, "linear") == 0)
        return plain / model->rope_factor;
    if (strcmp(model->rope_scaling, "llama3") == 0)
        return llama3_frequency(model, plain);
    return plain;
}

void model_rotary_frequencies(const struct model *model, double *frequency)
{
    for (int64_t i = 0; i < model->head_dim / 2; i++) {
        double exponent = -2 * (double)i / (double)model->head_dim;
        frequency[i] = scaled_frequency(model, pow(model->rope_theta, exponent), i);
    }
}

double model_rotary_gain(const struct model *model)
{
    return strcmp(model->rope_scaling, "yarn") == 0 ? model->rope_attention_factor : 1;
}
