/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds the ops of one step, layer by layer, each with the ops that it needs. */
#include "model/model.h"

#include <assert.h>

#include "base/memory.h"

enum { NOTHING = -1, MOST_OPS_A_LAYER = 18, OPS_OUTSIDE_LAYERS = 4 };

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
    if (model->sliding_window && model->sliding_window < keys)
        keys = model->sliding_window;
    struct model_op op = {.kind = MODEL_OP_ATTENTION,
                          .k = model->head_dim,
                          .n = n,
                          .kv_positions = keys,
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

static int32_t append_mlp(struct builder *builder, int32_t input)
{
    const struct model *model = builder->model;
    int64_t hidden = model->hidden, ffn = model->ffn;
    bool bias = model->mlp_bias;
    int32_t norm = append_norm(builder, hidden, hidden, input);
    int32_t gate = append_linear(builder, MODEL_LINEAR_GATE, hidden, ffn, bias, norm);
    int32_t up = append_linear(builder, MODEL_LINEAR_UP, hidden, ffn, bias, norm);
    int32_t active = append_plain(builder, MODEL_OP_ACTIVATE, 0, ffn, gate, up);
    int32_t down = append_linear(builder, MODEL_LINEAR_DOWN, ffn, hidden, bias, active);
    return append_plain(builder, MODEL_OP_ADD, 0, hidden, input, down);
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
