/* SPDX-License-Identifier: BSD-3-Clause */
/* Broken and malicious files end in a fault or in a valid model, never in a crash. */
#include "test.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "sample.h"

static const struct {
    const char *family, *extra;
} samples[] = {
    {"llama",
     "\"rope_theta\": 1e4, \"head_dim\": 16, \"sliding_window\": null, \"attention_bias\": true, "
     "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
     "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 256}"},
    {"gpt_oss",
     "\"num_local_experts\": 8, \"num_experts_per_tok\": 2, \"swiglu_limit\": 7.0, "
     "\"sliding_window\": 128, \"layer_types\": [\"sliding_attention\", \"full_attention\"], "
     "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 32.0, \"beta_fast\": 32.0, "
     "\"beta_slow\": 1.0, \"truncate\": false, \"original_max_position_embeddings\": 256}"},
    {"qwen2_moe", "\"num_experts\": 60, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 24, "
                  "\"shared_expert_intermediate_size\": 40, \"decoder_sparse_step\": 1, "
                  "\"mlp_only_layers\": [], \"norm_topk_prob\": false, \"qkv_bias\": true"},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

/* Free with base_free. */
static char *text_of(int sample)
{
    return sample_text(samples[sample].family, samples[sample].extra);
}

/* Reads; a model that is accepted must be one that a graph can be built from. */
static bool survives(const char *text, size_t bytes)
{
    struct model model;
    char *faults = NULL;
    bool is_read = sample_read_bytes(text, bytes, &model, &faults);
    bool is_explained = is_read ? model_is_valid(&model) : faults[0] != '\0';
    base_free(faults);
    return is_explained;
}

/* These take over `text`. */
static void truncate_everywhere(char *text)
{
    size_t bytes = strlen(text);
    CU_ASSERT_TRUE(survives(text, bytes));
    for (size_t kept = 0; kept < bytes; kept++) {
        struct model model;
        CU_ASSERT_FALSE(sample_read_bytes(text, kept, &model, NULL));
    }
    base_free(text);
}

static void every_truncation_is_a_fault(void)
{
    for (int i = 0; i < SAMPLES; i++)
        truncate_everywhere(text_of(i));
}

static void change_bytes(char *text)
{
    enum { TRIALS = 2000, CHANGES = 3 };
    size_t bytes = strlen(text);
    char *changed = base_alloc(bytes, 1);
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        memcpy(changed, text, bytes);
        for (uint64_t i = 0; i < CHANGES; i++) {
            uint64_t draw = base_random_u64(1, BASE_RANDOM_KERNEL, trial, i);
            changed[draw % bytes] = (char)(draw >> 56);
        }
        CU_ASSERT_TRUE(survives(changed, bytes));
    }
    base_free(changed);
    base_free(text);
}

static void changed_bytes_are_survived(void)
{
    for (int i = 0; i < SAMPLES; i++)
        change_bytes(text_of(i));
}

static void change_digits(char *text)
{
    for (size_t i = 0; text[i]; i++) {
        char kept = text[i];
        for (const char *digit = "0123456789-.e"; *digit && kept >= '0' && kept <= '9'; digit++) {
            text[i] = *digit;
            CU_ASSERT_TRUE(survives(text, strlen(text)));
        }
        text[i] = kept;
    }
    base_free(text);
}

static void changed_digits_give_a_fault_or_a_valid_model(void)
{
    for (int i = 0; i < SAMPLES; i++)
        change_digits(text_of(i));
}

static void deep_nesting_is_a_fault(void)
{
    enum { DEPTH = 1000000 };
    char *text = base_alloc(DEPTH, 1);
    memset(text, '[', DEPTH);
    CU_ASSERT_TRUE(survives(text, DEPTH));
    base_free(text);
}

static void other_documents_are_faults(void)
{
    static const char *const document[] = {
        "",
        "null",
        "[]",
        "12",
        "\"llama\"",
        "{}",
        "{",
        "{\"a\":1}}",
        "{\"a\": NaN}",
        "{\"model_type\": 3}",
        "\xff",
        "{\"model_type\": \"llama\", \"model_type\": \"llama\"}",
        "{\"model_type\": \"llama\", \"vocab_size\": 99999999999999999999999}"};
    for (size_t i = 0; i < sizeof document / sizeof document[0]; i++) {
        struct model model;
        CU_ASSERT_FALSE(sample_read_bytes(document[i], strlen(document[i]), &model, NULL));
    }
    struct model model;
    CU_ASSERT_FALSE(sample_read_bytes("{\"model_type\": \"lla\0ma\"}", 25, &model, NULL));
}

static void files_that_are_too_large_are_refused(void)
{
    enum { BYTES = 17 * 1024 * 1024 };
    char *text = base_alloc(BYTES, 1);
    memset(text, ' ', BYTES);
    struct model model;
    char *faults = NULL;
    CU_ASSERT_FALSE(sample_read_bytes(text, BYTES, &model, &faults));
    CU_ASSERT_PTR_NOT_NULL(strstr(faults, "at most"));
    base_free(faults);
    base_free(text);
}

static void devices_are_refused_without_reading(void)
{
    struct model model;
    struct base_report report = {0};
    CU_ASSERT_FALSE(model_read("/dev/zero", &model, &report));
    CU_ASSERT_EQUAL(report.count, 1);
    base_report_release(&report);
}

TEST_MAIN("hostile", TEST(every_truncation_is_a_fault), TEST(changed_bytes_are_survived),
          TEST(changed_digits_give_a_fault_or_a_valid_model), TEST(deep_nesting_is_a_fault),
          TEST(other_documents_are_faults), TEST(files_that_are_too_large_are_refused),
          TEST(devices_are_refused_without_reading))
