/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides whether a graph is one that a step can be compiled from; shares nothing with its builder.
 */
#include "model/model.h"

#include "base/memory.h"

enum { INPUTS = sizeof((struct model_op *)0)->input / sizeof(int32_t) };

static int count_inputs(const struct model_op *op)
{
    int count = 0;
    while (count < INPUTS && op->input[count] >= 0)
        count++;
    return count;
}

/* Used inputs come first and name ops before this one; only the first op has none. */
static bool has_valid_inputs(const struct model_op *op, size_t index)
{
    int used = count_inputs(op);
    for (int i = 0; i < INPUTS; i++)
        if (op->input[i] < -1 || (i >= used && op->input[i] != -1) ||
            op->input[i] >= (int32_t)index)
            return false;
    return (used == 0) == (index == 0);
}

static bool has_valid_shape(const struct model_op *op)
{
    bool is_linear = op->kind == MODEL_OP_LINEAR;
    bool is_attention = op->kind == MODEL_OP_ATTENTION;
    if (op->rows < 1 || op->n < 1 || op->k < 0 || op->weight_elements < 0)
        return false;
    if (is_linear != (op->linear != MODEL_LINEAR_NONE) || is_attention != (op->kv_positions > 0))
        return false;
    if (is_linear)
        return op->k > 0 && op->weight_elements >= op->k * op->n &&
               op->multiply_adds == op->rows * op->k * op->n;
    return op->multiply_adds == (is_attention ? 2 * op->rows * op->n * op->kv_positions : 0);
}

/* Each input has as many elements a row as its reader expects. */
static bool fits_inputs(const struct model_graph *graph, const struct model_op *op)
{
    int64_t width = 0;
    for (int i = 0; i < count_inputs(op); i++)
        width += graph->op[op->input[i]].n;
    switch (op->kind) {
    case MODEL_OP_LINEAR:
        return width == op->k;
    case MODEL_OP_NORM:
        return width == op->n && op->k > 0 && op->n % op->k == 0;
    case MODEL_OP_ROPE:
    case MODEL_OP_SAMPLE:
        return width == op->n;
    case MODEL_OP_ACTIVATE:
    case MODEL_OP_ADD:
        return count_inputs(op) == 2 && width == 2 * op->n && graph->op[op->input[0]].n == op->n;
    default:
        return true;
    }
}

static bool is_known(const struct model_op *op)
{
    return (unsigned)op->kind <= MODEL_OP_SAMPLE && (unsigned)op->linear <= MODEL_LINEAR_HEAD;
}

/* Every result but the last is read by somebody. */
static bool is_all_needed(const struct model_graph *graph)
{
    bool *is_needed = base_alloc(graph->count, sizeof(bool));
    for (size_t i = 0; i < graph->count; i++)
        for (int j = 0; j < count_inputs(&graph->op[i]); j++)
            is_needed[graph->op[i].input[j]] = true;
    size_t needed = 0;
    for (size_t i = 0; i < graph->count; i++)
        needed += is_needed[i];
    bool last_is_needed = is_needed[graph->count - 1];
    base_free(is_needed);
    return needed == graph->count - 1 && !last_is_needed;
}

bool model_graph_is_valid(const struct model_graph *graph)
{
    if (!graph->op || graph->count == 0 || graph->op[0].kind != MODEL_OP_EMBED)
        return false;
    for (size_t i = 0; i < graph->count; i++) {
        const struct model_op *op = &graph->op[i];
        if (!is_known(op) || !has_valid_inputs(op, i) || !has_valid_shape(op) ||
            !fits_inputs(graph, op))
            return false;
        if (op->rows > graph->rows || op->kv_positions > graph->kv_positions)
            return false;
    }
    return is_all_needed(graph);
}
