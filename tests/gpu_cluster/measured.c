/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernel times against public measurements: the median error stays where docs/gpu_model.md says it
 * is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cluster_fixture.h"
#include "gpu_cluster/routing.h"
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

static void add_time(struct errors *errors, const struct table *table, double ps)
{
    double measured_ps = atof(text(table, "latency")) * 1e9;
    errors->error = base_grow(errors->error, &errors->capacity, errors->count + 1, sizeof(double));
    errors->error[errors->count++] = fabs(ps - measured_ps) / measured_ps;
}

static void add(struct errors *errors, const struct table *table, const struct gpu_kernel *kernel)
{
    struct gpu_chip chip = fixture_job().chip;
    add_time(errors, table, (double)gpu_kernel_ps(&chip, kernel, chip.sms));
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

static void attention_row(const struct table *table, bool prefill, bool windowed,
                          struct errors *errors)
{
    struct gpu_chip chip = fixture_job().chip;
    int64_t keys = prefill ? whole(table, "isl") : whole(table, "step") + 1;
    struct gpu_attention shape = {.sequences = whole(table, "batch_size"),
                                  .queries = prefill ? keys : 1,
                                  .keys = keys,
                                  .window = whole(table, "window_size"),
                                  .heads = whole(table, "num_heads"),
                                  .kv_heads = whole(table, "num_key_value_heads"),
                                  .head_dim = whole(table, "head_dim"),
                                  .kv_bytes = 2};
    struct gpu_kernel kernel = gpu_kernel_attention(&chip, &shape);
    bool plain = strcmp(text(table, "kv_cache_dtype"), "bfloat16") == 0;
    if (plain && windowed == (shape.window > 0))
        add(errors, table, &kernel);
}

static void attention(const char *path, bool prefill, bool windowed, const char *what, double limit)
{
    struct table *table = open_table(path);
    struct errors errors = {0};
    while (next_row(table))
        attention_row(table, prefill, windowed, &errors);
    close_table(table);
    check(&errors, what, 1000, limit);
}

static void attention_on_an_h100(void)
{
    static const char decode[] = "measured/attention/h100_sxm__vllm-0.24.0__generation.csv";
    static const char prefill[] = "measured/attention/h100_sxm__vllm-0.24.0__context.csv";
    attention(decode, false, false, "decode attention", 0.15);
    attention(prefill, true, false, "prefill attention", 0.16);
    attention(decode, false, true, "decode attention, window", 0.15);
    attention(prefill, true, true, "prefill attention, window", 0.26);
}

/* As configs/gpus/a100-sxm.cfg: the table of experts is of an A100. */
static struct gpu_chip a100(void)
{
    return (struct gpu_chip){.sms = 108,
                             .fp16_flops = 312e12,
                             .tensor_efficiency = 0.93,
                             .hbm_bytes_per_s = 2.039e12,
                             .hbm_efficiency = 0.68,
                             .l2_bytes_per_s = 3.4e12,
                             .sm_bytes_per_s = 44e9,
                             .kernel_floor_ps = 1950000,
                             .block_latency_ps = 1100000};
}

/* Products of the experts and the three streams beside them, which the table measures as one. */
static double experts_ps(const struct gpu_experts *shape, int64_t width, int64_t hidden)
{
    struct gpu_chip chip = a100();
    int32_t *rows = base_alloc((size_t)shape->experts, sizeof *rows);
    gpu_routing_draw(shape, 1, 0, 0, rows);
    double tokens = (double)shape->rows, chosen = (double)shape->chosen;
    struct gpu_kernel kernel[] = {
        gpu_kernel_grouped(&chip, rows, shape->experts, 2 * width, hidden, 2),
        gpu_kernel_grouped(&chip, rows, shape->experts, hidden, width, 2),
        gpu_kernel_stream(&chip, 6 * tokens * chosen * (double)width),
        gpu_kernel_stream(&chip, 2 * tokens * (chosen + 1) * (double)hidden),
        gpu_kernel_stream(&chip, 4 * tokens * (chosen + (double)shape->experts)),
    };
    double ps = 0;
    for (size_t i = 0; i < sizeof kernel / sizeof kernel[0]; i++)
        ps += (double)gpu_kernel_ps(&chip, &kernel[i], chip.sms);
    base_free(rows);
    return ps;
}

/* Rows with every expert on the GPU and the milder of the two skewed choices. */
static void experts_on_an_a100(void)
{
    struct table *table = open_table("measured/moe/a100_sxm__vllm-0.14.0.csv");
    struct errors few = {0}, many = {0};
    while (next_row(table)) {
        struct gpu_experts shape = {.rows = whole(table, "num_tokens"),
                                    .experts = whole(table, "num_experts"),
                                    .chosen = whole(table, "topk")};
        int64_t parts = whole(table, "moe_tp_size");
        int64_t width = (whole(table, "inter_size") + parts - 1) / parts;
        bool is_taken = whole(table, "moe_ep_size") == 1 &&
                        strcmp(text(table, "distribution"), "power_law_1.01") == 0;
        if (is_taken)
            add_time(shape.rows <= 256 ? &few : &many, table,
                     experts_ps(&shape, width, whole(table, "hidden_size")));
    }
    close_table(table);
    check(&few, "experts, A100, up to 256 tokens", 600, 0.25);
    check(&many, "experts, A100, more tokens", 600, 0.50);
}

TEST_MAIN("measured kernels", TEST(experts_on_an_a100), TEST(bf16_products_on_an_h100),
          TEST(attention_on_an_h100))
