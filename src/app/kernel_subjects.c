/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be asked of a GPU, each from its numbers to its launches. */
#include "app/kernel.h"

#include "base/memory.h"

/* The rest of the launches of a product: what turns x into 8 bits. */
static const char *const before[] = {"largest number of x", "x to 8 bits"};

/* Of numbers that are 16 bits wide; narrower ones come from such. */
static double wide(double elements)
{
    return 2 * elements;
}

static double gemm_bytes(const struct app_kernel_question *q)
{
    double m = (double)q->number[0], n = (double)q->number[1], k = (double)q->number[2];
    return wide(m * k + k * n + m * n);
}

static double attention_bytes(const struct app_kernel_question *q)
{
    double sequences = (double)q->number[0], width = (double)q->number[5];
    double heads = (double)q->number[1] * (double)q->number[3];
    double cached = (double)q->number[2] * (double)q->number[4];
    return wide(sequences * width * (2 * heads + cached * q->kv_bytes));
}

static double moe_bytes(const struct app_kernel_question *q)
{
    double tokens = (double)q->number[0], hidden = (double)q->number[1];
    double width = (double)q->number[2], weights = 3 * (double)q->number[3] * hidden * width;
    return wide(weights + tokens * (2 * hidden + 3 * width * (double)q->number[4]));
}

/* A row in, a row out. */
static double rows_bytes(const struct app_kernel_question *q)
{
    return wide(2 * (double)q->number[0] * (double)q->number[1]);
}

static double stream_bytes(const struct app_kernel_question *q)
{
    return (double)q->number[0];
}

static int32_t gemm_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                         struct app_kernel_launch *launch, struct base_report *report)
{
    (void)report;
    int64_t m = q->number[0], n = q->number[1], k = q->number[2];
    struct gpu_linear linear = gpu_kernel_linear(chip, m, n, k, q->type);
    for (int32_t i = 0; i < linear.count; i++) {
        bool last = i == linear.count - 1;
        launch[i] = (struct app_kernel_launch){
            .name = last ? "product" : before[2 - (linear.count - 1) + i],
            .kernel = linear.kernel[i],
            .flops = last ? 2.0 * (double)m * (double)n * (double)k : 0};
    }
    return linear.count;
}

static struct gpu_attention attention_of(const struct app_kernel_question *q)
{
    const int64_t *number = q->number;
    return (struct gpu_attention){.sequences = number[0],
                                  .queries = number[1],
                                  .keys = number[2],
                                  .heads = number[3],
                                  .kv_heads = number[4],
                                  .head_dim = number[5],
                                  .window = number[6],
                                  .kv_bytes = q->kv_bytes};
}

static int32_t attention_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                              struct app_kernel_launch *launch, struct base_report *report)
{
    struct gpu_attention shape = attention_of(q);
    if (shape.heads % shape.kv_heads != 0)
        base_report_add(report, NULL, 0,
                        "--attention: %lld heads over %lld kv_heads: a multiple of kv_heads is "
                        "wanted",
                        (long long)shape.heads, (long long)shape.kv_heads);
    if (shape.queries > shape.keys)
        base_report_add(report, NULL, 0,
                        "--attention: %lld queries over %lld keys: keys count all positions, those "
                        "of the queries included",
                        (long long)shape.queries, (long long)shape.keys);
    if (!base_report_is_clean(report))
        return 0;
    double seen = (double)shape.keys - (double)(shape.queries - 1) / 2;
    double most = shape.window > 0 ? (double)shape.window : seen;
    double pairs =
        (double)(shape.sequences * shape.heads * shape.queries) * (seen < most ? seen : most);
    launch[0] = (struct app_kernel_launch){"attention", gpu_kernel_attention(chip, &shape),
                                           4.0 * pairs * (double)shape.head_dim};
    return 1;
}

/* Rows of experts where all are as likely. */
static int32_t *rows_evenly(const struct gpu_experts *shape)
{
    int32_t *rows = base_alloc((size_t)shape->experts, sizeof *rows);
    for (int64_t e = 0; e < shape->experts; e++)
        rows[e] = (int32_t)((shape->rows * shape->chosen + e) / shape->experts);
    return rows;
}

