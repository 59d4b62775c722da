/* SPDX-License-Identifier: BSD-3-Clause */
/* What a supported family fixes, and the parts of a config.json that are read by it. */
#ifndef MODEL_FAMILY_PARTS_H
#define MODEL_FAMILY_PARTS_H

#include "model/keys.h"
#include "model/model.h"

enum { FAMILY_NO_DEFAULT = -1 };

/* Which layers look through the window where layer_types does not say. */
enum family_windows {
    FAMILY_WINDOWS_NONE, /* the family has no window */
    FAMILY_WINDOWS_ALL,
    FAMILY_WINDOWS_LATE,        /* from layer max_window_layers on */
    FAMILY_WINDOWS_ALTERNATING, /* layer 0, 2, ... */
    FAMILY_WINDOWS_LISTED,      /* layer_types is required */
};

/* A supported model_type. `kv_heads` 0: as many as heads, FAMILY_NO_DEFAULT: required; `head_dim`
 * 0: hidden / heads; `theta` and `epsilon` 0: 10,000 and 1e-6. */
struct family {
    const char *model_type, *architecture;
    int64_t kv_heads, head_dim;
    double theta, epsilon;
    bool always_qkv_bias; /* unless it reads_qkv_bias, and that is false */
    bool reads_qkv_bias, reads_attention_bias, reads_mlp_bias, qk_norm;
    bool has_attention_bias; /* where the key is absent */
    enum family_windows windows;
    int64_t sliding_window;  /* where the key is absent */
    bool window_is_switched; /* by use_sliding_window */
    /* Of a mixture of experts; NULL: dense. */
    const char *experts_key, *width_key;
    bool always_normalised; /* else norm_topk_prob says */
    bool may_have_dense_layers;
    bool has_shared_expert;
    bool is_gpt_oss; /* sinks, biases of router and experts, clamped gate */
};

/* rope_theta and how it is scaled. */
void family_read_rope(const struct keys *keys, const struct family *family, struct model *model);

/* The window and the layers without it. Needs shapes without faults. */
void family_read_window(const struct keys *keys, const struct family *family, struct model *model);

/* Experts, routing and the form of the gate; nothing of a dense family. */
void family_read_experts(const struct keys *keys, const struct family *family, struct model *model);

#endif
