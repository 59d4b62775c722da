# SPDX-License-Identifier: BSD-3-Clause
"""Writes a small random model: usage make_model.py FOLDER --layers 2 --hidden 64 ... --seed 1.

The same arguments give the same bytes. FOLDER gets config.json and model.safetensors.
"""
import argparse
import json
import pathlib

import numpy as np

import make_experts

# Of a layer on the residual stream; enough that the context decides, not the last token alone.
OUTPUT_GAIN = 4.0
# Name of the type -> its name in config.json.
TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


# Family -> its class in transformers, whether q, k and v have biases, and whether q and k have norms.
FAMILIES = {
    "llama": ("LlamaForCausalLM", False, False), "mistral": ("MistralForCausalLM", False, False),
    "qwen2": ("Qwen2ForCausalLM", True, False), "qwen3": ("Qwen3ForCausalLM", False, True),
    "mixtral": ("MixtralForCausalLM", False, False), "qwen2_moe": ("Qwen2MoeForCausalLM", True, False),
    "qwen3_moe": ("Qwen3MoeForCausalLM", False, True), "gpt_oss": ("GptOssForCausalLM", True, False),
}
MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss")


def window_keys(options):
    """A window of all layers, but of every second one of a gpt_oss, whose default is another window."""
    if not options.window:
        return {"sliding_window": None}
    switch = {"use_sliding_window": True} if options.family.startswith("qwen") else {}
    late = {"max_window_layers": options.window_from} if options.family in ("qwen2", "qwen3") else {}
    return {"sliding_window": options.window, **switch, **late}


def config_of(options):
    """Keys of config.json."""
    yarn = {"rope_type": "yarn", "factor": options.yarn, "beta_fast": 4.0, "beta_slow": 1.0, "truncate": False,
            "original_max_position_embeddings": 64}
    keys = {
        "architectures": [FAMILIES[options.family][0]], "model_type": options.family,
        "hidden_size": options.hidden, "intermediate_size": options.ffn, "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads, "num_key_value_heads": options.kv_heads, "head_dim": options.head_dim,
        "vocab_size": options.vocab, "max_position_embeddings": options.positions, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": not options.untied,
        "torch_dtype": TYPES[options.dtype],
    }
    if options.family not in ("llama", "qwen2") or options.window:
        keys |= window_keys(options)
    if options.yarn:
        keys["rope_scaling"] = yarn
    if options.all_biases:
        keys |= {"attention_bias": True, "mlp_bias": True}
    return keys | make_experts.keys_of(options) if options.family in MIXTURES else keys


def random_tensors(options):
    """Name -> float64 array. The final gains have random signs; else a tied head would repeat its token for ever."""
    random = np.random.default_rng(options.seed)
    _, has_bias, has_norms = FAMILIES[options.family]
    has_bias = has_bias or options.all_biases
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
            if has_bias:
                tensors[f"{name}self_attn.{projection}_proj.bias"] = random.normal(0, 0.5, rows)
        tensors[name + "self_attn.o_proj.weight"] = matrix(hidden, queries, OUTPUT_GAIN)
        tensors[name + "post_attention_layernorm.weight"] = norm_gain()
        for projection in "qk" if has_norms else "":
            tensors[f"{name}self_attn.{projection}_norm.weight"] = random.normal(1, 0.3, options.head_dim)
        if options.family == "gpt_oss":
            tensors[name + "self_attn.o_proj.bias"] = random.normal(0, 0.5, hidden)
            tensors[name + "self_attn.sinks"] = random.normal(0, 1, options.heads)
        if options.all_biases:
            for projection, rows in (("self_attn.o", hidden), ("mlp.gate", options.ffn), ("mlp.up", options.ffn),
                                     ("mlp.down", hidden)):
                tensors[f"{name}{projection}_proj.bias"] = random.normal(0, 0.5, rows)
        if options.family in MIXTURES:
            layer = make_experts.layer_tensors(options, random, OUTPUT_GAIN)
            tensors |= {name + stored: array for stored, array in layer.items()}
            continue
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
        is_packed = array.dtype == np.uint8
        first, data = len(data), data + (array.tobytes() if is_packed else stored(array, dtype))
        header[name] = {"dtype": "U8" if is_packed else dtype, "shape": array.shape, "data_offsets": [first, len(data)]}
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
             "positions": 512, "seed": 1, "experts": 8, "experts-per-token": 2, "expert-ffn": 32, "shared-ffn": 48,
             "window": 0, "window-from": 0}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--family", choices=FAMILIES, default="llama")
    parser.add_argument("--bias", dest="family", action="store_const", const="qwen2",
                        help="biases on q, k and v: a qwen2")
    parser.add_argument("--all-biases", action="store_true", help="biases of all products of a llama")
    parser.add_argument("--yarn", type=float, default=0, help="factor of the yarn scaling; gpt_oss needs one")
    parser.add_argument("--gate-limit", type=float, default=1.0, help="of a gpt_oss, low enough to matter")
    parser.add_argument("--packed", action="store_true", help="experts of a gpt_oss as MXFP4")
    parser.add_argument("--plain-weights", action="store_true", help="a qwen's experts weighted by softmax over all")
    parser.add_argument("--untied", action="store_true", help="a head of its own")
    parser.add_argument("--below-zero", action="store_true", help="no logit is above zero; needs --untied")
    parser.add_argument("--dtype", choices=TYPES, default="F32")
    return parser.parse_args(words)


if __name__ == "__main__":
    write_model(parse())
