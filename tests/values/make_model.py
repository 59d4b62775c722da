# SPDX-License-Identifier: BSD-3-Clause
"""Writes a small random model: usage make_model.py FOLDER --layers 2 --hidden 64 ... --seed 1.

The same arguments give the same bytes. FOLDER gets config.json and model.safetensors.
"""
import argparse
import json
import pathlib

import numpy as np

# Of a layer on the residual stream; enough that the context decides, not the last token alone.
OUTPUT_GAIN = 4.0
# Name of the type -> its name in config.json.
TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def config_of(options):
    """Biases on q, k and v alone are what a Qwen2 has."""
    family = ("Qwen2ForCausalLM", "qwen2") if options.bias else ("LlamaForCausalLM", "llama")
    return {
        "architectures": [family[0]], "model_type": family[1],
        "hidden_size": options.hidden, "intermediate_size": options.ffn, "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads, "num_key_value_heads": options.kv_heads, "head_dim": options.head_dim,
        "vocab_size": options.vocab, "max_position_embeddings": options.positions, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": not options.untied,
        "torch_dtype": TYPES[options.dtype],
    }


def random_tensors(options):
    """Name -> float64 array. The final gains have random signs; else a tied head would repeat its token for ever."""
    random = np.random.default_rng(options.seed)
    hidden, queries, kv = options.hidden, options.heads * options.head_dim, options.kv_heads * options.head_dim

    def matrix(rows, columns, gain=1.0):
        return random.normal(0, gain / np.sqrt(columns), (rows, columns))

    def norm_gain():
        return random.normal(1, 0.1, hidden)

    tensors = {"model.embed_tokens.weight": random.normal(0, 1, (options.vocab, hidden))}
    for n in range(options.layers):
        name = f"model.layers.{n}."
        tensors[name + "input_layernorm.weight"] = norm_gain()
        for projection, rows in (("q", queries), ("k", kv), ("v", kv)):
            tensors[f"{name}self_attn.{projection}_proj.weight"] = matrix(rows, hidden)
            if options.bias:
                tensors[f"{name}self_attn.{projection}_proj.bias"] = random.normal(0, 0.5, rows)
        tensors[name + "self_attn.o_proj.weight"] = matrix(hidden, queries, OUTPUT_GAIN)
        tensors[name + "post_attention_layernorm.weight"] = norm_gain()
        tensors[name + "mlp.gate_proj.weight"] = matrix(options.ffn, hidden)
        tensors[name + "mlp.up_proj.weight"] = matrix(options.ffn, hidden)
        tensors[name + "mlp.down_proj.weight"] = matrix(hidden, options.ffn, OUTPUT_GAIN)
    tensors["model.norm.weight"] = norm_gain() * random.choice([-1, 1], hidden)
    if options.untied:
        tensors["lm_head.weight"] = random.normal(0, 1, (options.vocab, hidden))
    if options.below_zero:
        push_below_zero(tensors)
    return tensors


def push_below_zero(tensors):
    """The first element of a row is large whatever the token, and the head turns it into less than zero."""
    tensors["model.embed_tokens.weight"][:, 0] = 8
    tensors["model.norm.weight"][0] = 20
    tensors["lm_head.weight"][:, 0] = -2


def stored(array, dtype):
    """The array's bytes; a bfloat16 is the upper half of a float32, rounded to even."""
    if dtype == "F16":
        return array.astype("<f2").tobytes()
    bits = array.astype("<f4").view("<u4")
    if dtype == "F32":
        return bits.tobytes()
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()


def safetensors(tensors, dtype):
    """Length of the header, header, data; the data start at a multiple of 8."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        first, data = len(data), data + stored(array, dtype)
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [first, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def write_model(options):
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "config.json").write_text(json.dumps(config_of(options), indent=1) + "\n")
    (options.folder / "model.safetensors").write_bytes(safetensors(random_tensors(options), options.dtype))


def parse(words=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    sizes = {"layers": 2, "hidden": 64, "heads": 8, "kv-heads": 4, "head-dim": 8, "ffn": 96, "vocab": 160,
             "positions": 512, "seed": 1}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--bias", action="store_true", help="biases on q, k and v; the model is then a qwen2")
    parser.add_argument("--untied", action="store_true", help="a head of its own")
    parser.add_argument("--below-zero", action="store_true", help="no logit is above zero; needs --untied")
    parser.add_argument("--dtype", choices=TYPES, default="F32")
    return parser.parse_args(words)


if __name__ == "__main__":
    write_model(parse())
