# SPDX-License-Identifier: BSD-3-Clause
"""Runs a dense Llama-family model in NumPy float64: usage oracle.py FOLDER --ids 1,403,407 --count 16.

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

# Name here -> name in the file, below model.layers.N.
MATRICES = {
    "attention_norm": "input_layernorm.weight", "mlp_norm": "post_attention_layernorm.weight",
    "q": "self_attn.q_proj.weight", "k": "self_attn.k_proj.weight", "v": "self_attn.v_proj.weight",
    "o": "self_attn.o_proj.weight",
    "gate": "mlp.gate_proj.weight", "up": "mlp.up_proj.weight", "down": "mlp.down_proj.weight",
}
BIASES = {"q_bias": "self_attn.q_proj.bias", "k_bias": "self_attn.k_proj.bias", "v_bias": "self_attn.v_proj.bias"}
STORED = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


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


def read_config(folder):
    keys = json.loads((folder / "config.json").read_text())
    heads = keys["num_attention_heads"]
    rope = keys.get("rope_parameters") or keys.get("rope_scaling") or {}
    return SimpleNamespace(
        layers=keys["num_hidden_layers"], hidden=keys["hidden_size"], ffn=keys["intermediate_size"],
        heads=heads, kv_heads=keys.get("num_key_value_heads") or heads,
        head_dim=keys.get("head_dim") or keys["hidden_size"] // heads, vocabulary=keys["vocab_size"],
        epsilon=keys.get("rms_norm_eps", 1e-6), is_tied=keys.get("tie_word_embeddings", False),
        theta=rope.get("rope_theta", keys.get("rope_theta", 10000.0)), rope=rope)


def read_weights(folder, config):
    """Embedding, layers, final norm and head; a layer has the biases that the file has."""
    tensors = read_tensors(folder / "model.safetensors")
    embedding = tensors.pop("model.embed_tokens.weight")
    head = embedding if config.is_tied else tensors["lm_head.weight"]
    tensors.pop("lm_head.weight", None)
    layers = []
    for n in range(config.layers):
        layer = {name: tensors.pop(f"model.layers.{n}.{stored}") for name, stored in MATRICES.items()}
        for name, stored in BIASES.items():
            if f"model.layers.{n}.{stored}" in tensors:
                layer[name] = tensors.pop(f"model.layers.{n}.{stored}")
        layers.append(layer)
    norm = tensors.pop("model.norm.weight")
    unused = [name for name in tensors if not name.endswith("rotary_emb.inv_freq")]
    if unused:
        raise ValueError(f"{folder}: tensors that no rule here uses: {unused}")
    return SimpleNamespace(embedding=embedding, layers=layers, norm=norm, head=head)


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
    raise ValueError(f"rope scaling {kind} is not known")


def normed(rows, gain, epsilon):
    return rows / np.sqrt((rows * rows).mean(axis=-1, keepdims=True) + epsilon) * gain


def rotated(heads, angles):
    """heads[position, head, lane] turned by angles[position, pair]; a pair is lane i and lane i + half."""
    low, high = np.split(heads, 2, axis=-1)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def attended(queries, keys, values):
    """queries[n, head, lane] are the last n of all positions; a head sees its own position and those before it."""
    shared = queries.shape[1] // keys.shape[1]
    keys, values = np.repeat(keys, shared, axis=1), np.repeat(values, shared, axis=1)
    scores = np.einsum("qhd,khd->hqk", queries, keys) / math.sqrt(queries.shape[2])
    future = np.triu(np.ones(scores.shape[1:], bool), len(keys) - len(queries) + 1)
    scores[:, future] = -np.inf
    mixed = np.einsum("hqk,khd->qhd", softmax(scores), values)
    return mixed.reshape(len(queries), -1)


class Model:
    def __init__(self, config, weights):
        self.config, self.weights = config, weights
        self.frequencies = rope_frequencies(config)

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
            rows, cache[n] = self.after_attention(layer, rows, angles, cache[n])
            rows = self.after_mlp(layer, rows)
        return normed(rows, self.weights.norm, self.config.epsilon) @ self.weights.head.T

    def after_attention(self, layer, rows, angles, cached):
        x = normed(rows, layer["attention_norm"], self.config.epsilon)
        split = (len(rows), -1, self.config.head_dim)
        q, k, v = ((x @ layer[name].T + layer.get(f"{name}_bias", 0)).reshape(split) for name in "qkv")
        keys = np.concatenate([cached[0], rotated(k, angles)])
        values = np.concatenate([cached[1], v])
        return rows + attended(rotated(q, angles), keys, values) @ layer["o"].T, (keys, values)

    def after_mlp(self, layer, rows):
        x = normed(rows, layer["mlp_norm"], self.config.epsilon)
        gate, up = x @ layer["gate"].T, x @ layer["up"].T
        return rows + (gate / (1 + np.exp(-gate)) * up) @ layer["down"].T


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
