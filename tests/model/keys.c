/* SPDX-License-Identifier: BSD-3-Clause */
/* Every key of a config.json: its default, its bounds, and the fault that names it. */
#include "test.h"

#include <string.h>

#include "base/memory.h"
#include "sample.h"

/* Keys that a mixture needs beside those of every sample. */
static const char mixtral[] = "\"num_local_experts\": 8, \"num_experts_per_tok\": 2";
static const char qwen3_moe[] = "\"num_experts\": 8, \"num_experts_per_tok\": 2, "
                                "\"moe_intermediate_size\": 24";
static const char qwen2_moe[] = "\"num_experts\": 8, \"num_experts_per_tok\": 2, "
                                "\"moe_intermediate_size\": 24, "
                                "\"shared_expert_intermediate_size\": 40";
static const char gpt_oss[] = "\"num_local_experts\": 8, \"num_experts_per_tok\": 2, "
                              "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 32}";

static void every_family_is_read(void)
{
    static const struct {
        const char *family, *extra;
        int64_t head_dim, expert_ffn;
    } row[] = {{"llama", "", 16, 0},
               {"mistral", "", 16, 0},
               {"qwen2", "", 16, 0},
               {"qwen3", "", 128, 0},
               {"mixtral", mixtral, 16, 96},
               {"qwen2_moe", qwen2_moe, 16, 24},
               {"qwen3_moe", qwen3_moe, 16, 24},
               {"gpt_oss", gpt_oss, 64, 96}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model model;
        CU_ASSERT_TRUE(sample_read(row[i].family, row[i].extra, &model, NULL));
        CU_ASSERT_TRUE(model_is_valid(&model));
        CU_ASSERT_STRING_EQUAL(model.model_type, row[i].family);
        CU_ASSERT_EQUAL(model.layers, 2);
        CU_ASSERT_EQUAL(model.kv_heads, 2);
        CU_ASSERT_EQUAL(model.head_dim, row[i].head_dim);
        CU_ASSERT_EQUAL(model.expert_ffn, row[i].expert_ffn);
        CU_ASSERT_EQUAL(model.experts_per_token, row[i].expert_ffn ? 2 : 0);
    }
}

static void mixtures_differ_in_how_they_choose_and_gate(void)
{
    struct model model;
    CU_ASSERT_TRUE(sample_read("mixtral", mixtral, &model, NULL));
    CU_ASSERT_TRUE(model.normalise_experts && !model.router_bias && !model.clamped_gate);
    CU_ASSERT_TRUE(model.rope_theta == 1e6 && model.sliding_window == 0);
    CU_ASSERT_TRUE(sample_read("qwen2_moe", qwen2_moe, &model, NULL));
    CU_ASSERT_TRUE(model.shared_ffn == 40 && model.qkv_bias && !model.normalise_experts);
    char *more = base_format("%s, \"norm_topk_prob\": true", qwen3_moe);
    CU_ASSERT_TRUE(sample_read("qwen3_moe", more, &model, NULL));
    CU_ASSERT_TRUE(model.normalise_experts && model.qk_norm && !model.attention_sinks);
    base_free(more);
    CU_ASSERT_TRUE(sample_read("gpt_oss", gpt_oss, &model, NULL));
    CU_ASSERT_TRUE(model.router_bias && model.expert_bias && model.attention_sinks);
    CU_ASSERT_TRUE(model.qkv_bias && model.output_bias && model.normalise_experts);
    CU_ASSERT_TRUE(model.clamped_gate && model.gate_limit == 7 && model.gate_alpha == 1.702);
}