static int32_t moe_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                        struct app_kernel_launch *launch, struct base_report *report)
{
    int64_t tokens = q->number[0], hidden = q->number[1], width = q->number[2];
    struct gpu_experts up = {.rows = tokens,
                             .experts = q->number[3],
                             .chosen = q->number[4],
                             .n = 2 * width,
                             .k = hidden,
                             .width = width};
    struct gpu_experts down = up;
    down.n = hidden, down.k = width;
    if (up.chosen > up.experts) {
        base_report_add(report, NULL, 0, "--moe: topk %lld of %lld experts: at most all of them",
                        (long long)up.chosen, (long long)up.experts);
        return 0;
    }
    int32_t *rows = rows_evenly(&up);
    double choices = (double)(tokens * up.chosen);
    launch[0] = (struct app_kernel_launch){"experts, gate and up",
                                           gpu_kernel_grouped(chip, &up, rows, q->type),
                                           4.0 * choices * (double)(width * hidden)};
    launch[1] = (struct app_kernel_launch){
        "activation", gpu_kernel_stream(chip, 6.0 * choices * (double)width), 0};
    launch[2] =
        (struct app_kernel_launch){"experts, down", gpu_kernel_grouped(chip, &down, rows, q->type),
                                   2.0 * choices * (double)(width * hidden)};
    launch[3] = (struct app_kernel_launch){
        "sum", gpu_kernel_stream(chip, 2.0 * (choices + (double)tokens) * (double)hidden), 0};
    base_free(rows);
    return 4;
}

static int32_t stream_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                           struct app_kernel_launch *launch, struct base_report *report)
{
    (void)report;
    launch[0] =
        (struct app_kernel_launch){"stream", gpu_kernel_stream(chip, (double)q->number[0]), 0};
    return 1;
}

static int32_t norm_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                         struct app_kernel_launch *launch, struct base_report *report)
{
    (void)report;
    launch[0] =
        (struct app_kernel_launch){"norm", gpu_kernel_norm(chip, q->number[0], q->number[1]), 0};
    return 1;
}

static int32_t rope_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                         struct app_kernel_launch *launch, struct base_report *report)
{
    (void)report;
    launch[0] =
        (struct app_kernel_launch){"RoPE", gpu_kernel_rope(chip, q->number[0], q->number[1]), 0};
    return 1;
}

static int32_t activation_plan(const struct gpu_chip *chip, const struct app_kernel_question *q,
                               struct app_kernel_launch *launch, struct base_report *report)
{
    (void)report;
    launch[0] = (struct app_kernel_launch){
        "activation", gpu_kernel_activate(chip, q->number[0], q->number[1]), 0};
    return 1;
}

const struct app_kernel_subject app_kernel_subjects[] = {
    {"gemm",
     {"m", "n", "k", NULL},
     {-1, -1, -1},
     "y[m, n] = x[m, k] W[k, n]: a linear layer for m tokens",
     gemm_bytes,
     gemm_plan},
    {"attention",
     {"batch", "queries", "keys", "heads", "kv_heads", "head_dim", "window", NULL},
     {-1, -1, -1, -1, -1, 128, 0},
     "decode: queries 1; prefill: queries = keys",
     attention_bytes,
     attention_plan},
    {"moe",
     {"tokens", "hidden", "width", "experts", "topk", NULL},
     {-1, -1, -1, -1, -1},
     "a mixture's layer, experts chosen evenly",
     moe_bytes,
     moe_plan},
    {"norm",
     {"tokens", "hidden", NULL},
     {-1, -1},
     "RMS norm of hidden states, the residual added",
     rows_bytes,
     norm_plan},
    {"rope",
     {"tokens", "width", NULL},
     {-1, -1},
     "RoPE and the writing of keys and values; width: q, k and v together",
     rows_bytes,
     rope_plan},
    {"activation",
     {"tokens", "width", NULL},
     {-1, -1},
     "silu(gate) times up",
     rows_bytes,
     activation_plan},
    {"stream",
     {"bytes", NULL},
     {-1},
     "copies, sums, sampling: bytes read and written",
     stream_bytes,
     stream_plan},
    {NULL, {NULL}, {0}, NULL, NULL, NULL},
};
