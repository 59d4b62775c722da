/* SPDX-License-Identifier: BSD-3-Clause */
/* The MLP of the plain forward pass: gate, up and down, once or for each expert that is chosen. */
#include <math.h>

#include "model/reference_parts.h"

static double silu(double gate)
{
    return gate / (1 + exp(-gate));
}

/* gpt_oss: both are clamped, the gate from above only, and up is counted from -1. */
static double clamped(const struct model *model, double gate, double up)
{
    double limit = model->gate_limit;
    gate = fmin(gate, limit);
    up = fmin(fmax(up, -limit), limit);
    return (up + 1) * gate / (1 + exp(-model->gate_alpha * gate));
}

/* r->gate[width] = r->gate times r->up through the model's gate. */
static void activate(struct model_reference *r, int64_t width)
{
    for (int64_t i = 0; i < width; i++) {
        double gate = r->gate[i], up = r->up[i];
        r->gate[i] =
            (float)(r->model.clamped_gate ? clamped(&r->model, gate, up) : silu(gate) * up);
    }
}

/* The weights of one MLP; those of an expert begin at its rows. */
struct gated {
    enum model_weight gate, up, down, gate_bias, up_bias, down_bias;
    int64_t width, expert;
};

/* r->update = down(activate(gate(r->normed), up(r->normed))). */
static void apply(struct model_reference *r, const struct gated *m, int64_t layer)
{
    int64_t width = m->width, hidden = r->model.hidden;
    reference_linear(r, m->gate, layer, m->expert * width, width, r->normed, r->gate);
    reference_linear(r, m->up, layer, m->expert * width, width, r->normed, r->up);
    reference_add_bias(r, m->gate_bias, layer, m->expert, r->gate);
    reference_add_bias(r, m->up_bias, layer, m->expert, r->up);
    activate(r, width);
    reference_linear(r, m->down, layer, m->expert * hidden, hidden, r->gate, r->update);
    reference_add_bias(r, m->down_bias, layer, m->expert, r->update);
}

static void apply_dense(struct model_reference *r, int64_t layer)
{
    struct gated dense = {.gate = MODEL_WEIGHT_GATE,
                          .up = MODEL_WEIGHT_UP,
                          .down = MODEL_WEIGHT_DOWN,
                          .gate_bias = MODEL_WEIGHT_GATE_BIAS,
                          .up_bias = MODEL_WEIGHT_UP_BIAS,
                          .down_bias = MODEL_WEIGHT_DOWN_BIAS,
                          .width = r->model.ffn};
    apply(r, &dense, layer);
}

static void apply_expert(struct model_reference *r, int64_t expert, int64_t layer)
{
    struct gated routed = {.gate = MODEL_WEIGHT_EXPERT_GATE,
                           .up = MODEL_WEIGHT_EXPERT_UP,
                           .down = MODEL_WEIGHT_EXPERT_DOWN,
                           .gate_bias = MODEL_WEIGHT_EXPERT_GATE_BIAS,
                           .up_bias = MODEL_WEIGHT_EXPERT_UP_BIAS,
                           .down_bias = MODEL_WEIGHT_EXPERT_DOWN_BIAS,
                           .width = r->model.expert_ffn,
                           .expert = expert};
    apply(r, &routed, layer);
}

/* The shared expert has no biases: those named here, of the dense MLP, a mixture lacks. */
static void apply_shared(struct model_reference *r, int64_t layer)
{
    struct gated shared = {.gate = MODEL_WEIGHT_SHARED_GATE,
                           .up = MODEL_WEIGHT_SHARED_UP,
                           .down = MODEL_WEIGHT_SHARED_DOWN,
                           .gate_bias = MODEL_WEIGHT_GATE_BIAS,
                           .up_bias = MODEL_WEIGHT_UP_BIAS,
                           .down_bias = MODEL_WEIGHT_DOWN_BIAS,
                           .width = r->model.shared_ffn};
    float logit;
    reference_linear(r, MODEL_WEIGHT_SHARED_ROUTER, layer, 0, 1, r->normed, &logit);
    apply(r, &shared, layer);
    for (int64_t i = 0; i < r->model.hidden; i++)
        r->update[i] = (float)((double)r->update[i] / (1 + exp(-(double)logit)));
}

static bool is_taken(const struct model_reference *r, int64_t taken, int64_t expert)
{
    for (int64_t i = 0; i < taken; i++)
        if (r->expert[i] == expert)
            return true;
    return false;
}

/* The greatest logit among the experts that are not taken; the lowest of equals. */
static int64_t next_expert(const struct model_reference *r, int64_t taken)
{
    int64_t best = -1;
    for (int64_t e = 0; e < r->model.experts; e++)
        if (!is_taken(r, taken, e) && (best < 0 || r->route[e] > r->route[best]))
            best = e;
    return best;
}

/* r->expert and r->share of r->normed. */
static void choose(struct model_reference *r, int64_t layer)
{
    const struct model *model = &r->model;
    int64_t experts = model->experts, chosen = model->experts_per_token;
    reference_linear(r, MODEL_WEIGHT_ROUTER, layer, 0, experts, r->normed, r->route);
    reference_add_bias(r, MODEL_WEIGHT_ROUTER_BIAS, layer, 0, r->route);
    for (int64_t i = 0; i < chosen; i++)
        r->expert[i] = next_expert(r, i);
    int64_t counted = model->normalise_experts ? chosen : experts;
    for (int64_t i = 0; i < counted; i++)
        r->score[i] = r->route[model->normalise_experts ? r->expert[i] : i];
    reference_softmax(r->score, counted, -INFINITY);
    for (int64_t i = 0; i < chosen; i++)
        r->share[i] = (float)r->score[model->normalise_experts ? i : r->expert[i]];
}

/* r->update: the chosen experts by their weights, and the shared one. */
static void apply_mixture(struct model_reference *r, int64_t layer)
{
    int64_t hidden = r->model.hidden;
    choose(r, layer);
    for (int64_t i = 0; i < hidden; i++)
        r->total[i] = 0;
    for (int64_t e = 0; e < r->model.experts_per_token; e++) {
        apply_expert(r, r->expert[e], layer);
        for (int64_t i = 0; i < hidden; i++)
            r->total[i] += (double)r->share[e] * (double)r->update[i];
    }
    if (r->model.shared_ffn)
        apply_shared(r, layer);
    for (int64_t i = 0; i < hidden; i++)
        r->update[i] = (float)(r->total[i] + (r->model.shared_ffn ? (double)r->update[i] : 0));
}

void reference_mlp(struct model_reference *r, int64_t layer)
{
    if (r->model.experts)
        apply_mixture(r, layer);
    else
        apply_dense(r, layer);
}
