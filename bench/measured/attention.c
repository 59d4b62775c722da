/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of attention calls: prefill of isl positions, or one token at KV length `step`; times in
 * milliseconds. */
#include <stdio.h>
#include <string.h>

#include "gpu_cluster/kernel.h"
#include "kinds.h"

enum { MOST_HEAD_DIM = 1024 };

static const char *kv_type(const struct row *row)
{
    const char *type = row_text(row, "kv_cache_dtype");
    return *type ? type : "bfloat16";
}

static struct gpu_attention shape_of(const struct row *row, int64_t queries, int64_t keys)
{
    return (struct gpu_attention){
        .sequences = row_whole(row, "batch_size", 1),
        .queries = queries,
        .keys = keys,
        .window = row_whole(row, "window_size", 0),
        .heads = row_whole(row, "num_heads", 1),
        .kv_heads = row_whole(row, "num_key_value_heads", 1),
        .head_dim = row_whole(row, "head_dim", 128),
        .kv_bytes = strncmp(kv_type(row), "fp8", 3) == 0 ? 1 : 2,
    };
}

/* A call writes keys and values of the new tokens to the cache, and attends. */
static double call_s(const struct gpu_chip *chip, const struct gpu_attention *shape)
{
    struct gpu_kernel write =
        gpu_kernel_kv_write(chip, shape->sequences * shape->queries,
                            shape->kv_heads * shape->head_dim, shape->kv_bytes);
    struct gpu_kernel attend = gpu_kernel_attention(chip, shape);
    return (double)(gpu_kernel_ps(chip, &write, chip->sms) +
                    gpu_kernel_ps(chip, &attend, chip->sms)) /
           1e12;
}

/* NULL, or why no kernel takes the shape. */
static const char *shape_refuse(const struct gpu_attention *shape)
{
    double rows = (double)shape->sequences * (double)shape->queries * (double)shape->heads;
    if (shape->heads % shape->kv_heads != 0)
        return "query heads that are no multiple of KV heads";
    if (shape->head_dim > MOST_HEAD_DIM)
        return "a head_dim above 1024";
    if (rows > KIND_MOST || shape->keys < shape->queries || shape->keys > KIND_MOST)
        return "more query rows or keys than a call has";
    return shape->window < 0 ? "a window below 0" : NULL;
}

static const char *point_add(const struct row *row, const struct gpu_attention *shape,
                             const char *size, struct points *points)
{
    if (strncmp(kv_type(row), "fp8", 3) && strstr(kv_type(row), "float16") == NULL)
        return "no model of this kv_cache_dtype";
    const char *why = shape_refuse(shape);
    if (why)
        return why;
    char group[64];
    snprintf(group, sizeof group, "%s, %s%s", kv_type(row), size,
             shape->window > 0 ? ", window" : "");
    points_add(points, group, row_real(row, "latency", 0) / 1e3, call_s(row->chip, shape));
    return NULL;
}

static const char *prefill(const struct row *row, struct points *points)
{
    int64_t isl = row_whole(row, "isl", 1);
    struct gpu_attention shape = shape_of(row, isl, isl);
    const char *size = isl <= 256    ? "isl up to 256"
                       : isl <= 2048 ? "isl 257 to 2048"
                                     : "isl over 2048";
    return point_add(row, &shape, size, points);
}

static const char *decode(const struct row *row, struct points *points)
{
    int64_t step = row_whole(row, "step", 0);
    struct gpu_attention shape = shape_of(row, 1, step + 1);
    const char *size = step < 1024    ? "kv up to 1024"
                       : step < 16384 ? "kv 1025 to 16384"
                                      : "kv over 16384";
    return point_add(row, &shape, size, points);
}

static const char *const measured[] = {"latency", NULL};

const struct kind kind_attention_prefill = {
    .name = "attention prefill",
    .needs = (const char *const[]){"batch_size", "isl", "num_heads", "num_key_value_heads",
                                   "latency", NULL},
    .without = (const char *const[]){"step", NULL},
    .sizes = (const char *const[]){"batch_size", "isl", "num_heads", "num_key_value_heads",
                                   "head_dim", NULL},
    .measured = measured,
    .predict = prefill,
};

const struct kind kind_attention_decode = {
    .name = "attention decode",
    .needs = (const char *const[]){"batch_size", "step", "num_heads", "num_key_value_heads",
                                   "latency", NULL},
    .without = (const char *const[]){"isl", NULL},
    .sizes =
        (const char *const[]){"batch_size", "num_heads", "num_key_value_heads", "head_dim", NULL},
    .measured = measured,
    .predict = decode,
};
