/* SPDX-License-Identifier: BSD-3-Clause */
/* Published config.json files: exact parameter counts, or a refusal that names the architecture. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/graph.h"

/* Counts: the sums of the tensor sizes in the published safetensors headers, as the model pages
 * show them; of gpt-oss, whose experts are packed there, the 20.91 and 116.83 billion of its model
 * card to all digits. */
static const struct {
    const char *name;
    int64_t parameters; /* 0: refused */
    const char *refusal;
} published[] = {
    {"TinyLlama-1.1B-Chat-v1.0", INT64_C(1100048384), NULL},
    {"Llama-2-7b-hf", INT64_C(6738415616), NULL},
    {"Llama-2-70b-hf", INT64_C(68976648192), NULL},
    {"Meta-Llama-3-8B", INT64_C(8030261248), NULL},
    {"Meta-Llama-3.1-8B", INT64_C(8030261248), NULL},
    {"Meta-Llama-3.1-70B", INT64_C(70553706496), NULL},
    {"Mistral-Nemo-Instruct-2407", INT64_C(12247782400), NULL},
    {"Qwen2.5-7B-Instruct", INT64_C(7615616512), NULL},
    {"Qwen3-0.6B", INT64_C(596049920), NULL},
    {"Qwen3-32B", INT64_C(32762123264), NULL},
    {"Mixtral-8x7B-v0.1", INT64_C(46702792704), NULL},
    {"Qwen3-30B-A3B", INT64_C(30532122624), NULL},
    {"gpt-oss-20b", INT64_C(20914757184), NULL},
    {"gpt-oss-120b", INT64_C(116829156672), NULL},
    {"DeepSeek-V3", 0, "DeepseekV3ForCausalLM (model_type deepseek_v3) is not supported: it keeps"},
    {"Phi-3-mini-4k-instruct", 0,
     "Phi3ForCausalLM (model_type phi3) is not supported: its q, k, v"},
    {"gemma-2-2b", 0, "Gemma2ForCausalLM (model_type gemma2) is not supported: it scales"},
    {"gpt2", 0, "GPT2LMHeadModel (model_type gpt2) is not supported: it has learned"},
};

enum { PUBLISHED = sizeof published / sizeof published[0] };

static bool read_published(const char *name, struct model *model, struct base_report *report)
{
    char *path = base_format("hf_configs/%s", name);
    char *folder = test_data_path(path);
    bool is_read = model_read(folder, model, report);
    free(folder);
    base_free(path);
    return is_read;
}

static void models_have_their_published_parameter_counts(void)
{
    for (int i = 0; i < PUBLISHED; i++) {
        struct model model;
        struct base_report report = {0};
        if (!published[i].parameters)
            continue;
        CU_ASSERT_TRUE(read_published(published[i].name, &model, &report));
        CU_ASSERT_TRUE(model_is_valid(&model));
        CU_ASSERT_EQUAL(model_parameter_count(&model), published[i].parameters);
        CU_ASSERT_STRING_EQUAL(model.name, published[i].name);
        base_report_print(&report, stderr);
        base_report_release(&report);
    }
}

static void other_architectures_are_refused_by_name_and_by_one_fault(void)
{
    for (int i = 0; i < PUBLISHED; i++) {
        struct model model;
        struct base_report report = {0};
        if (published[i].parameters)
            continue;
        CU_ASSERT_FALSE(read_published(published[i].name, &model, &report));
        CU_ASSERT_EQUAL_FATAL(report.count, 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], published[i].refusal));
        base_report_release(&report);
    }
}

/* Weights that a step of so many rows reads, with the embedding whole. */
static int64_t read_by_step(const struct model *model, int64_t rows)
{
    struct model_graph graph = model_graph_build(model, rows, 2048, false, 1);
    CU_ASSERT_TRUE(model_graph_is_valid(&graph));
    int64_t sum = model->tied_embeddings ? 0 : model->vocabulary * model->hidden;
    for (size_t op = 1; op < graph.count; op++)
        sum += graph.op[op].weight_elements;
    model_graph_release(&graph);
    return sum;
}

