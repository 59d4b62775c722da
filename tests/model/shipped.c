/* SPDX-License-Identifier: BSD-3-Clause */
/* The models that the project ships are read and have the parameters they are known for. */
#include "test.h"

#include <stdlib.h>

#include "base/memory.h"
#include "model/model.h"

static const struct {
    const char *name;
    int64_t parameters;
} shipped[] = {
    {"TinyLlama-1.1B", INT64_C(1100048384)},
    {"Llama-3-8B", INT64_C(8030261248)},
    {"tiny", INT64_C(3475712)},
    {"Mixtral-8x7B", INT64_C(46702792704)},
    {"Qwen3-30B-A3B", INT64_C(30532122624)},
    {"gpt-oss-20b", INT64_C(20914757184)},
};

static void shipped_models_have_their_parameter_counts(void)
{
    for (size_t i = 0; i < sizeof shipped / sizeof shipped[0]; i++) {
        char *path = base_format("configs/models/%s", shipped[i].name);
        char *folder = test_source_path(path);
        struct model model;
        struct base_report report = {0};
        CU_ASSERT_TRUE(model_read(folder, &model, &report));
        CU_ASSERT_EQUAL(model_parameter_count(&model), shipped[i].parameters);
        CU_ASSERT_STRING_EQUAL(model.name, shipped[i].name);
        base_report_print(&report, stderr);
        base_report_release(&report);
        free(folder);
        base_free(path);
    }
}

TEST_MAIN("shipped", TEST(shipped_models_have_their_parameter_counts))
