/* SPDX-License-Identifier: BSD-3-Clause */
/* Parameter counts of well-known models, from their shapes alone. */
#include "test.h"

#include "base/memory.h"
#include "sample.h"

/* Shapes: the published config.json; counts: the sizes of all published tensors. */
static const struct {
    const char *name, *family;
    int layers, hidden, heads, kv_heads, head_dim, ffn, vocabulary;
    const char *tied;
    int64_t parameters;
} known[] = {
    {"TinyLlama-1.1B", "llama", 22, 2048, 32, 4, 64, 5632, 32000, "false", INT64_C(1100048384)},
    {"Llama-2-7B", "llama", 32, 4096, 32, 32, 128, 11008, 32000, "false", INT64_C(6738415616)},
    {"Llama-2-70B", "llama", 80, 8192, 64, 8, 128, 28672, 32000, "false", INT64_C(68976648192)},
    {"Llama-3-8B", "llama", 32, 4096, 32, 8, 128, 14336, 128256, "false", INT64_C(8030261248)},
    {"Llama-3.2-1B", "llama", 16, 2048, 32, 8, 64, 8192, 128256, "true", INT64_C(1235814400)},
    {"Mistral-7B", "mistral", 32, 4096, 32, 8, 128, 14336, 32000, "false", INT64_C(7241732096)},
    {"Qwen2.5-0.5B", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, "true", INT64_C(494032768)},
    {"Qwen2.5-7B", "qwen2", 28, 3584, 28, 4, 128, 18944, 152064, "false", INT64_C(7615616512)},
    {"Qwen3-0.6B", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, "true", INT64_C(596049920)},
    {"Qwen3-8B", "qwen3", 36, 4096, 32, 8, 128, 12288, 151936, "false", INT64_C(8190735360)},
};

static void known_models_have_their_published_counts(void)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char *shapes = base_format(
            "\"num_hidden_layers\": %d, \"hidden_size\": %d, \"num_attention_heads\": %d, "
            "\"num_key_value_heads\": %d, \"head_dim\": %d, \"intermediate_size\": %d, "
            "\"vocab_size\": %d, "
            "\"tie_word_embeddings\": %s",
            known[i].layers, known[i].hidden, known[i].heads, known[i].kv_heads, known[i].head_dim,
            known[i].ffn, known[i].vocabulary, known[i].tied);
        struct model model;
        CU_ASSERT_TRUE(sample_read(known[i].family, shapes, &model, NULL));
        CU_ASSERT_EQUAL(model_parameter_count(&model), known[i].parameters);
        base_free(shapes);
    }
}

TEST_MAIN("counts", TEST(known_models_have_their_published_counts))
