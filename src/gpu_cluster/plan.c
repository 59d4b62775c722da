/* SPDX-License-Identifier: BSD-3-Clause */
/* From the ops of the model's graph to launches of one GPU: split, and fused as engines do. */
#include "gpu_cluster/plan.h"

#include "base/memory.h"
#include "model/graph.h"

/* What the walk over a graph knows. */
struct walk {
    const struct gpu_job *job;
    const struct gpu_batch *batch;
    const struct model_graph *graph;
    struct gpu_plan_step *step;
    int32_t tensor, stage, stages;
};

static int64_t shard(int64_t whole, int32_t parts)
{
    return (whole + parts - 1) / parts;
}

void gpu_plan_append(struct gpu_plan_step *step, struct gpu_plan_op op)
{
    size_t capacity = (size_t)step->capacity;
    step->op = base_grow(step->op, &capacity, (size_t)step->count + 1, sizeof *step->op);
    step->capacity = (int32_t)capacity;
    step->op[step->count++] = op;
}

static void append_kernel(struct walk *walk, enum gpu_op op, int32_t layer,
                          struct gpu_kernel kernel)
{
    struct gpu_plan_op entry = {
        .action = GPU_ACTION_KERNEL, .op = op, .layer = layer, .kernel = kernel};
    gpu_plan_append(walk->step, entry);
}

static void append_stream(struct walk *walk, enum gpu_op op, int32_t layer, int64_t elements)
{
    const int64_t activation_bytes = 2;
    double bytes = (double)(elements * activation_bytes);
    append_kernel(walk, op, layer, gpu_kernel_stream(&walk->job->chip, bytes));
}

enum gpu_number gpu_plan_number(const struct gpu_job *job)
{
    if (job->cluster.weight_bytes != 1) {
        return GPU_NUMBER_BF16;
    }
    return job->cluster.weight_blocks ? GPU_NUMBER_FP8_BLOCK : GPU_NUMBER_FP8;
}

/* The product, and before it what makes its input 8 bits wide. */
static void append_product(struct walk *walk, enum gpu_op op, const struct model_op *from,
                           int64_t n, int64_t k, enum gpu_number number)
{
    struct gpu_linear linear = gpu_kernel_linear(&walk->job->chip, from->rows, n, k, number);
    for (int32_t i = 0; i < linear.count; i++)
        append_kernel(walk, i == linear.count - 1 ? op : GPU_OP_QUANTIZE, from->layer,
                      linear.kernel[i]);
}

static void append_gemm(struct walk *walk, enum gpu_op op, const struct model_op *from, int64_t n,
                        int64_t k)
{
    append_product(walk, op, from, n, k, gpu_plan_number(walk->job));
}

/* What quantised checkpoints leave in 16 bits: head, router. */
static void append_wide(struct walk *walk, enum gpu_op op, const struct model_op *from, int64_t n,
                        int64_t k)
{
    append_product(walk, op, from, n, k, GPU_NUMBER_BF16);
}

static void append_collective(struct walk *walk, enum gpu_op op, int32_t layer, int64_t bytes)
{
    if (walk->tensor == 1) {
        return;
    }
    const struct gpu_cluster_spec *spec = &walk->job->cluster;
    struct gpu_call_wish wish = gpu_call_wish_of(spec);
    struct gpu_plan_op entry = {.action = GPU_ACTION_COLLECTIVE, .op = op, .layer = layer};
    entry.call = gpu_call_make(&walk->job->chip, spec, &wish, op, walk->stage * walk->tensor,
                               walk->tensor, bytes);
    gpu_plan_append(walk->step, entry);
}

static void append_transfer(struct walk *walk, enum gpu_op op, enum gpu_channel channel,
                            int64_t bytes)
{
    enum gpu_action action = op == GPU_OP_SEND ? GPU_ACTION_SEND : GPU_ACTION_RECEIVE;
    struct gpu_plan_op entry = {.action = action,
                                .op = op,
                                .layer = -1,
                                .bytes = bytes > 0 ? bytes : 1,
                                .channel = channel};
    struct gpu_call_wish wish = {.protocol = GPU_PROTOCOL_SIMPLE};
    entry.call =
        gpu_call_make(&walk->job->chip, &walk->job->cluster, &wish, GPU_OP_SEND, 0, 2, entry.bytes);
    gpu_plan_append(walk->step, entry);
}

/* Width of q, k and v on one GPU; KV heads that do not divide are kept by several GPUs. */
static int64_t local_kv_heads(const struct walk *walk)
{
    return shard(walk->job->model.kv_heads, walk->tensor);
}

