/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of products y[m, n] = x[m, k] W[k, n]: m, n, k and a time in milliseconds. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gpu_cluster/kernel.h"
#include "kinds.h"

static const struct {
    const char *name;
    enum gpu_number number;
} dtypes[] = {{"", GPU_NUMBER_BF16},
              {"bfloat16", GPU_NUMBER_BF16},
              {"float16", GPU_NUMBER_BF16},
              {"fp8", GPU_NUMBER_FP8},
              {"fp8_block", GPU_NUMBER_FP8_BLOCK}};

static const char *size_of(int64_t m)
{
    return m <= 16     ? "m up to 16"
           : m <= 128  ? "m 17 to 128"
           : m <= 1024 ? "m 129 to 1024"
                       : "m over 1024";
}

/* The library is the second part of the file's name: GPU__vllm-0.24.0.csv. */
static bool is_of(const struct row *row, const char *library)
{
    const char *name = strstr(row->table->path, "__");
    return name && strncmp(name + 2, library, strlen(library)) == 0;
}

/* Block-scaled products are not captured in a graph in these tables: the host issues op by op, and
 * the call takes what it takes the host where kernels are shorter. In ops of the eager mode, read
 * off all rows of an H100: few rows, rows that scales need no padding for, others, and shapes that
 * the library refuses and a slower one takes. */
static double host_ops(int64_t m, int64_t n, int64_t k)
{
    if (n % 64 != 0 || k % 128 != 0)
        return 8.8;
    return m < 32 ? 2.95 : m % 4 == 0 ? 4.15 : 4.65;
}

/* vLLM scales by the largest number of every call, others by one that was found before. */
static double call_s(const struct row *row, int64_t m, int64_t n, int64_t k, enum gpu_number number)
{
    const struct gpu_chip *chip = row->chip;
    struct gpu_linear linear = gpu_kernel_linear(chip, m, n, k, number);
    bool vllm = is_of(row, "vllm");
    double ps = 0, host_ps = vllm ? host_ops(m, n, k) * (double)chip->eager_gap_ps : 0;
    for (int32_t i = number == GPU_NUMBER_FP8 && !vllm ? 1 : 0; i < linear.count; i++)
        ps += (double)gpu_kernel_ps(chip, &linear.kernel[i], chip->sms);
    return (number == GPU_NUMBER_FP8_BLOCK && ps < host_ps ? host_ps : ps) / 1e12;
}

static const char *predict(const struct row *row, struct points *points)
{
    const char *dtype = row_text(row, "gemm_dtype");
    int64_t m = row_whole(row, "m", 0), n = row_whole(row, "n", 0), k = row_whole(row, "k", 0);
    size_t d = 0;
    while (d < sizeof dtypes / sizeof *dtypes && strcmp(dtypes[d].name, dtype) != 0)
        d++;
    if (d == sizeof dtypes / sizeof *dtypes)
        return "no model of this gemm_dtype";
    char group[64];
    snprintf(group, sizeof group, "%s, %s", *dtype ? dtype : "bfloat16", size_of(m));
    points_add(points, group, row_real(row, "latency", 0) / 1e3,
               call_s(row, m, n, k, dtypes[d].number));
    return NULL;
}

const struct kind kind_gemm = {
    .name = "gemm",
    .needs = (const char *const[]){"m", "n", "k", "latency", NULL},
    .without = (const char *const[]){"num_experts", "num_heads", NULL},
    .sizes = (const char *const[]){"m", "n", "k", NULL},
    .measured = (const char *const[]){"latency", NULL},
    .predict = predict,
};
