# SPDX-License-Identifier: BSD-3-Clause
"""Mixtures of experts for the oracle: how files store them, how a row chooses, and what the chosen give.

A layer gets "router" [experts, hidden], "expert_gate" and "expert_up" [experts, width, hidden], "expert_down" [experts,
hidden, width], and where the model has them "router_bias", the same names with "_bias", and a shared expert's
"shared_gate", "shared_up", "shared_down", "shared_router".
"""
import numpy as np

# Name in the file of an expert's gate, up and down; {} is the expert.
APART = {
    "mixtral": [f"block_sparse_moe.experts.{{}}.{name}.weight" for name in ("w1", "w3", "w2")],
    "qwen": [f"mlp.experts.{{}}.{name}_proj.weight" for name in ("gate", "up", "down")],
}
ROUTER = {"mixtral": "block_sparse_moe.gate.weight", "qwen": "mlp.gate.weight"}
SHARED = {"shared_gate": "mlp.shared_expert.gate_proj.weight", "shared_up": "mlp.shared_expert.up_proj.weight",
          "shared_down": "mlp.shared_expert.down_proj.weight", "shared_router": "mlp.shared_expert_gate.weight"}
# Numbers of MXFP4 by their four bits; a block of 32 shares a power of two.
FP4 = np.array([0, .5, 1, 1.5, 2, 3, 4, 6, -0., -.5, -1, -1.5, -2, -3, -4, -6])


def unpacked(blocks, scales):
    """[..., block, 16 bytes] and [..., block] as numbers [..., 32 x block]; the lower half of a byte comes first."""
    blocks, scales = blocks.astype(np.int64), scales.astype(np.int64)
    pairs = np.stack([FP4[blocks % 16], FP4[blocks // 16]], axis=-1)
    numbers = pairs.reshape(*scales.shape, 32) * 2.0 ** (scales - 127)[..., None]
    return numbers.reshape(*scales.shape[:-1], -1)


def read_fused(tensors, prefix):
    """gpt_oss: outputs of gate and up alternate, behind the inputs unless packed."""
    def matrix(name):
        """[experts, outputs, inputs]"""
        if prefix + name in tensors:
            return tensors.pop(prefix + name).transpose(0, 2, 1)
        return unpacked(tensors.pop(f"{prefix}{name}_blocks"), tensors.pop(f"{prefix}{name}_scales"))

    both, bias = matrix("experts.gate_up_proj"), tensors.pop(prefix + "experts.gate_up_proj_bias")
    return {"router": tensors.pop(prefix + "router.weight"), "router_bias": tensors.pop(prefix + "router.bias"),
            "expert_gate": both[:, ::2], "expert_up": both[:, 1::2], "expert_down": matrix("experts.down_proj"),
            "expert_gate_bias": bias[:, ::2], "expert_up_bias": bias[:, 1::2],
            "expert_down_bias": tensors.pop(prefix + "experts.down_proj_bias")}


def read_apart(tensors, layer, kind, experts):
    names = zip(("expert_gate", "expert_up", "expert_down"), APART[kind])
    read = {name: np.stack([tensors.pop(layer + stored.format(e)) for e in range(experts)]) for name, stored in names}
    read["router"] = tensors.pop(layer + ROUTER[kind])
    for name, stored in SHARED.items():
        if layer + stored in tensors:
            read[name] = tensors.pop(layer + stored)
    return read


def read_experts(tensors, layer, config):
    """What a layer has in the place of a dense MLP; takes it from the tensors."""
    if config.family == "gpt_oss":
        return read_fused(tensors, layer + "mlp.")
    return read_apart(tensors, layer, "mixtral" if config.family == "mixtral" else "qwen", config.experts)


def chosen(logits, count, normalises):
    """Experts of the greatest logits, the lowest of equals first, and their weights."""
    order = np.argsort(-logits, kind="stable")[:count]
    counted = logits[order] if normalises else logits
    powers = np.exp(counted - counted.max())
    weights = powers / powers.sum()
    return order, weights if normalises else weights[order]


def gated(gate, up, config):
    if config.gate_limit is None:
        return gate / (1 + np.exp(-gate)) * up
    gate, up = np.minimum(gate, config.gate_limit), np.clip(up, -config.gate_limit, config.gate_limit)
    return (up + 1) * gate / (1 + np.exp(-config.gate_alpha * gate))


def one_expert(layer, e, x, config):
    def linear(name, row):
        return layer[name][e] @ row + (layer[name + "_bias"][e] if name + "_bias" in layer else 0)

    return linear("expert_down", gated(linear("expert_gate", x), linear("expert_up", x), config))


def mixed(layer, x, config):
    """What the experts that rows x choose give, and the shared one."""
    out = np.zeros_like(x)
    for n, row in enumerate(x):
        logits = (layer["router"] * row).sum(axis=1) + layer.get("router_bias", 0)  # equal rows, equal logits
        for e, weight in zip(*chosen(logits, config.experts_per_token, config.normalises)):
            out[n] += weight * one_expert(layer, e, row, config)
    if "shared_gate" in layer:
        shared = gated(x @ layer["shared_gate"].T, x @ layer["shared_up"].T, config) @ layer["shared_down"].T
        out += shared / (1 + np.exp(-x @ layer["shared_router"].T))
    return out
