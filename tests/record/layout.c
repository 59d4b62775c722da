/* SPDX-License-Identifier: BSD-3-Clause */
/* The layout: schemas hold together, name codes as their owners do, and are what the docs say. */
#include "record/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/program.h"
#include "gpu_cluster/gpu_tables.h"
#include "test.h"

static void every_schema_is_valid(void)
{
    for (int i = 0; i < RECORD_TABLES; i++)
        CU_ASSERT_TRUE(record_schema_is_valid(record_layout((enum record_table)i)));
}

static void a_faulty_schema_is_not_valid(void)
{
    struct record_column column[] = {{"a", RECORD_I64, 0, 8, "ps", "time", NULL},
                                     {"b", RECORD_I32, 8, 4, "1", "index", NULL}};
    struct record_schema schema = {"/x", "test", 16, column, 2};
    CU_ASSERT_TRUE(record_schema_is_valid(&schema));
    column[1].name = "a";
    CU_ASSERT_FALSE(record_schema_is_valid(&schema));
    column[1] = (struct record_column){"b", RECORD_I32, 14, 4, "1", "index", NULL};
    CU_ASSERT_FALSE(record_schema_is_valid(&schema));
    column[1] = (struct record_column){"b", RECORD_I32, 8, 8, "1", "index", NULL};
    CU_ASSERT_FALSE(record_schema_is_valid(&schema));
    column[1] = (struct record_column){"b", RECORD_I32, 8, 4, "", "index", NULL};
    CU_ASSERT_FALSE(record_schema_is_valid(&schema));
}

static void groups_are_unique(void)
{
    for (int i = 0; i < RECORD_TABLES; i++)
        for (int j = 0; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(record_layout((enum record_table)i)->group,
                                       record_layout((enum record_table)j)->group);
}

static const char *const *labels_of(enum record_table table, const char *name)
{
    const struct record_schema *schema = record_layout(table);
    for (size_t i = 0; i < schema->columns; i++)
        if (!strcmp(schema->column[i].name, name))
            return schema->column[i].labels;
    return NULL;
}

static int label_count(const char *const *labels)
{
    int count = 0;
    while (labels[count])
        count++;
    return count;
}

static void opcodes_have_the_compilers_names(void)
{
    const char *const *label = labels_of(RECORD_LPU_PROGRAM, "opcode");
    CU_ASSERT_EQUAL_FATAL(label_count(label), PROGRAM_OPCODES);
    for (int i = 0; i < PROGRAM_OPCODES; i++)
        CU_ASSERT_STRING_EQUAL(label[i], program_opcode_name((enum program_opcode)i));
}

static void tensor_codes_end_where_the_enumerations_do(void)
{
    CU_ASSERT_EQUAL(label_count(labels_of(RECORD_PLAN_TENSORS, "kind")), PROGRAM_TENSOR_ZERO + 1);
    CU_ASSERT_EQUAL(label_count(labels_of(RECORD_PLAN_TENSORS, "dtype")), PROGRAM_DTYPE_KEY + 1);
}

static void gpu_ops_and_bounds_have_the_clusters_names(void)
{
    const char *const *op = labels_of(RECORD_GPU_KERNELS, "op");
    const char *const *bound = labels_of(RECORD_GPU_KERNELS, "bound");
    CU_ASSERT_EQUAL_FATAL(label_count(op), GPU_OP_COUNT);
    const char *const *decision = labels_of(RECORD_GPU_DECISIONS, "decision");
    CU_ASSERT_EQUAL_FATAL(label_count(bound), GPU_BOUND_COUNT);
    CU_ASSERT_EQUAL_FATAL(label_count(decision), GPU_DECISION_CLASSES);
    for (int i = 0; i < GPU_DECISION_CLASSES; i++)
        CU_ASSERT_STRING_EQUAL(decision[i], gpu_decision_name((enum gpu_decision)i));
    for (int i = 0; i < GPU_OP_COUNT; i++)
        CU_ASSERT_STRING_EQUAL(op[i], gpu_op_name((enum gpu_op)i));
    for (int i = 0; i < GPU_BOUND_COUNT; i++)
        CU_ASSERT_STRING_EQUAL(bound[i], gpu_bound_name((enum gpu_bound)i));
}

static char *file_text(const char *path)
{
    char *whole = test_source_path(path), *text = NULL;
    FILE *stream = fopen(whole, "r");
    size_t capacity = 0;
    if (stream && getdelim(&text, &capacity, '\0', stream) < 0)
        text = NULL;
    if (stream)
        fclose(stream);
    free(whole);
    return text;
}

/* After a change: test_record_layout --print shows what belongs into the page. */
static void the_page_has_every_table_as_it_is(void)
{
    char *printed = NULL, *page = file_text("docs/file_layout.md");
    size_t bytes;
    FILE *stream = open_memstream(&printed, &bytes);
    record_layout_print(stream);
    fclose(stream);
    CU_ASSERT_PTR_NOT_NULL_FATAL(page);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, printed));
    free(printed);
    free(page);
}

static const struct test_case cases[] = {
    TEST(every_schema_is_valid),
    TEST(a_faulty_schema_is_not_valid),
    TEST(groups_are_unique),
    TEST(opcodes_have_the_compilers_names),
    TEST(tensor_codes_end_where_the_enumerations_do),
    TEST(gpu_ops_and_bounds_have_the_clusters_names),
    TEST(the_page_has_every_table_as_it_is),
};

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--print")) {
        record_layout_print(stdout);
        return 0;
    }
    return test_run("layout", cases, sizeof cases / sizeof cases[0]);
}
