/* SPDX-License-Identifier: BSD-3-Clause */
/* The ops of one step of a model for one bucket. */
#ifndef MODEL_GRAPH_H
#define MODEL_GRAPH_H

#include "model/model.h"

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