/* Against the closed form: two ways to one number. Rows enough can touch every expert; one row
 * touches its own. */
static void graphs_read_every_parameter_once(void)
{
    for (int i = 0; i < PUBLISHED; i++) {
        struct model model;
        struct base_report report = {0};
        if (!published[i].parameters)
            continue;
        CU_ASSERT_TRUE_FATAL(read_published(published[i].name, &model, &report));
        CU_ASSERT_EQUAL(read_by_step(&model, 128), published[i].parameters);
        CU_ASSERT_EQUAL(read_by_step(&model, 1), model_active_parameter_count(&model));
    }
}

/* As published, in tenths of a billion; gpt-oss's model card leaves the embedding out. */
static void active_parameters_of_mixtures_are_as_published(void)
{
    static const struct {
        const char *name;
        bool without_embedding;
        double billions;
    } row[] = {{"Mixtral-8x7B-v0.1", false, 12.9},
               {"Qwen3-30B-A3B", false, 3.3},
               {"gpt-oss-20b", true, 3.6},
               {"gpt-oss-120b", true, 5.1}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model model;
        struct base_report report = {0};
        CU_ASSERT_TRUE_FATAL(read_published(row[i].name, &model, &report));
        int64_t left_out = row[i].without_embedding ? model.vocabulary * model.hidden : 0;
        double billions = (double)(model_active_parameter_count(&model) - left_out) * 1e-9;
        CU_ASSERT_DOUBLE_EQUAL(billions, row[i].billions, 0.06);
    }
}

static void particulars_of_each_family_are_read(void)
{
    struct model model;
    struct base_report report = {0};
    CU_ASSERT_TRUE(read_published("Meta-Llama-3.1-8B", &model, &report));
    CU_ASSERT_STRING_EQUAL(model.rope_scaling, "llama3");
    CU_ASSERT_EQUAL(model.rope_factor, 8.0);
    CU_ASSERT_EQUAL(model.rope_high_frequency_factor, 4.0);
    CU_ASSERT_EQUAL(model.rope_original_positions, 8192);
    CU_ASSERT_EQUAL(model.rope_theta, 500000.0);
    CU_ASSERT_TRUE(read_published("Mistral-Nemo-Instruct-2407", &model, &report));
    CU_ASSERT_EQUAL(model.head_dim, 128);
    CU_ASSERT_EQUAL(model.sliding_window, 0);
    CU_ASSERT_TRUE(read_published("Qwen2.5-7B-Instruct", &model, &report));
    CU_ASSERT_TRUE(model.qkv_bias && !model.output_bias && !model.qk_norm);
    CU_ASSERT_EQUAL(model.sliding_window, 0);
    CU_ASSERT_TRUE(read_published("Qwen3-0.6B", &model, &report));
    CU_ASSERT_TRUE(model.tied_embeddings && model.qk_norm && !model.qkv_bias);
    CU_ASSERT_TRUE(read_published("gpt-oss-20b", &model, &report));
    CU_ASSERT_STRING_EQUAL(model.rope_scaling, "yarn");
    CU_ASSERT_DOUBLE_EQUAL(model.rope_attention_factor, 1.3465735902799727, 1e-15);
    CU_ASSERT_TRUE(!model.rope_truncate && model.rope_original_positions == 4096);
    CU_ASSERT_TRUE(model_window(&model, 0) == 128 && model_window(&model, 23) == 0);
    CU_ASSERT_TRUE(base_report_is_clean(&report));
}

static const struct test_case cases[] = {
    TEST(models_have_their_published_parameter_counts),
    TEST(other_architectures_are_refused_by_name_and_by_one_fault),
    TEST(graphs_read_every_parameter_once),
    TEST(active_parameters_of_mixtures_are_as_published),
    TEST(particulars_of_each_family_are_read),
};

int main(void)
{
    free(test_data_path("hf_configs"));
    return test_run("published", cases, sizeof cases / sizeof cases[0]);
}
