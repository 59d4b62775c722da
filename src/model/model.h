/* SPDX-License-Identifier: BSD-3-Clause */
/* A decoder-only transformer as its config.json has it. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { MODEL_NAME_BYTES = 64, MODEL_MOST_END_TOKENS = 8 };

/* Bounds of a shape: no count of an op overflows 63 bits, also with all rows and positions. */
enum {
    MODEL_MOST_LAYERS = 1 << 12,
    MODEL_MOST_HIDDEN = 1 << 18,
    MODEL_MOST_HEADS = 1 << 10,
    MODEL_MOST_HEAD_DIM = 1 << 10,
    MODEL_MOST_WIDTH = 1 << 20, /* heads x head_dim */
    MODEL_MOST_FFN = 1 << 22,   /* also expert_ffn x experts_per_token */
    MODEL_MOST_EXPERTS = 1 << 12,
    MODEL_MOST_EXPERT_WIDTH = 1 << 26, /* experts x expert_ffn */
    MODEL_MOST_VOCABULARY = 1 << 24,
    MODEL_MOST_POSITIONS = 1 << 21,
    MODEL_MOST_ROWS = 1 << 20,
};

enum { MODEL_WINDOW_WORDS = MODEL_MOST_LAYERS / 64 };

/* Shapes of a decoder of the Llama family, dense or with a mixture of experts in every layer. All
 * counts are elements. What a model does not have is zero. */
struct model {
    char name[MODEL_NAME_BYTES]; /* folder name of the config.json, or its _name_or_path */
    char architecture[MODEL_NAME_BYTES];
    char model_type[MODEL_NAME_BYTES]; /* llama, mistral, ..., gpt_oss; see family.c */
    int64_t layers, hidden, heads, kv_heads, head_dim, vocabulary, max_positions;
    int64_t ffn;   /* intermediate_size; of no weight where there are experts, who have their own */
    bool qkv_bias; /* bias on q, k, v */
    bool output_bias; /* bias on o (attention_bias: true) */
    bool mlp_bias, tied_embeddings;
    bool qk_norm; /* RMSNorm per head on q and k (qwen3) */
    double norm_epsilon, rope_theta;
    char rope_scaling[MODEL_NAME_BYTES]; /* "", "llama3", "linear" or "yarn" */
    double rope_factor, rope_low_frequency_factor, rope_high_frequency_factor;
    double rope_beta_fast, rope_beta_slow; /* yarn: turns over the original positions */
    double rope_attention_factor;          /* yarn: cosine and sine are multiplied by it */
    bool rope_truncate;                    /* yarn: the ramp begins and ends at whole pairs */
    int64_t rope_original_positions;
    int64_t sliding_window;                  /* 0: none; see model_window */
    uint64_t full_layer[MODEL_WINDOW_WORDS]; /* bit n % 64 of word n / 64: no window in layer n */
    bool attention_sinks;                    /* a learned logit a head in the softmax's sum */
    int64_t experts, experts_per_token;      /* 0: dense */
    int64_t expert_ffn;                      /* width of a routed expert */
    int64_t shared_ffn;                      /* of the shared expert beside them; 0: none */
    bool router_bias, expert_bias;           /* expert_bias: on gate, up and down */
    bool normalise_experts;                  /* weights: softmax of the chosen logits, not of all */
    bool clamped_gate; /* (up' + 1) gate' sigmoid(gate_alpha gate') in the place of silu(gate) up:
                          gate' is gate of at most gate_limit, up' is up within +-gate_limit */
    double gate_limit, gate_alpha;
    int64_t bos_token, end_token[MODEL_MOST_END_TOKENS]; /* bos_token -1: none */
    int32_t end_tokens;                                  /* 0: generation never ends by itself */
};

/* Reads PATH (a config.json or its folder). Every fault goes to `report`, by key; an architecture
 * outside the family is refused by its name. Returns whether `model` is usable. */
bool model_read(const char *path, struct model *model, struct base_report *report);

bool model_is_valid(const struct model *model);

/* Positions that a query of a layer sees, its own included; 0: all before it. */
int64_t model_window(const struct model *model, int64_t layer);

/* Trainable parameters, biases and norms included; tied embeddings count once. */
int64_t model_parameter_count(const struct model *model);

/* Those that one token passes through: of the routed experts only experts_per_token. */
int64_t model_active_parameter_count(const struct model *model);

#endif
