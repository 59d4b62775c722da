# SPDX-License-Identifier: BSD-3-Clause
"""Runs a model in NumPy float64: usage oracle.py FOLDER --ids 1,403,407 --count 16.

Families: llama, mistral, qwen2, qwen3, and with experts mixtral, qwen2_moe, qwen3_moe, gpt_oss.

FOLDER has config.json and one model.safetensors with Hugging Face names. A model with a tensor that is not used here
is refused.
"""
import argparse
import json
import math
import pathlib
import re
from types import SimpleNamespace

import numpy as np

import oracle_experts

# Name here -> name in the file, below model.layers.N.
MATRICES = {
    "attention_norm": "input_layernorm.weight", "mlp_norm": "post_attention_layernorm.weight",
    "q": "self_attn.q_proj.weight", "k": "self_attn.k_proj.weight", "v": "self_attn.v_proj.weight",
    "o": "self_attn.o_proj.weight",
}
DENSE = {"gate": "mlp.gate_proj.weight", "up": "mlp.up_proj.weight", "down": "mlp.down_proj.weight"}
# Those that a layer may have.
OTHERS = {
    "q_bias": "self_attn.q_proj.bias", "k_bias": "self_attn.k_proj.bias", "v_bias": "self_attn.v_proj.bias",
    "o_bias": "self_attn.o_proj.bias", "q_norm": "self_attn.q_norm.weight", "k_norm": "self_attn.k_norm.weight",
    "sinks": "self_attn.sinks", "gate_bias": "mlp.gate_proj.bias", "up_bias": "mlp.up_proj.bias",
    "down_bias": "mlp.down_proj.bias",
}
STORED = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"), "U8": np.dtype("u1")}


def widened(data, dtype):
    """Stored bytes as float64, exactly: a bfloat16 is the upper half of a float32."""
    stored = np.frombuffer(data, STORED[dtype])
    if dtype == "BF16":
        stored = (stored.astype("<u4") << 16).view("<f4")
    return stored.astype(np.float64)


