# SPDX-License-Identifier: BSD-3-Clause
"""What make_model.py draws for a mixture of experts: the keys of its config.json and a layer's tensors."""
import numpy as np

from oracle_experts import APART, FP4, ROUTER, SHARED

# Logits of a router and of a shared expert's gate have this standard deviation: a choice matters, and changes.
ROUTER_GAIN = 2.0


def keys_of(options):
    """Keys of config.json beside those of a dense model."""
    experts = "num_experts" if options.family.startswith("qwen") else "num_local_experts"
    keys = {experts: options.experts, "num_experts_per_tok": options.experts_per_token}
    if options.family.startswith("qwen"):
        keys |= {"moe_intermediate_size": options.expert_ffn, "norm_topk_prob": not options.plain_weights}
    else:
        keys["intermediate_size"] = options.expert_ffn
    if options.family == "qwen2_moe":
        keys["shared_expert_intermediate_size"] = options.shared_ffn
    if options.family == "gpt_oss":
        keys |= {"attention_bias": True, "swiglu_limit": options.gate_limit}
    return keys


def drawn_fused(options, random, gain):
    """gpt_oss: gate and up of all experts in one tensor, their outputs alternating."""
    experts, hidden, width = options.experts, options.hidden, options.expert_ffn
    return {
        "router.weight": random.normal(0, ROUTER_GAIN / np.sqrt(hidden), (experts, hidden)),
        "router.bias": random.normal(0, 0.5, experts),
        "experts.gate_up_proj": random.normal(0, 1 / np.sqrt(hidden), (experts, hidden, 2 * width)),
        "experts.gate_up_proj_bias": random.normal(0, 0.5, (experts, 2 * width)),
        "experts.down_proj": random.normal(0, gain / np.sqrt(width), (experts, width, hidden)),
        "experts.down_proj_bias": random.normal(0, 0.5, (experts, hidden)),
    }


def drawn_apart(options, random, gain):
    kind = "mixtral" if options.family == "mixtral" else "qwen"
    hidden, width = options.hidden, options.expert_ffn
    tensors = {ROUTER[kind]: random.normal(0, ROUTER_GAIN / np.sqrt(hidden), (options.experts, hidden))}
    gate, up, down = APART[kind]
    for e in range(options.experts):
        tensors[gate.format(e)] = random.normal(0, 1 / np.sqrt(hidden), (width, hidden))
        tensors[up.format(e)] = random.normal(0, 1 / np.sqrt(hidden), (width, hidden))
        tensors[down.format(e)] = random.normal(0, gain / np.sqrt(width), (hidden, width))
    return tensors


def drawn_shared(options, random, gain):
    hidden, width = options.hidden, options.shared_ffn
    return {
        SHARED["shared_gate"]: random.normal(0, 1 / np.sqrt(hidden), (width, hidden)),
        SHARED["shared_up"]: random.normal(0, 1 / np.sqrt(hidden), (width, hidden)),
        SHARED["shared_down"]: random.normal(0, gain / np.sqrt(width), (hidden, width)),
        SHARED["shared_router"]: random.normal(0, ROUTER_GAIN / np.sqrt(hidden), (1, hidden)),
    }


def packed(matrix):
    """[experts, inputs, outputs] as blocks and scales of MXFP4: a block of 32 inputs has its greatest number at 4 to 8,
    which 6 ends."""
    rows = matrix.transpose(0, 2, 1)
    blocks = rows.reshape(*rows.shape[:2], -1, 32)
    powers = np.floor(np.log2(np.abs(blocks).max(axis=-1))) - 2
    nearest = np.abs(blocks[..., None] / 2.0 ** powers[..., None, None] - FP4).argmin(axis=-1).astype(np.uint8)
    return nearest[..., ::2] | nearest[..., 1::2] << 4, (powers + 127).astype(np.uint8)


def pack(tensors):
    """Replaces the experts' matrices by their blocks and scales."""
    for name in ("experts.gate_up_proj", "experts.down_proj"):
        tensors[name + "_blocks"], tensors[name + "_scales"] = packed(tensors.pop(name))


def layer_tensors(options, random, gain):
    """Name behind model.layers.N. -> array; `gain` is that of what is added to the residual stream."""
    if options.family != "gpt_oss":
        tensors = drawn_apart(options, random, gain)
        return tensors | drawn_shared(options, random, gain) if options.family == "qwen2_moe" else tensors
    tensors = drawn_fused(options, random, gain)
    if options.packed:
        pack(tensors)
    return {"mlp." + name: array for name, array in tensors.items()}
