/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the ops of one step, layer by layer, each with the ops that it needs. */
#include "model/graph.h"

#include <assert.h>
#include <math.h>

#include "base/memory.h"

enum { NOTHING = -1, MOST_OPS_A_LAYER = 28, OPS_OUTSIDE_LAYERS = 4 };

struct builder {
    const struct model *model;
    struct model_graph *graph;
    int32_t layer;
    int64_t rows;
};

/* Appends an op with up to three inputs; returns its index. */
static int32_t append(struct builder *builder, struct model_op op, int32_t a, int32_t b, int32_t c)
{
    op.layer = builder->layer;
    op.rows = builder->rows;
    op.input[0] = a;
    op.input[1] = b;
    op.input[2] = c;
    if (op.kind != MODEL_OP_EXPERTS)
        op.expected_elements = op.weight_elements;
    builder->graph->op[builder->graph->count] = op;
    return (int32_t)builder->graph->count++;
}

static int32_t append_linear(struct builder *builder, enum model_linear linear, int64_t k,
                             int64_t n, bool has_bias, int32_t input)
{
    struct model_op op = {.kind = MODEL_OP_LINEAR,
                          .linear = linear,
                          .k = k,
                          .n = n,
                          .weight_elements = k * n + (has_bias ? n : 0),
                          .multiply_adds = builder->rows * k * n};
    return append(builder, op, input, NOTHING, NOTHING);
}

/* RMSNorm of rows of n elements in groups of k that share k weights. */
static int32_t append_norm(struct builder *builder, int64_t k, int64_t n, int32_t input)
{
    struct model_op op = {.kind = MODEL_OP_NORM, .k = k, .n = n, .weight_elements = k};
    return append(builder, op, input, NOTHING, NOTHING);
}

static int32_t append_plain(struct builder *builder, enum model_op_kind kind, int64_t k, int64_t n,
                            int32_t a, int32_t b)
{
    return append(builder, (struct model_op){.kind = kind, .k = k, .n = n}, a, b, NOTHING);
}

static int32_t append_embed(struct builder *builder)
{
    int64_t hidden = builder->model->hidden;
    struct model_op op = {
        .kind = MODEL_OP_EMBED, .n = hidden, .weight_elements = builder->rows * hidden};
    return append(builder, op, NOTHING, NOTHING, NOTHING);
}

/* Scores and weighted values: two multiply-adds an element of q and key. */
static int32_t append_scores(struct builder *builder, int32_t rope, int32_t kv_write)
{
    const struct model *model = builder->model;
    int64_t keys = builder->graph->kv_positions, n = model->heads * model->head_dim;
    int64_t window = model_window(model, builder->layer);
    if (window && window < keys)
        keys = window;
    struct model_op op = {.kind = MODEL_OP_ATTENTION,
                          .k = model->head_dim,
                          .n = n,
                          .kv_positions = keys,
                          .weight_elements = model->attention_sinks ? model->heads : 0,
                          .multiply_adds = 2 * builder->rows * n * keys};
    return append(builder, op, rope, kv_write, NOTHING);
}

static int32_t append_attention(struct builder *builder, int32_t input)
{
    const struct model *model = builder->model;
    int64_t hidden = model->hidden, dim = model->head_dim;
    int64_t q_width = model->heads * dim, kv_width = model->kv_heads * dim;
    bool bias = model->qkv_bias;
    int32_t norm = append_norm(builder, hidden, hidden, input);
    int32_t q = append_linear(builder, MODEL_LINEAR_Q, hidden, q_width, bias, norm);
    int32_t k = append_linear(builder, MODEL_LINEAR_K, hidden, kv_width, bias, norm);
    int32_t v = append_linear(builder, MODEL_LINEAR_V, hidden, kv_width, bias, norm);
    if (model->qk_norm) {
        q = append_norm(builder, dim, q_width, q);
        k = append_norm(builder, dim, kv_width, k);
    }
    int32_t rope = append_plain(builder, MODEL_OP_ROPE, dim, q_width + kv_width, q, k);
    int32_t write = append_plain(builder, MODEL_OP_KV_WRITE, 0, 2 * kv_width, rope, v);
    int32_t attention = append_scores(builder, rope, write);
    int32_t o =
        append_linear(builder, MODEL_LINEAR_O, q_width, hidden, model->output_bias, attention);
    return append_plain(builder, MODEL_OP_ADD, 0, hidden, input, o);
}

