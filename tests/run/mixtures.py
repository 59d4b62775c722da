# SPDX-License-Identifier: BSD-3-Clause
"""Mixtures of experts on the GPU cluster: their sizes, what a step reads, and what windows and batches do to it."""
import json
import pathlib
import tempfile

import h5py
import numpy as np

from program import CONFIGS, must

# Name -> parameters, those active for a token, experts, chosen.
MODELS = {
    "Mixtral-8x7B": (46702792704, 12879925248, 8, 2),
    "Qwen3-30B-A3B": (30532122624, 3353032704, 128, 8),
    "gpt-oss-20b": (20914757184, 4187440704, 32, 4),
}


def run(name, file, *words, ranks=0):
    """The summary of a run whose file is `file`."""
    keys = {"model.path": CONFIGS / "models" / name, "workload.decode_tokens": 3}
    settings = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    return json.loads(must(CONFIGS / "mixtral.cfg", *settings, "--quiet", "--json", "--out", file, *words, ranks=ranks))


def decode_ops(file):
    """Columns of the ops of a decode step, and a mask of the experts' products."""
    table = file["model/ops"]
    decode = table["phase"][:] == 1
    ops = {name: table[name][:][decode] for name in table}
    of_experts = np.isin(ops["name"], [b"gate", b"up", b"down"])
    return ops, of_experts


def check_sizes(name, folder):
    parameters, active, experts, chosen = MODELS[name]
    summary = run(name, folder / "one.h5")
    assert (summary["parameters"], summary["active_parameters"]) == (parameters, active), summary
    with h5py.File(folder / "one.h5") as file:
        assert file["model"].attrs["active_parameters"] == active
        ops, of_experts = decode_ops(file)
        all_of_them = ops["weight_elements"][of_experts].sum() * experts / chosen
        others = ops["weight_elements"][~of_experts][1:].sum() + ops["n"][0] * ops["n"][-1]
        assert all_of_them + others == parameters, (name, all_of_them, others)
        labels = file["gpu/kernels/op"].attrs["labels"]
        seen = {labels[op] for op in set(file["gpu/kernels/op"][:])}
        assert {"router", "choose", "experts_gate_up", "experts_down", "combine"} <= {str(s) for s in seen}, seen


def check_batch(folder):
    """A larger batch touches more experts, in the graph and on the GPUs: decode takes longer."""
    times = [run("Qwen3-30B-A3B", folder / "batch.h5", "--set", f"bucket.batch={batch}")["gpu"]["tpot_p50"]["value"]
             for batch in (1, 16, 64)]
    assert times[0] < times[1] < times[2], times
    with h5py.File(folder / "batch.h5") as file:
        ops, of_experts = decode_ops(file)
        share = ops["expected_elements"][of_experts] / ops["weight_elements"][of_experts]
    np.testing.assert_allclose(share, 1 - (1 - 8 / 128) ** 64, rtol=1e-6)


def check_windows(folder):
    """Every second layer of gpt-oss sees 128 positions, the others all: their attention takes longer."""
    run("gpt-oss-20b", folder / "window.h5", "--set", "bucket.max_sequence=65536", "--set", "bucket.prefill_chunk=4096",
        "--set", "workload.prompt_tokens=60000")
    with h5py.File(folder / "window.h5") as file:
        ops, _ = decode_ops(file)
        assert list(ops["kv_positions"][ops["name"] == b"attention"]) == [128, 65536] * 12
        kernels = file["gpu/kernels"]
        attention = list(kernels["op"].attrs["labels"]).index("attention")
        last = kernels["step"][:] == kernels["step"][:].max()
        mine = (kernels["op"][:] == attention) & last
        layer, time = kernels["layer"][:][mine], (kernels["end_ps"][:] - kernels["start_ps"][:])[mine]
    full, windowed = time[layer % 2 == 1], time[layer % 2 == 0]
    assert np.median(full) > 1.2 * np.median(windowed), (full, windowed)


with tempfile.TemporaryDirectory() as scratch:
    place = pathlib.Path(scratch)
    for title in MODELS:
        check_sizes(title, place)
    check_batch(place)
    check_windows(place)
    assert run("Mixtral-8x7B", place / "a.h5", ranks=3) == run("Mixtral-8x7B", place / "a.h5"), "ranks change the times"
