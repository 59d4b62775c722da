# SPDX-License-Identifier: BSD-3-Clause
"""The program's plain forward pass agrees with the oracle for every family, and names what a file of experts lacks.

Usage reference_agrees.py REFERENCE_LOGITS, the program of reference_logits.c.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import make_model
import oracle

# Of a float32 logit, in standard deviations of the model's logits.
MOST_OFF = 1e-5
TOKENS = 40

CASES = {
    "llama": [],
    "llama, yarn": ["--yarn", "8"],
    "mistral, window": ["--family", "mistral", "--window", "6"],
    "qwen2": ["--family", "qwen2", "--untied"],
    "qwen2, a window from layer 1 on": ["--family", "qwen2", "--window", "5", "--window-from", "1"],
    "qwen3": ["--family", "qwen3", "--seed", "2"],
    "mixtral": ["--family", "mixtral", "--seed", "3"],
    "mixtral, one expert of two": ["--family", "mixtral", "--experts", "2", "--experts-per-token", "1", "--window", "9"],
    "mixtral, all experts": ["--family", "mixtral", "--experts", "3", "--experts-per-token", "3", "--dtype", "F16"],
    "qwen3_moe": ["--family", "qwen3_moe", "--experts", "16", "--experts-per-token", "4", "--seed", "4"],
    "qwen3_moe, softmax over all": ["--family", "qwen3_moe", "--plain-weights", "--dtype", "BF16"],
    "qwen2_moe, shared expert": ["--family", "qwen2_moe", "--plain-weights", "--seed", "5"],
    "gpt_oss": ["--family", "gpt_oss", "--yarn", "4", "--window", "7", "--experts-per-token", "3"],
    "gpt_oss, bfloat16": ["--family", "gpt_oss", "--yarn", "32", "--window", "4", "--dtype", "BF16", "--untied"],
    "gpt_oss, MXFP4": ["--family", "gpt_oss", "--yarn", "4", "--window", "7", "--packed", "--hidden", "96", "--heads",
                       "4", "--head-dim", "16", "--expert-ffn", "64", "--layers", "3"],
}
program = pathlib.Path(sys.argv[1])


def write(folder, words, change=lambda tensors: None):
    """A random model, its tensors changed before they are written."""
    options = make_model.parse([str(folder), *words])
    make_model.write_model(options)
    tensors = make_model.random_tensors(options)
    change(tensors)
    (folder / "model.safetensors").write_bytes(make_model.safetensors(tensors, options.dtype))


def reference(folder, ids):
    """The program's logits [id, vocabulary], or what it says against the model."""
    file = folder / "logits"
    done = subprocess.run([program, folder, file, ",".join(map(str, ids))], capture_output=True, text=True, check=False)
    if done.returncode:
        assert done.returncode == 2, done
        return done.stderr
    return np.fromfile(file, np.float32).reshape(len(ids), -1)


def check(name, folder, words, change=lambda tensors: None):
    write(folder, words, change)
    model = oracle.load(folder)
    ids = np.random.default_rng(8).integers(0, model.config.vocabulary, TOKENS).tolist()
    found, exact = reference(folder, ids), model.logits(ids)
    assert isinstance(found, np.ndarray), (name, found)
    off = np.abs(found - exact).max() / exact.std()
    print(f"{name}: off by {off:.1e} standard deviations", flush=True)
    assert off <= MOST_OFF, name


def tie(tensors):
    """Experts 2 and 6 have one logit, and so have all others among themselves; what they compute differs."""
    for name, array in tensors.items():
        if name.endswith("block_sparse_moe.gate.weight"):
            array[[2, 6]] = array[2]
            array[[0, 1, 3, 4, 5, 7]] = array[0]


def refused(folder, words, change, *messages):
    write(folder, words, change)
    said = reference(folder, [1, 2, 3])
    for message in messages:
        assert isinstance(said, str) and message in said, (message, said)


def renaming(old, new):
    def change(tensors):
        for name in [name for name in tensors if old in name]:
            tensors[name.replace(old, new)] = tensors.pop(name)
    return change


def cutting(part):
    def change(tensors):
        for name in tensors:
            if part in name:
                tensors[name] = tensors[name][..., :-1]
    return change


def check_refusals(folder):
    layer, packed = "model.layers.1.", ["--family", "gpt_oss", "--yarn", "4", "--packed"]
    refused(folder, ["--family", "mixtral"], renaming("layers.1.block_sparse_moe.experts.5.w2", "nothing"),
            layer + "block_sparse_moe.experts.5.w2.weight: missing, expected shape [64, 32]")
    refused(folder, ["--family", "qwen3_moe"], cutting("mlp.gate.weight"),
            layer + "mlp.gate.weight: shape [8, 63], expected [8, 64]")
    refused(folder, ["--family", "qwen2_moe"], renaming("shared_expert_gate", "nothing"),
            layer + "mlp.shared_expert_gate.weight: missing, expected shape [1, 64]")
    refused(folder, ["--family", "qwen3"], renaming("q_norm", "nothing"),
            layer + "self_attn.q_norm.weight: missing, expected shape [8]")
    refused(folder, ["--family", "gpt_oss", "--yarn", "4"], renaming("experts.down_proj_bias", "nothing"),
            layer + "mlp.experts.down_proj_bias: missing, expected shape [8, 64]")
    refused(folder, ["--family", "gpt_oss", "--yarn", "4"], cutting("experts.gate_up_proj"),
            layer + "mlp.experts.gate_up_proj: shape [8, 64, 63], expected [8, 64, 64]",
            layer + "mlp.experts.gate_up_proj_bias: shape [8, 63], expected [8, 64]")
    refused(folder, packed, renaming("down_proj_scales", "nothing"),
            layer + "mlp.experts.down_proj_scales: missing, expected shape [8, 64, 1]")
    refused(folder, packed, cutting("gate_up_proj_blocks"),
            layer + "mlp.experts.gate_up_proj_blocks: shape [8, 64, 2, 15], expected [8, 64, 2, 16]")


with tempfile.TemporaryDirectory() as scratch:
    for title, settings in CASES.items():
        check(title, pathlib.Path(scratch), settings)
    check("mixtral, equal logits", pathlib.Path(scratch), CASES["mixtral"], tie)
    check_refusals(pathlib.Path(scratch))