/* Experts that `rows` rows touch if each chooses `chosen` of `experts`, any as likely as any other:
 * one is left out by a row with probability 1 - chosen / experts. */
static double expected_experts(int64_t experts, int64_t chosen, int64_t rows)
{
    double left_out = 1 - (double)chosen / (double)experts;
    return (double)experts * (1 - pow(left_out, (double)rows));
}

/* k -> width of each expert that a row has chosen; `a` gives the input, `choice` the experts. */
static int32_t append_experts(struct builder *builder, enum model_linear linear, int64_t k,
                              int64_t width, int32_t a, int32_t choice)
{
    const struct model *model = builder->model;
    int64_t experts = model->experts, chosen = model->experts_per_token, rows = builder->rows;
    int64_t each = k * width + (model->expert_bias ? width : 0);
    int64_t most = rows < experts && rows * chosen < experts ? rows * chosen : experts;
    double expected = expected_experts(experts, chosen, rows) * (double)each;
    struct model_op op = {.kind = MODEL_OP_EXPERTS,
                          .linear = linear,
                          .k = k,
                          .n = chosen * width,
                          .chosen = chosen,
                          .weight_elements = most * each,
                          .expected_elements = llround(expected),
                          .multiply_adds = rows * k * chosen * width};
    return append(builder, op, a, choice, NOTHING);
}

/* The experts that the router's logits choose, and the sum of what they give. */
static int32_t append_routed(struct builder *builder, int32_t norm)
{
    const struct model *model = builder->model;
    int64_t hidden = model->hidden, ffn = model->expert_ffn, chosen = model->experts_per_token;
    int32_t router = append_linear(builder, MODEL_LINEAR_ROUTER, hidden, model->experts,
                                   model->router_bias, norm);
    struct model_op choose = {
        .kind = MODEL_OP_CHOOSE, .k = model->experts, .n = chosen, .chosen = chosen};
    int32_t choice = append(builder, choose, router, NOTHING, NOTHING);
    int32_t gate = append_experts(builder, MODEL_LINEAR_GATE, hidden, ffn, norm, choice);
    int32_t up = append_experts(builder, MODEL_LINEAR_UP, hidden, ffn, norm, choice);
    int32_t active = append_plain(builder, MODEL_OP_ACTIVATE, 0, chosen * ffn, gate, up);
    int32_t down = append_experts(builder, MODEL_LINEAR_DOWN, ffn, hidden, active, choice);
    struct model_op combine = {.kind = MODEL_OP_COMBINE, .n = hidden, .chosen = chosen};
    return append(builder, combine, down, choice, NOTHING);
}

/* Gate, up, activate, down of one width. */
static int32_t append_gated(struct builder *builder, int64_t ffn, bool bias, int32_t norm)
{
    int64_t hidden = builder->model->hidden;
    int32_t gate = append_linear(builder, MODEL_LINEAR_GATE, hidden, ffn, bias, norm);
    int32_t up = append_linear(builder, MODEL_LINEAR_UP, hidden, ffn, bias, norm);
    int32_t active = append_plain(builder, MODEL_OP_ACTIVATE, 0, ffn, gate, up);
    return append_linear(builder, MODEL_LINEAR_DOWN, ffn, hidden, bias, active);
}

/* What the shared expert gives, times the sigmoid of a logit of its own, beside the routed ones. */
static int32_t append_shared(struct builder *builder, int32_t norm, int32_t routed)
{
    int64_t hidden = builder->model->hidden;
    int32_t down = append_gated(builder, builder->model->shared_ffn, false, norm);
    int32_t logit = append_linear(builder, MODEL_LINEAR_SHARED_GATE, hidden, 1, false, norm);
    int32_t scaled = append_plain(builder, MODEL_OP_SCALE, 0, hidden, down, logit);
    return append_plain(builder, MODEL_OP_ADD, 0, hidden, routed, scaled);
}