static int64_t local_qkv(const struct walk *walk)
{
    int64_t heads = shard(walk->job->model.heads, walk->tensor) + 2 * local_kv_heads(walk);
    return heads * walk->job->model.head_dim;
}

static void emit_linear(struct walk *walk, const struct model_op *op)
{
    int64_t reduced = op->rows * op->n * 2;
    switch (op->linear) {
    case MODEL_LINEAR_Q: /* q, k and v as one */
        append_gemm(walk, GPU_OP_QKV, op, local_qkv(walk), op->k);
        break;
    case MODEL_LINEAR_O:
        append_gemm(walk, GPU_OP_O, op, op->n, shard(op->k, walk->tensor));
        append_collective(walk, GPU_OP_ALL_REDUCE, op->layer, reduced);
        break;
    case MODEL_LINEAR_GATE: /* gate and up as one */
        append_gemm(walk, GPU_OP_GATE_UP, op, 2 * shard(op->n, walk->tensor), op->k);
        break;
    case MODEL_LINEAR_DOWN:
        append_gemm(walk, GPU_OP_DOWN, op, op->n, shard(op->k, walk->tensor));
        if (walk->job->model.experts == 0) {
            append_collective(walk, GPU_OP_ALL_REDUCE, op->layer, reduced);
        }
        break;
    case MODEL_LINEAR_ROUTER: /* whole on every GPU */
    case MODEL_LINEAR_SHARED_GATE:
        append_wide(walk, GPU_OP_ROUTER, op, op->n, op->k);
        break;
    case MODEL_LINEAR_HEAD:
        append_wide(walk, GPU_OP_HEAD, op, shard(op->n, walk->tensor), op->k);
        append_collective(walk, GPU_OP_ALL_GATHER, op->layer, reduced);
        break;
    case MODEL_LINEAR_K:
    case MODEL_LINEAR_V:
    case MODEL_LINEAR_UP:
    case MODEL_LINEAR_NONE:
        break;
    }
}

/* One call for each group of sequences. */
static void append_attention(struct walk *walk, const struct model_op *op, int32_t number)
{
    const struct model *model = &walk->job->model;
    const struct gpu_group *group = &walk->batch->group[number];
    struct gpu_attention shape = {
        .sequences = group->sequences,
        .queries = group->tokens,
        .keys = group->keys,
        .window = model_window(model, op->layer),
        .heads = shard(model->heads, walk->tensor),
        .kv_heads = local_kv_heads(walk),
        .head_dim = model->head_dim,
        .kv_bytes = walk->job->cluster.kv_bytes,
    };
    struct gpu_plan_op entry = {.action = GPU_ACTION_KERNEL,
                                .op = GPU_OP_ATTENTION,
                                .layer = op->layer,
                                .kernel = gpu_kernel_attention(&walk->job->chip, &shape),
                                .attention = shape,
                                .group = number};
    gpu_plan_append(walk->step, entry);
}

static void append_experts(struct walk *walk, enum gpu_op name, const struct model_op *op,
                           int64_t n, int64_t k)
{
    const struct gpu_job *job = walk->job;
    struct gpu_experts shape = {.rows = op->rows,
                                .experts = job->model.experts,
                                .chosen = op->chosen,
                                .n = n,
                                .k = k,
                                .width = name == GPU_OP_EXPERTS_DOWN ? k : n / 2};
    int32_t *rows = base_alloc((size_t)shape.experts, sizeof *rows);
    for (int64_t i = 0; i < op->rows * op->chosen; i++) {
        rows[i % shape.experts]++;
    }
    struct gpu_plan_op entry = {
        .action = GPU_ACTION_KERNEL,
        .op = name,
        .layer = op->layer,
        .kernel = gpu_kernel_grouped(&job->chip, &shape, rows, gpu_plan_number(job)),
        .experts = shape};
    gpu_plan_append(walk->step, entry);
    base_free(rows);
}

/* Each expert is split as a dense MLP is. */
static void emit_experts(struct walk *walk, const struct model_op *op)
{
    int64_t width = op->n / op->chosen;
    if (op->linear == MODEL_LINEAR_GATE) { /* gate and up as one */
        append_experts(walk, GPU_OP_EXPERTS_GATE_UP, op, 2 * shard(width, walk->tensor), op->k);
    }
    if (op->linear == MODEL_LINEAR_DOWN) {
        append_experts(walk, GPU_OP_EXPERTS_DOWN, op, width, shard(op->k, walk->tensor));
    }
}

