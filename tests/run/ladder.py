# SPDX-License-Identifier: BSD-3-Clause
"""Decode steps move up a ladder of buckets where they outgrow one; what is replayed is what would be executed."""
import pathlib
import tempfile

import h5py
import numpy as np

from program import SMALL, must

PROMPT, TOKENS, RUNGS = 34, 190, [64, 128, 256]
REQUEST = ["--mode=lpu", "--quiet", "--set", f"bucket.max_sequence={','.join(map(str, RUNGS))}", "--set",
           f"workload.prompt_tokens={PROMPT}", "--set", f"workload.decode_tokens={TOKENS}", "--set", "bucket.batch=2"]


def steps_of(folder, executed, ranks):
    path = pathlib.Path(folder) / f"{executed}.h5"
    must(SMALL, f"--out={path}", *REQUEST, "--set", f"lpu.execute_steps={executed}", ranks=ranks)
    with h5py.File(path) as file:
        return {name: column[:] for name, column in file["lpu/steps"].items()}


def check(steps, executed):
    decode = {name: column[steps["phase"] == 1] for name, column in steps.items()}
    position = np.arange(PROMPT - 1, PROMPT - 1 + TOKENS)
    assert (decode["position"] == position).all()
    bucket = np.array([min(rung for rung in RUNGS if at < rung) for at in position])
    assert (decode["bucket"] == bucket).all(), decode["bucket"]
    length = decode["end_cycle"] - decode["start_cycle"]
    lengths = [set(length[bucket == rung]) for rung in RUNGS]
    assert all(len(found) == 1 for found in lengths) and sorted(lengths, key=min) == lengths, lengths
    assert (steps["start_cycle"][1:] == steps["end_cycle"][:-1]).all() and (steps["violations"] == 0).all()
    for rung in RUNGS:
        ran = decode["executed"][bucket == rung]
        assert ran[:executed].all() and not ran[executed:].any(), f"bucket of {rung}: {ran}"


with tempfile.TemporaryDirectory() as scratch:
    whole, part = steps_of(scratch, TOKENS, 0), steps_of(scratch, 3, 3)
    check(whole, TOKENS)
    check(part, 3)
    assert all((whole[name] == part[name]).all() for name in ("start_cycle", "end_cycle", "bucket", "sequence"))
print(f"{TOKENS} steps go through buckets of {RUNGS} positions")