static int32_t append_mlp(struct builder *builder, int32_t input)
{
    const struct model *model = builder->model;
    int64_t hidden = model->hidden;
    int32_t norm = append_norm(builder, hidden, hidden, input);
    int32_t last = model->experts ? append_routed(builder, norm)
                                  : append_gated(builder, model->ffn, model->mlp_bias, norm);
    if (model->shared_ffn)
        last = append_shared(builder, norm, last);
    return append_plain(builder, MODEL_OP_ADD, 0, hidden, input, last);
}

static void append_head(struct builder *builder, int64_t head_rows, int32_t input)
{
    const struct model *model = builder->model;
    builder->rows = head_rows;
    int32_t norm = append_norm(builder, model->hidden, model->hidden, input);
    int32_t head =
        append_linear(builder, MODEL_LINEAR_HEAD, model->hidden, model->vocabulary, false, norm);
    append_plain(builder, MODEL_OP_SAMPLE, 0, model->vocabulary, head, NOTHING);
}

struct model_graph model_graph_build(const struct model *model, int64_t rows, int64_t kv_positions,
                                     bool prefill, int64_t head_rows)
{
    assert(model_is_valid(model));
    assert(rows > 0 && rows <= MODEL_MOST_ROWS && head_rows >= 0 && head_rows <= rows);
    assert(kv_positions > 0 && kv_positions <= MODEL_MOST_POSITIONS);
    size_t most = (size_t)model->layers * MOST_OPS_A_LAYER + OPS_OUTSIDE_LAYERS;
    struct model_graph graph = {.op = base_alloc(most, sizeof(struct model_op)),
                                .rows = rows,
                                .kv_positions = kv_positions,
                                .prefill = prefill};
    struct builder builder = {.model = model, .graph = &graph, .layer = NOTHING, .rows = rows};
    int32_t last = append_embed(&builder);
    for (int32_t layer = 0; layer < model->layers; layer++) {
        builder.layer = layer;
        last = append_attention(&builder, last);
        last = append_mlp(&builder, last);
    }
    builder.layer = NOTHING;
    if (head_rows > 0)
        append_head(&builder, head_rows, last);
    assert(graph.count <= most);
    return graph;
}

void model_graph_release(struct model_graph *graph)
{
    base_free(graph->op);
    *graph = (struct model_graph){0};
}

const char *model_op_name(const struct model_op *op)
{
    static const char *const linear[] = {[MODEL_LINEAR_NONE] = "linear",
                                         [MODEL_LINEAR_Q] = "q",
                                         [MODEL_LINEAR_K] = "k",
                                         [MODEL_LINEAR_V] = "v",
                                         [MODEL_LINEAR_O] = "o",
                                         [MODEL_LINEAR_GATE] = "gate",
                                         [MODEL_LINEAR_UP] = "up",
                                         [MODEL_LINEAR_DOWN] = "down",
                                         [MODEL_LINEAR_HEAD] = "head",
                                         [MODEL_LINEAR_ROUTER] = "router",
                                         [MODEL_LINEAR_SHARED_GATE] = "shared_gate"};
    static const char *const kind[] = {
        [MODEL_OP_EMBED] = "embed",       [MODEL_OP_NORM] = "norm",
        [MODEL_OP_LINEAR] = "linear",     [MODEL_OP_ROPE] = "rope",
        [MODEL_OP_KV_WRITE] = "kv_write", [MODEL_OP_ATTENTION] = "attention",
        [MODEL_OP_ACTIVATE] = "activate", [MODEL_OP_ADD] = "add",
        [MODEL_OP_SAMPLE] = "sample",     [MODEL_OP_CHOOSE] = "choose",
        [MODEL_OP_SCALE] = "scale",       [MODEL_OP_COMBINE] = "combine"};
    bool is_linear = op->kind == MODEL_OP_LINEAR || op->kind == MODEL_OP_EXPERTS;
    return is_linear ? linear[op->linear] : kind[op->kind];
}