/* Sums of experts, and what a shared one adds to them: all GPUs have a part of each row. */
static void emit_combine(struct walk *walk, const struct model_op *op)
{
    bool is_last = op->kind == MODEL_OP_SCALE || walk->job->model.shared_ffn == 0;
    int64_t read = op->kind == MODEL_OP_COMBINE ? op->chosen : 2;
    append_stream(walk, GPU_OP_COMBINE, op->layer, (read + 1) * op->rows * op->n);
    if (is_last) {
        append_collective(walk, GPU_OP_ALL_REDUCE, op->layer, op->rows * op->n * 2);
    }
}

/* Ops whose kernels walk along rows, a launch each. Those that are not here are fused into another:
 * residual adds into norms, KV writes and per-head norms into RoPE. */
static void emit_rows(struct walk *walk, const struct model_op *op)
{
    const struct gpu_chip *chip = &walk->job->chip;
    int64_t hidden = walk->job->model.hidden;
    if (op->kind == MODEL_OP_EMBED)
        append_stream(walk, GPU_OP_EMBED, op->layer, 2 * op->rows * hidden);
    else if (op->kind == MODEL_OP_NORM && op->n == hidden)
        append_kernel(walk, GPU_OP_NORM, op->layer, gpu_kernel_norm(chip, op->rows, hidden));
    else if (op->kind == MODEL_OP_ROPE)
        append_kernel(walk, GPU_OP_ROPE_KV, op->layer,
                      gpu_kernel_rope(chip, op->rows, local_qkv(walk)));
    else if (op->kind == MODEL_OP_ACTIVATE)
        append_kernel(walk, GPU_OP_ACTIVATE, op->layer,
                      gpu_kernel_activate(chip, op->rows, shard(op->n, walk->tensor)));
    else if (op->kind == MODEL_OP_CHOOSE) /* fp32 logits, and what sorts the rows by expert */
        append_stream(walk, GPU_OP_CHOOSE, op->layer, 2 * op->rows * (op->k + op->n));
    else if (op->kind == MODEL_OP_SAMPLE)
        append_stream(walk, GPU_OP_SAMPLE, op->layer, op->rows * walk->job->model.vocabulary);
}

static void emit(struct walk *walk, const struct model_op *op)
{
    switch (op->kind) {
    case MODEL_OP_LINEAR:
        emit_linear(walk, op);
        break;
    case MODEL_OP_ATTENTION:
        for (int32_t i = 0; i < walk->batch->groups; i++)
            append_attention(walk, op, i);
        break;
    case MODEL_OP_EXPERTS:
        emit_experts(walk, op);
        break;
    case MODEL_OP_COMBINE:
    case MODEL_OP_SCALE:
        emit_combine(walk, op);
        break;
    default:
        emit_rows(walk, op);
    }
}

/* The first stages have one layer more where layers do not divide; embedding goes first, head
 * last. */
static int32_t stage_of(const struct walk *walk, const struct model_op *op, bool behind_layers)
{
    if (op->layer < 0) {
        return behind_layers ? walk->stages - 1 : 0;
    }
    int64_t layers = walk->job->model.layers, each = layers / walk->stages,
            more = layers % walk->stages;
    int64_t long_layers = more * (each + 1);
    int64_t stage =
        op->layer < long_layers ? op->layer / (each + 1) : more + (op->layer - long_layers) / each;
    return (int32_t)stage;
}

static void emit_stage(struct walk *walk)
{
    bool behind_layers = false;
    for (size_t i = 0; i < walk->graph->count; i++) {
        const struct model_op *op = &walk->graph->op[i];
        behind_layers = behind_layers || op->layer >= 0;
        if (stage_of(walk, op, behind_layers) == walk->stage) {
            emit(walk, op);
        }
    }
}

/* Hidden states travel in slices, one from each GPU to its counterpart, and are gathered on
 * arrival. */
static void build_step(struct walk *walk, bool gets_token, bool gives_token)
{
    int64_t rows = walk->graph->rows, hidden = rows * walk->job->model.hidden * 2;
    bool first = walk->stage == 0, last = walk->stage == walk->stages - 1;
    if (first && gets_token && walk->stages > 1) {
        append_transfer(walk, GPU_OP_RECEIVE, GPU_CHANNEL_TOKEN, walk->job->bucket.batch * 8);
    }
    if (!first) {
        append_transfer(walk, GPU_OP_RECEIVE, GPU_CHANNEL_HIDDEN, shard(hidden, walk->tensor));
        append_collective(walk, GPU_OP_ALL_GATHER, -1, hidden);
    }
    emit_stage(walk);
    if (!last) {
        append_transfer(walk, GPU_OP_SEND, GPU_CHANNEL_HIDDEN, shard(hidden, walk->tensor));
    } else if (gives_token && walk->stages > 1) {
        append_transfer(walk, GPU_OP_SEND, GPU_CHANNEL_TOKEN, walk->job->bucket.batch * 8);
    }
}

