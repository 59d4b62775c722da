/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of a layer's kernels but attention, as a profiler saw them: milliseconds by tokens and
 * tensor parallelism. The GPU is the part of the file's name behind the first "_". Norms, RoPE and
 * activation are of an older engine, whose threads take one number at a time. */
#include <stdio.h>
#include <string.h>

#include "gpu_cluster/kernel.h"
#include "kinds.h"

static const char *gpu(const struct row *row)
{
    static char name[64];
    const char *at = strchr(row->table->gpu, '_');
    snprintf(name, sizeof name, "%.*s_sxm", at ? (int)strcspn(at + 1, "_") : 0, at ? at + 1 : "");
    return at ? name : NULL;
}

/* Of one GPU. */
struct layer {
    int64_t tokens, hidden, heads, kv_heads, head_dim, width;
};

static struct layer layer_of(const struct row *row)
{
    int64_t parts = row_whole(row, "num_tensor_parallel_workers", 1);
    int64_t heads = row_whole(row, "n_head", 1), kv_heads = row_whole(row, "n_kv_head", 1);
    struct layer layer = {.tokens = row_whole(row, "num_tokens", 1),
                          .hidden = row_whole(row, "n_embd", 1),
                          .heads = heads / parts,
                          .kv_heads = kv_heads > parts ? kv_heads / parts : 1,
                          .width = row_whole(row, "n_expanded_embd", 1) / parts};
    layer.head_dim = layer.hidden / heads;
    return layer;
}

static struct gpu_kernel norm(const struct gpu_chip *chip, const struct layer *l)
{
    struct gpu_row_work rows = {l->tokens, l->hidden, 2, 2, 2, 1024, 2, 1};
    return gpu_kernel_rows(chip, &rows);
}

/* Pairs of numbers, in place; a sine and a cosine each. */
static struct gpu_kernel rope(const struct gpu_chip *chip, const struct layer *l)
{
    int64_t pairs = (l->heads + l->kv_heads) * l->head_dim / 2;
    struct gpu_row_work rows = {l->tokens, pairs, 1, 8, 4, pairs < 512 ? (int32_t)pairs : 512,
                                2,         1};
    return gpu_kernel_rows(chip, &rows);
}

static struct gpu_kernel activate(const struct gpu_chip *chip, const struct layer *l)
{
    struct gpu_row_work rows = {l->tokens, l->width, 1, 4, 2, 1024, 1, 1};
    return gpu_kernel_rows(chip, &rows);
}

static struct gpu_kernel add(const struct gpu_chip *chip, const struct layer *l)
{
    return gpu_kernel_stream(chip, 6.0 * (double)(l->tokens * l->hidden));
}

static struct gpu_kernel product(const struct gpu_chip *chip, const struct layer *l, int64_t n,
                                 int64_t k)
{
    return gpu_kernel_gemm(chip, l->tokens, n, k, GPU_NUMBER_BF16);
}

static struct gpu_kernel qkv(const struct gpu_chip *chip, const struct layer *l)
{
    return product(chip, l, (l->heads + 2 * l->kv_heads) * l->head_dim, l->hidden);
}

static struct gpu_kernel o(const struct gpu_chip *chip, const struct layer *l)
{
    return product(chip, l, l->hidden, l->heads * l->head_dim);
}

static struct gpu_kernel up(const struct gpu_chip *chip, const struct layer *l)
{
    return product(chip, l, 2 * l->width, l->hidden);
}

static struct gpu_kernel down(const struct gpu_chip *chip, const struct layer *l)
{
    return product(chip, l, l->hidden, l->width);
}

static const struct {
    const char *column, *group;
    struct gpu_kernel (*kernel)(const struct gpu_chip *chip, const struct layer *l);
} ops[] = {
    {"time_stats.input_layernorm.median", "norm", norm},
    {"time_stats.post_attention_layernorm.median", "norm", norm},
    {"time_stats.attn_rope.median", "RoPE", rope},
    {"time_stats.mlp_act.median", "activation", activate},
    {"time_stats.add.median", "residual add", add},
    {"time_stats.attn_pre_proj.median", "products", qkv},
    {"time_stats.attn_post_proj.median", "products", o},
    {"time_stats.mlp_up_proj.median", "products", up},
    {"time_stats.mlp_down_proj.median", "products", down},
};

/* A profiler does not see what a kernel costs from launch to launch. */
static const char *predict(const struct row *row, struct points *points)
{
    struct layer layer = layer_of(row);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        struct gpu_kernel kernel = ops[i].kernel(row->chip, &layer);
        int64_t ps = gpu_kernel_ps(row->chip, &kernel, row->chip->sms) - kernel.floor_ps;
        points_add(points, ops[i].group, row_real(row, ops[i].column, 0) / 1e3, (double)ps / 1e12);
    }
    return NULL;
}

/* Nothing is fitted to these tables. */
static bool is_for_fit(const struct row *row)
{
    (void)row;
    return false;
}

const struct kind kind_mlp = {
    .name = "layer",
    .needs = (const char *const[]){"time_stats.input_layernorm.median", "time_stats.mlp_act.median",
                                   "n_head", "n_kv_head", "n_embd", "n_expanded_embd", "num_tokens",
                                   "num_tensor_parallel_workers", NULL},
    .without = (const char *const[]){NULL},
    .measured = (const char *const[]){NULL},
    .gpu = gpu,
    .is_for_fit = is_for_fit,
    .predict = predict,
};
