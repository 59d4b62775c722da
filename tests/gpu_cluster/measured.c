/* SPDX-License-Identifier: BSD-3-Clause */
/* Predictions against public measurements: on held-out rows the median error of each kind of table
 * stays where docs/gpu_model.md says it is. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "evaluate.h"
#include "test.h"

struct limit {
    const char *file, *kind;
    size_t least_rows;
    double median;
};

static const struct limit limits[] = {
    {"measured/gemm/h100_sxm__vllm-0.24.0.csv", "gemm", 5000, 0.065},
    {"measured/gemm/a100_sxm__vllm-0.14.0.csv", "gemm", 4000, 0.075},
    {"measured/attention/h100_sxm__vllm-0.24.0__generation.csv", "attention decode", 3000, 0.06},
    {"measured/attention/h100_sxm__vllm-0.24.0__context.csv", "attention prefill", 2000, 0.075},
    {"measured/attention/a100_sxm__vllm-0.14.0__generation.csv", "attention decode", 2000, 0.06},
    {"measured/attention/a100_sxm__vllm-0.14.0__context.csv", "attention prefill", 2000, 0.05},
    {"measured/variability/vidur_a100_Llama-2-70b_mlp.csv", "layer", 9000, 0.15},
    {"measured/moe/a100_sxm__vllm-0.14.0.csv", "moe", 3000, 0.095},
};

static void check(const struct limit *limit, struct gpus *gpus)
{
    char *path = test_data_path(limit->file);
    struct table table;
    struct points points = {0};
    struct left_out left = {0};
    CU_ASSERT_PTR_NULL_FATAL(table_read(path, &table));
    const struct kind *kind = kind_of(&table);
    CU_ASSERT_PTR_NOT_NULL_FATAL(kind);
    CU_ASSERT_STRING_EQUAL(kind->name, limit->kind);
    evaluate(kind, &table, gpus, &points, &left);
    struct points_errors errors = points_errors_of(&points, POINTS_HELD_OUT, NULL);
    points_print(&points, POINTS_HELD_OUT, limit->file, stdout);
    CU_ASSERT_TRUE(errors.count >= limit->least_rows);
    CU_ASSERT_TRUE(errors.median <= limit->median);
    points_release(&points);
    table_release(&table);
    free(path);
}

static void medians_stay_where_they_are(void)
{
    char *folder = test_source_path("configs/gpus");
    struct gpus *gpus = gpus_new(folder, NULL, 0);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        check(&limits[i], gpus);
    gpus_free(gpus);
    free(folder);
}

TEST_MAIN("measured kernels", TEST(medians_stay_where_they_are))