/* Whether a sequence generates a token, which the last stage gave out after the step before. */
static bool needs_tokens(const struct gpu_batch *batch)
{
    for (int32_t i = 0; i < batch->groups; i++) {
        if (!batch->group[i].prompt) {
            return true;
        }
    }
    return false;
}

static void build_shape(struct gpu_plan *plan, const struct gpu_job *job, int32_t shape, bool first)
{
    const struct gpu_batch *batch = &plan->batch[shape];
    struct model_graph graph =
        model_graph_build(&job->model, gpu_batch_tokens(batch), gpu_batch_most_keys(batch),
                          gpu_batch_has_prompt(batch), gpu_batch_samples(batch));
    for (int32_t stage = 0; stage < plan->stages; stage++) {
        struct walk walk = {.job = job,
                            .batch = batch,
                            .graph = &graph,
                            .step = &plan->step[shape * plan->stages + stage],
                            .tensor = plan->tensor,
                            .stage = stage,
                            .stages = plan->stages};
        walk.step->tokens = graph.rows;
        build_step(&walk, needs_tokens(batch) && !first, gpu_batch_samples(batch) > 0);
    }
    model_graph_release(&graph);
}

static int32_t add_shape(struct gpu_plan *plan, const struct gpu_batch *batch)
{
    int32_t shape = plan->shapes++;
    size_t capacity = plan->capacity, more = capacity, stages = (size_t)plan->stages;
    plan->batch = base_grow(plan->batch, &more, (size_t)plan->shapes, sizeof *plan->batch);
    if (more > capacity) {
        capacity *= stages;
        plan->step = base_grow(plan->step, &capacity, more * stages, sizeof *plan->step);
    }
    plan->capacity = more;
    for (int32_t stage = 0; stage < plan->stages; stage++) {
        plan->step[shape * plan->stages + stage] = (struct gpu_plan_step){0};
    }
    plan->batch[shape] = *batch;
    return shape;
}

/* The shape of a step. Over several stages the first step has its own: it awaits no tokens. */
static int32_t shape_of(struct gpu_plan *plan, const struct gpu_job *job, int32_t step)
{
    struct gpu_batch batch = gpu_job_batch(job, step);
    for (int32_t i = plan->stages > 1 ? 1 : 0; i < plan->shapes; i++) {
        if (gpu_batch_is_alike(&plan->batch[i], &batch)) {
            return i;
        }
    }
    int32_t shape = add_shape(plan, &batch);
    build_shape(plan, job, shape, step == 0);
    return shape;
}

struct gpu_plan gpu_plan_build(const struct gpu_job *job)
{
    struct gpu_plan plan = {.stages = job->cluster.pipeline_parallel,
                            .tensor = job->cluster.tensor_parallel,
                            .steps = gpu_job_steps(job)};
    plan.shape = base_alloc((size_t)plan.steps, sizeof *plan.shape);
    for (int32_t step = 0; step < plan.steps; step++) {
        plan.shape[step] = shape_of(&plan, job, step);
    }
    gpu_plan_bound(&plan);
    return plan;
}

struct gpu_plan gpu_plan_by_hand(int32_t stages, int32_t tensor)
{
    struct gpu_plan plan = {.stages = stages, .tensor = tensor, .steps = 1};
    plan.shape = base_alloc(1, sizeof *plan.shape);
    add_shape(&plan, &(struct gpu_batch){0});
    return plan;
}

void gpu_plan_release(struct gpu_plan *plan)
{
    for (int32_t i = 0; i < plan->stages * plan->shapes; i++) {
        base_free(plan->step[i].op);
    }
    base_free(plan->step);
    base_free(plan->batch);
    base_free(plan->shape);
    *plan = (struct gpu_plan){0};
}

/* The end of the step counts as a chunk: the scheduler may call others. */
static void bound_step(struct gpu_plan_step *step)
{
    int64_t quiet = 0;
    for (int32_t i = step->count - 1; i >= 0; i--) {
        struct gpu_plan_op *op = &step->op[i];
        if (op->action == GPU_ACTION_KERNEL) {
            quiet += op->kernel.floor_ps / 2;
        } else if (op->action != GPU_ACTION_RECEIVE) {
            quiet = op->call.cost.base_ps;
        }
        op->quiet_ps = quiet;
    }
}

void gpu_plan_bound(struct gpu_plan *plan)
{
    for (int32_t i = 0; i < plan->stages * plan->shapes; i++) {
        bound_step(&plan->step[i]);
    }
}

const struct gpu_plan_step *gpu_plan_step_of(const struct gpu_plan *plan, int32_t stage,
                                             int32_t step)
{
    return &plan->step[plan->shape[step] * plan->stages + stage];
}
