/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides whether a graph is one that a step can be compiled from; shares nothing with its builder.
 */
#include "model/graph.h"

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

static bool is_of_experts(const struct model_op *op)
{
    return op->kind == MODEL_OP_CHOOSE || op->kind == MODEL_OP_EXPERTS ||
           op->kind == MODEL_OP_COMBINE;
}

/* Only experts can be expected to be fewer than the most; the chosen ones divide a row. */
static bool has_valid_weights(const struct model_op *op)
{
    int64_t most = op->weight_elements, expected = op->expected_elements;
    if (op->kind == MODEL_OP_EXPERTS ? expected > most || expected < 1 : expected != most)
        return false;
    if (is_of_experts(op) != (op->chosen > 0) || op->chosen < 0)
        return false;
    return most >= 0 && (op->kind != MODEL_OP_EXPERTS || op->n % op->chosen == 0);
}

static bool has_valid_shape(const struct model_op *op)
{
    bool is_experts = op->kind == MODEL_OP_EXPERTS, is_linear = op->kind == MODEL_OP_LINEAR;
    bool is_attention = op->kind == MODEL_OP_ATTENTION;
    if (op->rows < 1 || op->n < 1 || op->k < 0 || !has_valid_weights(op))
        return false;
    if ((is_linear || is_experts) != (op->linear != MODEL_LINEAR_NONE) ||
        is_attention != (op->kv_positions > 0))
        return false;
    if (op->kind == MODEL_OP_CHOOSE && (op->n != op->chosen || op->n > op->k))
        return false;
    if (is_linear || is_experts)
        return op->k > 0 && op->weight_elements >= op->k * op->n &&
               op->multiply_adds == op->rows * op->k * op->n;
    return op->multiply_adds == (is_attention ? 2 * op->rows * op->n * op->kv_positions : 0);
}

/* Whether the second input is the choice that an op of experts goes by. */
static bool goes_by_choice(const struct model_graph *graph, const struct model_op *op)
{
    if (count_inputs(op) != 2)
        return false;
    const struct model_op *choice = &graph->op[op->input[1]];
    return choice->kind == MODEL_OP_CHOOSE && choice->chosen == op->chosen;
}

/* Experts read one row, or one of each expert before them; COMBINE reads one of each. */
static bool fits_experts(const struct model_graph *graph, const struct model_op *op)
{
    if (!goes_by_choice(graph, op))
        return false;
    const struct model_op *from = &graph->op[op->input[0]];
    if (op->kind == MODEL_OP_COMBINE)
        return from->kind == MODEL_OP_EXPERTS && from->n == op->chosen * op->n;
    bool is_within = from->kind == MODEL_OP_ACTIVATE;
    return from->n == (is_within ? op->chosen * op->k : op->k);
}

/* Each input has as many elements a row as its reader expects. */
static bool fits_inputs(const struct model_graph *graph, const struct model_op *op)
{
    int64_t width = 0;
    for (int i = 0; i < count_inputs(op); i++)
        width += graph->op[op->input[i]].n;
    switch (op->kind) {
    case MODEL_OP_LINEAR:
    case MODEL_OP_CHOOSE:
        return width == op->k;
    case MODEL_OP_EXPERTS:
    case MODEL_OP_COMBINE:
        return fits_experts(graph, op);
    case MODEL_OP_SCALE:
        return count_inputs(op) == 2 && graph->op[op->input[0]].n == op->n && width == op->n + 1;
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
    return (unsigned)op->kind <= MODEL_OP_COMBINE &&
           (unsigned)op->linear <= MODEL_LINEAR_SHARED_GATE;
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
