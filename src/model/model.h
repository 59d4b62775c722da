/* SPDX-License-Identifier: BSD-3-Clause */
/* A decoder-only transformer as its config.json has it, and the ops of one step for one bucket. */
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

/* What an op of the graph does; shapes are in struct model_op. */
enum model_op_kind {
    MODEL_OP_EMBED,  /* token -> hidden */
    MODEL_OP_NORM,   /* RMSNorm over hidden (or over a head for q/k norm) */
    MODEL_OP_LINEAR, /* y[rows, n] = x[rows, k] W[k, n] (+ bias) */
    MODEL_OP_ROPE,
    MODEL_OP_KV_WRITE,
    MODEL_OP_ATTENTION, /* rows queries a sequence against kv_positions keys */
    MODEL_OP_ACTIVATE,  /* silu(gate) * up, or the clamped gate */
    MODEL_OP_ADD,       /* residual; shared expert */
    MODEL_OP_SAMPLE,    /* greedy: argmax over the vocabulary */
    MODEL_OP_CHOOSE,    /* router's logits -> the experts of a row and their weights */
    MODEL_OP_EXPERTS,   /* as LINEAR, for each expert that a row has chosen */
    MODEL_OP_SCALE,     /* shared expert times the sigmoid of its gate */
    MODEL_OP_COMBINE,   /* results of a row's experts, summed by their weights */
};

/* Which linear layer an op is, so that splits and kernels can speak of it. */
enum model_linear {
    MODEL_LINEAR_NONE,
    MODEL_LINEAR_Q,
    MODEL_LINEAR_K,
    MODEL_LINEAR_V,
    MODEL_LINEAR_O,
    MODEL_LINEAR_GATE,
    MODEL_LINEAR_UP,
    MODEL_LINEAR_DOWN,
    MODEL_LINEAR_HEAD,
    MODEL_LINEAR_ROUTER,
    MODEL_LINEAR_SHARED_GATE, /* one logit */
};

/* n is the elements of a row of the result, but for KV_WRITE (what a row stores: k and v) and
 * SAMPLE (what a row reads: the vocabulary). k is the contraction of LINEAR and EXPERTS, the group
 * of NORM, the head_dim of ROPE and ATTENTION, the experts of CHOOSE, and 0 elsewhere. Experts
 * that a row has chosen lie side by side in it: EXPERTS and ACTIVATE between them have n = chosen x
 * the width of one. */
struct model_op {
    enum model_op_kind kind;
    enum model_linear linear;
    int32_t layer; /* -1 outside the layers */
    int64_t rows;  /* tokens that pass through: batch (decode) or chunk (prefill) */
    int64_t k, n;
    int64_t kv_positions;      /* attention: keys a query may see (padded to the bucket); else 0 */
    int64_t chosen;            /* experts a row has chosen: CHOOSE, EXPERTS, COMBINE; else 0 */
    int64_t weight_elements;   /* parameters read, each once; of EXPERTS: the most there can be */
    int64_t expected_elements; /* EXPERTS: the mean if all experts are as likely; else the same */
    int64_t multiply_adds;     /* LINEAR, EXPERTS, ATTENTION (every padded key counts); else 0 */
    int32_t input[3];          /* ops whose results this one needs; unused ones last, -1 */
};

/* Ops of one step; op i needs only ops before it. First embed; a layer is norm, q, k, v, with
 * qk_norm a norm each of q and k, rope (of both), kv_write, attention, o, add, norm, gate, up,
 * activate, down, add; last, with head_rows > 0: norm, head, sample. With experts, between a
 * layer's second norm and its last add: router, choose, gate, up, activate, down (of the experts),
 * combine; with a shared expert also gate, up, activate, down, shared_gate, scale, add. */
struct model_graph {
    struct model_op *op;
    size_t count;
    int64_t rows; /* tokens of the step */
    int64_t kv_positions;
    bool prefill;
};

/* Decode: rows = batch; prefill: rows = chunk. LM head and sampling run on `head_rows` rows
 * (batch, or 1 at the end of a prompt, or 0 in the middle of one). Needs model_is_valid, rows up to
 * MODEL_MOST_ROWS and kv_positions up to MODEL_MOST_POSITIONS. Release with model_graph_release. */
struct model_graph model_graph_build(const struct model *model, int64_t rows, int64_t kv_positions,
                                     bool prefill, int64_t head_rows);
void model_graph_release(struct model_graph *graph);

/* Whether shapes and dependences agree: every op but the last is needed by a later one. */
bool model_graph_is_valid(const struct model_graph *graph);

/* "embed", "norm", "q", ..., "sample". */
const char *model_op_name(const struct model_op *op);

#endif
