# SPDX-License-Identifier: BSD-3-Clause
"""Rows beyond the greatest float are told as an error without bound, not as agreement, and generate refuses them."""
import json
import pathlib
import tempfile

import h5py
import numpy as np

import make_model
from program import CONFIG, must, run, settings

STEPS, LARGE = 4, 1e25


def overflowing(folder):
    """A model whose MLP adds to the residual stream what no float holds, so that logits are no numbers."""
    options = make_model.parse([str(folder), "--layers", "1"])
    make_model.write_model(options)
    tensors = make_model.random_tensors(options)
    for name in ("up", "down"):
        tensors[f"model.layers.0.mlp.{name}_proj.weight"] *= LARGE
    (folder / "model.safetensors").write_bytes(make_model.safetensors(tensors, "F32"))
    return folder


with tempfile.TemporaryDirectory() as scratch:
    out, model = pathlib.Path(scratch) / "run.h5", overflowing(pathlib.Path(scratch) / "model")
    words = settings(model__path=model, workload__prompt="", workload__prompt_ids="1,2,3", lpu__pipeline_stages=1)
    for numerics in ("fp32", "int8"):
        shown = must(CONFIG, f"--out={out}", *words, *settings(lpu__numerics=numerics))
        assert f"0 of {STEPS} tokens are the reference's, number 1 is the first other" in shown, shown
        assert "logits: off by inf at most, inf root mean square" in shown, shown
        with h5py.File(out) as file:
            errors = [file[f"lpu/tokens/{name}"][:] for name in ("worst_error", "rms_error")]
            assert (file["lpu/tokens/reference"][:] == -1).all(), "the reference overflows, too, and chooses nothing"
        assert np.isposinf(errors).all(), errors
        summary = json.loads(must(CONFIG, "--json", "--quiet", *words, *settings(lpu__numerics=numerics)),
                             parse_constant=lambda word: f"{word} is no JSON")["values"]
        assert (summary["equal"], summary["worst_logit_error"], summary["rms_logit_error"]) == (0, None, None), summary
        done = run("generate", CONFIG, "--prompt-ids=1,2,3", "--max-new=4", "--quiet", "--set", f"model.path={model}",
                   *settings(lpu__pipeline_stages=1, lpu__numerics=numerics), ranks=2)
        assert done.returncode == 1 and done.stdout == "", done
        assert f"logits are no numbers: model overflows in lpu.numerics = {numerics}" in done.stderr, done.stderr
print("an overflow is told")