static void experts_count_in_the_parameters_and_chosen_ones_in_the_active(void)
{
    struct model model;
    int64_t tables = 2 * 100 * 64, attention = 2 * 64 * (64 + 32), norms = 2 * 64;
    int64_t expert = 3 * 64 * 24, router = 8 * 64, shared = 3 * 64 * 40 + 64;
    int64_t others = tables + 64 + 2 * (attention + 64 + 2 * 32 + norms + router + shared);
    CU_ASSERT_TRUE(sample_read("qwen2_moe", qwen2_moe, &model, NULL));
    CU_ASSERT_EQUAL(model_parameter_count(&model), others + 2 * 8 * expert);
    CU_ASSERT_EQUAL(model_active_parameter_count(&model), others + 2 * 2 * expert);
    CU_ASSERT_TRUE(sample_read("gpt_oss", gpt_oss, &model, NULL));
    attention = 2 * 64 * (256 + 128) + (256 + 2 * 128 + 64) + 4;
    expert = 3 * 64 * 96 + 2 * 96 + 64;
    others = tables + 64 + 2 * (attention + norms + router + 8);
    CU_ASSERT_EQUAL(model_parameter_count(&model), others + 2 * 8 * expert);
    CU_ASSERT_EQUAL(model_active_parameter_count(&model), others + 2 * 2 * expert);
    CU_ASSERT_TRUE(sample_read("llama", "", &model, NULL));
    CU_ASSERT_EQUAL(model_active_parameter_count(&model), model_parameter_count(&model));
}

static void parameters_are_counted_with_biases_norms_and_tied_embeddings(void)
{
    struct model model;
    int64_t tables = 2 * 100 * 64, layer = 2 * 64 * (64 + 32) + 3 * 64 * 96 + 2 * 64;
    CU_ASSERT_TRUE(sample_read("llama", "", &model, NULL));
    CU_ASSERT_EQUAL(model_parameter_count(&model), tables + 64 + 2 * layer);
    CU_ASSERT_TRUE(
        sample_read("llama", "\"attention_bias\": true, \"mlp_bias\": true", &model, NULL));
    int64_t biases = (64 + 2 * 32 + 64) + (2 * 96 + 64);
    CU_ASSERT_EQUAL(model_parameter_count(&model), tables + 64 + 2 * (layer + biases));
    CU_ASSERT_TRUE(sample_read("qwen2", "\"tie_word_embeddings\": true", &model, NULL));
    CU_ASSERT_EQUAL(model_parameter_count(&model), tables / 2 + 64 + 2 * (layer + 64 + 2 * 32));
    CU_ASSERT_TRUE(sample_read("qwen3", "\"head_dim\": 16", &model, NULL));
    CU_ASSERT_EQUAL(model_parameter_count(&model), tables + 64 + 2 * (layer + 2 * 16));
}

static void absent_and_null_keys_take_the_familys_default(void)
{
    struct model model;
    CU_ASSERT_TRUE(sample_read("llama", "\"num_key_value_heads\": null, \"rms_norm_eps\": null",
                               &model, NULL));
    CU_ASSERT_EQUAL(model.kv_heads, 4);
    CU_ASSERT_EQUAL(model.norm_epsilon, 1e-6);
    CU_ASSERT_EQUAL(model.rope_theta, 10000.0);
    CU_ASSERT_STRING_EQUAL(model.rope_scaling, "");
}

static void rope_settings_are_read_from_old_and_new_keys(void)
{
    struct model model;
    CU_ASSERT_TRUE(sample_read("llama", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}",
                               &model, NULL));
    CU_ASSERT_STRING_EQUAL(model.rope_scaling, "linear");
    CU_ASSERT_EQUAL(model.rope_factor, 4.0);
    CU_ASSERT_TRUE(sample_read(
        "llama", "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 5e5}", &model,
        NULL));
    CU_ASSERT_STRING_EQUAL(model.rope_scaling, "");
    CU_ASSERT_EQUAL(model.rope_theta, 5e5);
}

