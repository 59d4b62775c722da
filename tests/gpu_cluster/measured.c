/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernel times against public measurements: the median error stays where docs/gpu_model.md says it
 * is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cluster_fixture.h"
#include "test.h"

enum { COLUMNS = 16, LINE = 512 };

/* A row of a CSV file by the names of its columns. */
struct table {
    FILE *file;
    char head[LINE], line[LINE];
    char *name[COLUMNS], *value[COLUMNS];
    int columns;
};

static int split(char *line, char *field[COLUMNS])
{
    int count = 0;
    for (char *at = strtok(line, ",\r\n"); at && count < COLUMNS; at = strtok(NULL, ",\r\n"))
        field[count++] = at;
    return count;
}

static struct table *open_table(const char *path)
{
    struct table *table = base_alloc(1, sizeof *table);
    char *full = test_data_path(path);
    table->file = fopen(full, "r");
    free(full);
    if (table->file && fgets(table->head, LINE, table->file))
        table->columns = split(table->head, table->name);
    return table;
}

static bool next_row(struct table *table)
{
    return fgets(table->line, LINE, table->file) && split(table->line, table->value) > 0;
}

static const char *text(const struct table *table, const char *name)
{
    for (int i = 0; i < table->columns; i++)
        if (strcmp(table->name[i], name) == 0)
            return table->value[i];
    return "";
}

static int64_t whole(const struct table *table, const char *name)
{
    return atoll(text(table, name));
}

static void close_table(struct table *table)
{
    fclose(table->file);
    base_free(table);
}

struct errors {
    double *error;
    size_t count, capacity;
};

static void add(struct errors *errors, const struct table *table, const struct gpu_kernel *kernel)
{
    struct gpu_chip chip = fixture_job().chip;
    double measured_ps = atof(text(table, "latency")) * 1e9;
    double ps = (double)gpu_kernel_ps(&chip, kernel, chip.sms);
    errors->error = base_grow(errors->error, &errors->capacity, errors->count + 1, sizeof(double));
    errors->error[errors->count++] = fabs(ps - measured_ps) / measured_ps;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check(struct errors *errors, const char *what, size_t least_rows, double limit)
{
    CU_ASSERT_TRUE_FATAL(errors->count >= least_rows);
    qsort(errors->error, errors->count, sizeof(double), compare);
    double median = errors->error[errors->count / 2];
    printf("  %s: %zu rows, error median %.1f %%, p90 %.1f %%\n", what, errors->count, 100 * median,
           100 * errors->error[errors->count * 9 / 10]);
    CU_ASSERT_TRUE(median <= limit);
    base_free(errors->error);
}

static void bf16_products_on_an_h100(void)
{
    struct table *table = open_table("measured/gemm/h100_sxm__vllm-0.24.0.csv");
    struct gpu_chip chip = fixture_job().chip;
    struct errors errors = {0};
    while (next_row(table)) {
        if (strcmp(text(table, "gemm_dtype"), "bfloat16") == 0) {
            struct gpu_kernel kernel =
                gpu_kernel_gemm(&chip, whole(table, "m"), whole(table, "n"), whole(table, "k"), 2);
            add(&errors, table, &kernel);
        }
    }
    close_table(table);
    check(&errors, "gemm bf16", 3000, 0.10);
}

static void attention_row(const struct table *table, bool prefill, struct errors *errors)
{
    struct gpu_chip chip = fixture_job().chip;
    int64_t keys = prefill ? whole(table, "isl") : whole(table, "step") + 1;
    struct gpu_attention shape = {.sequences = whole(table, "batch_size"),
                                  .queries = prefill ? keys : 1,
                                  .keys = keys,
                                  .heads = whole(table, "num_heads"),
                                  .kv_heads = whole(table, "num_key_value_heads"),
                                  .head_dim = whole(table, "head_dim"),
                                  .kv_bytes = 2};
    struct gpu_kernel kernel = gpu_kernel_attention(&chip, &shape);
    bool plain = strcmp(text(table, "kv_cache_dtype"), "bfloat16") == 0;
    if (plain && whole(table, "window_size") == 0)
        add(errors, table, &kernel);
}

static void attention(const char *path, bool prefill, const char *what, double limit)
{
    struct table *table = open_table(path);
    struct errors errors = {0};
    while (next_row(table))
        attention_row(table, prefill, &errors);
    close_table(table);
    check(&errors, what, 1000, limit);
}

static void attention_on_an_h100(void)
{
    attention("measured/attention/h100_sxm__vllm-0.24.0__generation.csv", false, "decode attention",
              0.15);
    attention("measured/attention/h100_sxm__vllm-0.24.0__context.csv", true, "prefill attention",
              0.16);
}

TEST_MAIN("measured kernels", TEST(bf16_products_on_an_h100), TEST(attention_on_an_h100))