def read_tensors(path):
    """Name -> array of float64."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        tensors[name] = widened(data[start + first:start + end], entry["dtype"]).reshape(entry["shape"])
    return tensors


def read_windows(keys):
    """Positions that a layer sees, of each layer; None: all."""
    layers, family = range(keys["num_hidden_layers"]), keys["model_type"]
    window = keys.get("sliding_window")
    if family == "llama" or family.startswith("qwen") and not keys.get("use_sliding_window"):
        window = None
    if "layer_types" in keys:
        slides = [kind == "sliding_attention" for kind in keys["layer_types"]]
    elif family in ("qwen2", "qwen3"):
        slides = [n >= keys.get("max_window_layers", 28) for n in layers]
    else:
        slides = [n % 2 == 0 or family != "gpt_oss" for n in layers]
    return [window if slide else None for slide in slides]


def read_config(folder):
    keys = json.loads((folder / "config.json").read_text())
    heads = keys["num_attention_heads"]
    rope = keys.get("rope_parameters") or keys.get("rope_scaling") or {}
    return SimpleNamespace(
        layers=keys["num_hidden_layers"], hidden=keys["hidden_size"], ffn=keys["intermediate_size"],
        heads=heads, kv_heads=keys.get("num_key_value_heads") or heads,
        head_dim=keys.get("head_dim") or keys["hidden_size"] // heads, vocabulary=keys["vocab_size"],
        epsilon=keys.get("rms_norm_eps", 1e-6), is_tied=keys.get("tie_word_embeddings", False),
        theta=rope.get("rope_theta", keys.get("rope_theta", 10000.0)), rope=rope,
        family=keys["model_type"], windows=read_windows(keys),
        experts=keys.get("num_local_experts", keys.get("num_experts", 0)),
        experts_per_token=keys.get("num_experts_per_tok", 0),
        normalises=keys["model_type"] in ("mixtral", "gpt_oss") or keys.get("norm_topk_prob", False),
        gate_limit=keys.get("swiglu_limit", 7.0) if keys["model_type"] == "gpt_oss" else None,
        gate_alpha=keys.get("swiglu_alpha", 1.702))


def read_weights(folder, config):
    """Embedding, layers, final norm and head; a layer has those of OTHERS that the file has."""
    tensors = read_tensors(folder / "model.safetensors")
    embedding = tensors.pop("model.embed_tokens.weight")
    head = embedding if config.is_tied else tensors["lm_head.weight"]
    tensors.pop("lm_head.weight", None)
    layers = []
    for n in range(config.layers):
        names = MATRICES if config.experts else {**MATRICES, **DENSE}
        layer = {name: tensors.pop(f"model.layers.{n}.{stored}") for name, stored in names.items()}
        for name, stored in OTHERS.items():
            if f"model.layers.{n}.{stored}" in tensors:
                layer[name] = tensors.pop(f"model.layers.{n}.{stored}")
        if config.experts:
            layer |= oracle_experts.read_experts(tensors, f"model.layers.{n}.", config)
        layers.append(layer)
    norm = tensors.pop("model.norm.weight")
    unused = [name for name in tensors if not name.endswith("rotary_emb.inv_freq")]
    if unused:
        raise ValueError(f"{folder}: tensors that no rule here uses: {unused}")
    return SimpleNamespace(embedding=embedding, layers=layers, norm=norm, head=head)


def yarn_frequencies(config, frequencies):
    """Between the pair that turns beta_fast times over the original positions and the one that turns beta_slow times,
    from as they are to divided by the factor, linearly in the pair."""
    rope = config.rope

    def pair_that_turns(count):
        wavelength = rope["original_max_position_embeddings"] / count
        return config.head_dim / 2 * math.log(wavelength / (2 * math.pi), config.theta)

    first, last = pair_that_turns(rope.get("beta_fast", 32)), pair_that_turns(rope.get("beta_slow", 1))
    if rope.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, config.head_dim - 1)
    slowed = np.interp(np.arange(config.head_dim // 2), [first, last if last != first else first + 0.001], [0, 1])
    return frequencies * (1 - slowed + slowed / rope["factor"])


def rope_gain(config):
    """Factor of cosine and sine: 1 but for yarn."""
    rope = config.rope
    if (rope.get("rope_type") or rope.get("type")) != "yarn":
        return 1.0
    return rope.get("attention_factor") or 0.1 * math.log(max(rope["factor"], 1)) + 1


def rope_frequencies(config):
    """Radians a position, for each pair of lanes of a head."""
    frequencies = config.theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    rope, kind = config.rope, config.rope.get("rope_type") or config.rope.get("type") or "default"
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / rope["factor"]
    if kind == "llama3":
        turns = rope["original_max_position_embeddings"] * frequencies / (2 * math.pi)
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        kept = np.clip((turns - low) / (high - low), 0, 1)
        return frequencies * (kept + (1 - kept) / rope["factor"])
    if kind == "yarn":
        return yarn_frequencies(config, frequencies)
    raise ValueError(f"rope scaling {kind} is not known")


def normed(rows, gain, epsilon):
    return rows / np.sqrt((rows * rows).mean(axis=-1, keepdims=True) + epsilon) * gain


def rotated(heads, angles, gain=1.0):
    """heads[position, head, lane] turned by angles[position, pair]; a pair is lane i and lane i + half."""
    low, high = np.split(heads, 2, axis=-1)
    cos, sin = gain * np.cos(angles)[:, None], gain * np.sin(angles)[:, None]
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)


def softmax(scores, sinks=None):
    """Over the last axis of scores[head, query, key]; a head's sink takes a share that goes nowhere."""
    most = scores.max(axis=-1, keepdims=True)
    lost = 0
    if sinks is not None:
        most = np.maximum(most, sinks[:, None, None])
        lost = np.exp(sinks[:, None, None] - most)
    weights = np.exp(scores - most)
    return weights / (weights.sum(axis=-1, keepdims=True) + lost)