/* The sample has two layers. */
static void a_window_counts_where_the_family_reads_it(void)
{
    static const struct {
        const char *family, *extra;
        int64_t first, second; /* windows of the layers */
    } row[] = {
        {"llama", "\"sliding_window\": 128", 0, 0},
        {"mistral", "\"sliding_window\": 128", 128, 128},
        {"mistral", "\"sliding_window\": null", 0, 0},
        {"mistral", "", 4096, 4096},
        {"qwen2", "\"sliding_window\": 128", 0, 0},
        {"qwen2", "\"sliding_window\": 128, \"use_sliding_window\": true", 0, 0},
        {"qwen2", "\"sliding_window\": 128, \"use_sliding_window\": true, \"max_window_layers\": 0",
         128, 128},
        {"qwen2", "\"sliding_window\": 128, \"use_sliding_window\": true, \"max_window_layers\": 1",
         0, 128},
        {"qwen3",
         "\"sliding_window\": 64, \"use_sliding_window\": true, "
         "\"layer_types\": [\"full_attention\", \"full_attention\"]",
         0, 0},
        {"qwen3",
         "\"sliding_window\": 64, \"use_sliding_window\": true, "
         "\"layer_types\": [\"full_attention\", \"sliding_attention\"]",
         0, 64},
        {"gpt_oss", gpt_oss, 128, 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model model;
        CU_ASSERT_TRUE(sample_read(row[i].family, row[i].extra, &model, NULL));
        CU_ASSERT_EQUAL(model_window(&model, 0), row[i].first);
        CU_ASSERT_EQUAL(model_window(&model, 1), row[i].second);
        CU_ASSERT_EQUAL(model.sliding_window,
                        row[i].first > row[i].second ? row[i].first : row[i].second);
    }
}

static void special_tokens_are_one_id_or_a_list(void)
{
    struct model model;
    CU_ASSERT_TRUE(sample_read("llama", "", &model, NULL));
    CU_ASSERT_TRUE(model.bos_token == -1 && model.end_tokens == 0);
    CU_ASSERT_TRUE(
        sample_read("llama", "\"bos_token_id\": null, \"eos_token_id\": null", &model, NULL));
    CU_ASSERT_TRUE(model.bos_token == -1 && model.end_tokens == 0);
    CU_ASSERT_TRUE(sample_read("llama", "\"bos_token_id\": 0, \"eos_token_id\": 99", &model, NULL));
    CU_ASSERT_TRUE(model.bos_token == 0 && model.end_tokens == 1 && model.end_token[0] == 99);
    CU_ASSERT_TRUE(
        sample_read("llama", "\"eos_token_id\": [7, 6, 5, 4, 3, 2, 1, 98]", &model, NULL));
    CU_ASSERT_EQUAL_FATAL(model.end_tokens, 8);
    CU_ASSERT_TRUE(model.end_token[0] == 7 && model.end_token[7] == 98);
    CU_ASSERT_TRUE(sample_read("llama", "\"eos_token_id\": []", &model, NULL));
    CU_ASSERT_EQUAL(model.end_tokens, 0);
}

static void token_ids_outside_the_vocabulary_make_a_model_invalid(void)
{
    struct model model;
    CU_ASSERT_TRUE(sample_read("llama", "\"eos_token_id\": [1, 2]", &model, NULL));
    CU_ASSERT_TRUE(model_is_valid(&model));
    model.end_token[1] = 100;
    CU_ASSERT_FALSE(model_is_valid(&model));
    model.end_tokens = 1;
    CU_ASSERT_TRUE(model_is_valid(&model));
    model.end_tokens = 9;
    CU_ASSERT_FALSE(model_is_valid(&model));
    model.end_tokens = 0;
    model.bos_token = 100;
    CU_ASSERT_FALSE(model_is_valid(&model));
}

static void wrong_values_are_named_with_what_would_be_right(void)
{
    static const struct {
        const char *family, *extra, *fault;
    } row[] = {
        {"llama", "\"hidden_size\": null", "hidden_size: missing; an integer from 1 to 262144"},
        {"llama", "\"hidden_size\": 0", "hidden_size = 0: must be an integer from 1 to 262144"},
        {"llama", "\"hidden_size\": -64", "hidden_size = -64: must be"},
        {"llama", "\"hidden_size\": 64.0", "hidden_size = 64.0: must be an integer"},
        {"llama", "\"hidden_size\": true", "hidden_size = true: must be an integer"},
        {"llama", "\"hidden_size\": [64]", "hidden_size = [...]: must be an integer"},
        {"llama", "\"hidden_size\": 66",
         "hidden_size = 66: must be a multiple of num_attention_heads"},
        {"llama", "\"vocab_size\": 9000000000000", "vocab_size = 9000000000000: must be"},
        {"llama", "\"num_key_value_heads\": 3", "num_key_value_heads = 3: must divide"},
        {"llama", "\"head_dim\": 15", "head_dim = 15: must be even"},
        {"llama", "\"num_attention_heads\": 1024, \"num_key_value_heads\": 1, \"head_dim\": 1024",
         NULL},
        {"qwen2", "\"num_key_value_heads\": null", "num_key_value_heads: missing"},
        {"llama", "\"tie_word_embeddings\": 1", "tie_word_embeddings = 1: must be true or false"},
        {"llama", "\"rms_norm_eps\": 0", "rms_norm_eps = 0: must be a number above 0"},
        {"llama", "\"rms_norm_eps\": \"x\"", "rms_norm_eps = \"x\": must be a number"},
        {"llama", "\"hidden_act\": \"gelu\"", "hidden_act = \"gelu\": must be silu"},
        {"llama", "\"rope_theta\": -1", "rope_theta = -1: must be"},
        {"llama", "\"rope_scaling\": 8", "rope_scaling = 8: must be an object or null"},
        {"llama", "\"rope_scaling\": {\"rope_type\": \"longrope\"}",
         "rope_type = \"longrope\": is not supported; supported are default, linear, llama3, yarn"},
        {"llama", "\"rope_scaling\": {\"rope_type\": \"yarn\"}", "rope_scaling.factor: missing"},
        {"llama", "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4, \"beta_slow\": 40}",
         "rope_scaling.beta_fast: must be above beta_slow"},
        {"llama", "\"rope_scaling\": {\"rope_type\": \"linear\"}", "rope_scaling.factor: missing"},
        {"llama", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}",
         "rope_scaling.original_max_position_embeddings: missing"},
        {"mistral", "\"layer_types\": [\"sliding_attention\"]",
         "layer_types = [...]: must be a list of sliding_attention or full_attention, one a layer"},
        {"mistral", "\"layer_types\": [\"sliding_attention\", \"linear_attention\"]",
         "layer_types = [...]: must be a list"},
        {"qwen2_moe",
         "\"use_sliding_window\": true, \"num_experts\": 8, \"num_experts_per_tok\": 2, "
         "\"moe_intermediate_size\": 24, \"shared_expert_intermediate_size\": 40",
         "layer_types: missing; with use_sliding_window a list"},
        {"mixtral", "", "num_local_experts: missing; an integer from 1 to 4096"},
        {"mixtral", "\"num_local_experts\": 8",
         "num_experts_per_tok: missing; an integer from 1 to 8"},
        {"mixtral", "\"num_local_experts\": 8, \"num_experts_per_tok\": 9",
         "num_experts_per_tok = 9: must be an integer from 1 to 8"},
        {"qwen3_moe", "\"num_experts\": 8, \"num_experts_per_tok\": 2",
         "moe_intermediate_size: missing; an integer from 1 to 2097152"},
        {"qwen3_moe",
         "\"num_experts\": 8, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 24, "
         "\"decoder_sparse_step\": 2",
         "decoder_sparse_step = 2: must be 1: layers without experts"},
        {"qwen3_moe",
         "\"num_experts\": 8, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 24, "
         "\"mlp_only_layers\": [0]",
         "mlp_only_layers = [...]: must be []: layers without experts"},
        {"qwen2_moe",
         "\"num_experts\": 8, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 24",
         "shared_expert_intermediate_size: missing; an integer"},
        {"gpt_oss", "\"num_local_experts\": 8, \"num_experts_per_tok\": 2",
         "rope_scaling: missing; an object with the yarn scaling of gpt_oss"},
        {"gpt_oss",
         "\"num_local_experts\": 8, \"num_experts_per_tok\": 2, \"swiglu_limit\": 0, "
         "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 32}",
         "swiglu_limit = 0: must be a number above 0"},
        {"gemma2", "",
         "architecture Gemma2ForCausalLM (model_type gemma2) is not supported: it "
         "scales the embedding"},
        {"llama", "\"bos_token_id\": 100", "bos_token_id = 100: must be an integer from 0 to 99"},
        {"llama", "\"bos_token_id\": [1]", "bos_token_id = [...]: must be an integer"},
        {"llama", "\"eos_token_id\": 100",
         "eos_token_id = 100: must be an integer from 0 to 99 or a list of up to 8"},
        {"llama", "\"eos_token_id\": -1", "eos_token_id = -1: must be an integer"},
        {"llama", "\"eos_token_id\": [1, 100]", "eos_token_id = [...]: must be an integer"},
        {"llama", "\"eos_token_id\": [1, null]", "eos_token_id = [...]: must be an integer"},
        {"llama", "\"eos_token_id\": [0, 1, 2, 3, 4, 5, 6, 7, 8]", "eos_token_id = [...]: must"},
        {"llama", "\"eos_token_id\": \"</s>\"", "eos_token_id = \"</s>\": must be"},
        {"llama", "\"model_type\": null", "model_type: missing; one of llama"},
        {"llama", "\"model_type\": \"\"", "model_type = \"\": must be printable text"},
        {"llama", "\"model_type\": \"a\\u001b[31m\"",
         "model_type = \"a\\u001B[31m\": must be printable"},
        {"llama", "\"architectures\": []", "architectures = [...]: must be a list of names"},
        {"gpt_neox", "",
         "architecture GptNeoxForCausalLM (model_type gpt_neox) is not supported; supported are"},
        {"llama", "\"architectures\": [\"LlamaForSequenceClassification\"]",
         "architecture LlamaForSequenceClassification (model_type llama) is not supported"},
        {"llama", "\"num_local_experts\": 8",
         "num_local_experts = 8: must be absent: a model of this model_type has no experts"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct model model;
        char *faults = NULL;
        bool is_read = sample_read(row[i].family, row[i].extra, &model, &faults);
        CU_ASSERT_EQUAL(is_read, row[i].fault == NULL);
        bool is_named = !row[i].fault || strstr(faults, row[i].fault);
        CU_ASSERT_TRUE(is_named);
        if (!is_named)
            fprintf(stderr, "row %zu: %s\n", i, faults);
        base_free(faults);
    }
}

static void all_faults_of_a_file_come_at_once(void)
{
    struct model model;
    char *faults = NULL;
    CU_ASSERT_FALSE(sample_read(
        "llama", "\"hidden_size\": 0, \"vocab_size\": -1, \"rope_theta\": \"x\"", &model, &faults));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults, "hidden_size"));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults, "vocab_size"));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults, "rope_theta"));
    base_free(faults);
}

static void an_absent_file_is_named(void)
{
    struct model model;
    struct base_report report = {0};
    CU_ASSERT_FALSE(model_read("/nowhere/config.json", &model, &report));
    CU_ASSERT_EQUAL_FATAL(report.count, 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(report.message[0], "/nowhere/config.json: cannot be read: No such file"));
    base_report_release(&report);
}

TEST_MAIN("keys", TEST(every_family_is_read), TEST(mixtures_differ_in_how_they_choose_and_gate),
          TEST(experts_count_in_the_parameters_and_chosen_ones_in_the_active),
          TEST(parameters_are_counted_with_biases_norms_and_tied_embeddings),
          TEST(absent_and_null_keys_take_the_familys_default),
          TEST(rope_settings_are_read_from_old_and_new_keys),
          TEST(a_window_counts_where_the_family_reads_it),
          TEST(special_tokens_are_one_id_or_a_list),
          TEST(token_ids_outside_the_vocabulary_make_a_model_invalid),
          TEST(wrong_values_are_named_with_what_would_be_right),
          TEST(all_faults_of_a_file_come_at_once), TEST(an_absent_file_is_named))