def attended(queries, keys, values, window=None, sinks=None):
    """queries[n, head, lane] are the last n of all positions; a head sees its own position and those before it, of
    which a window counts in its own."""
    shared = queries.shape[1] // keys.shape[1]
    keys, values = np.repeat(keys, shared, axis=1), np.repeat(values, shared, axis=1)
    scores = np.einsum("qhd,khd->hqk", queries, keys) / math.sqrt(queries.shape[2])
    behind = np.arange(len(keys) - len(queries), len(keys))[:, None] - np.arange(len(keys))
    scores[:, (behind < 0) | (behind >= (window or len(keys)))] = -np.inf
    mixed = np.einsum("hqk,khd->qhd", softmax(scores, sinks), values)
    return mixed.reshape(len(queries), -1)


class Model:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights
        self.frequencies, self.gain = rope_frequencies(config), rope_gain(config)

    def new_cache(self):
        """Keys and values [position, head, lane] of each layer, as yet of no position."""
        empty = np.zeros((0, self.config.kv_heads, self.config.head_dim))
        return [(empty, empty) for _ in range(self.config.layers)]

    def logits(self, ids, cache=None):
        """[len(ids), vocabulary]; with a cache, ids follow the positions in it and join them."""
        cache = self.new_cache() if cache is None else cache
        first = len(cache[0][0])
        angles = np.arange(first, first + len(ids))[:, None] * self.frequencies
        rows = self.weights.embedding[list(ids)]
        for n, layer in enumerate(self.weights.layers):
            rows, cache[n] = self.after_attention(layer, rows, angles, cache[n], self.config.windows[n])
            rows = self.after_mlp(layer, rows)
        return normed(rows, self.weights.norm, self.config.epsilon) @ self.weights.head.T

    def heads(self, layer, name, x):
        heads = (x @ layer[name].T + layer.get(f"{name}_bias", 0)).reshape(len(x), -1, self.config.head_dim)
        gain = layer.get(f"{name}_norm")
        return heads if gain is None else normed(heads, gain, self.config.epsilon)

    def after_attention(self, layer, rows, angles, cached, window):
        x = normed(rows, layer["attention_norm"], self.config.epsilon)
        q, k, v = (self.heads(layer, name, x) for name in "qkv")
        keys = np.concatenate([cached[0], rotated(k, angles, self.gain)])
        values = np.concatenate([cached[1], v])
        mixed = attended(rotated(q, angles, self.gain), keys, values, window, layer.get("sinks"))
        return rows + mixed @ layer["o"].T + layer.get("o_bias", 0), (keys, values)

    def after_mlp(self, layer, rows):
        x = normed(rows, layer["mlp_norm"], self.config.epsilon)
        if self.config.experts:
            return rows + oracle_experts.mixed(layer, x, self.config)
        gate, up = (x @ layer[name].T + layer.get(f"{name}_bias", 0) for name in ("gate", "up"))
        return rows + (gate / (1 + np.exp(-gate)) * up) @ layer["down"].T + layer.get("down_bias", 0)


def load(folder):
    folder = pathlib.Path(folder)
    config = read_config(folder)
    return Model(config, read_weights(folder, config))


def greedy(model, ids, count, end_tokens=()):
    """At most count new ids; the last may be an end token. The lowest id wins among equals."""
    cache, new, following = model.new_cache(), [], ids
    while len(new) < count and not (new and new[-1] in end_tokens):
        new.append(int(model.logits(following, cache)[-1].argmax()))
        following = new[-1:]
    return new


def id_list(text):
    return [int(word) for word in re.split(r"[,\s]+", text.strip())]


def arguments(description):
    """What every command that decodes greedily takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--ids", type=id_list, required=True, help="prompt, as 1,403,407")
    parser.add_argument("--count", type=int, required=True, help="new ids")
    parser.add_argument("--end", type=id_list, default=[], help="ids that end the text")
    return parser


def main():
    options = arguments(__doc__).parse_args()
    print(*greedy(load(options.folder), options.ids, options.count, options.end))


if __name__ == "__main__":
    main()
