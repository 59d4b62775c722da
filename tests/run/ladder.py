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


def steps_of(folder, executed, ranks, *words):
    path = pathlib.Path(folder) / f"{executed}.h5"
    must(SMALL, f"--out={path}", *REQUEST, "--set", f"lpu.execute_steps={executed}", *words, ranks=ranks)
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


FLIGHT = ["--set", "lpu.seats=3", "--set", "lpu.pipeline_stages=2", "--set", "workload.sequences=8", "--set",
          "workload.decode_tokens=110"]


def check_flight(steps):
    """What is replayed stands to all that is open beside it as two executed steps did before."""
    known, replayed, moved = set(), 0, 0
    kind = list(zip(steps["phase"], steps["bucket"]))
    for n, start in enumerate(steps["start_cycle"]):
        for k in range(n):
            if steps["end_cycle"][k] <= start:
                continue
            pair, both = (kind[k], kind[n], start - steps["start_cycle"][k]), steps["executed"][k] and steps["executed"][n]
            if both:
                moved += replayed > 0 and pair not in known
                known.add(pair)
            else:
                assert pair in known, (k, n, pair)
        replayed += not steps["executed"][n]
    assert (steps["violations"] == 0).all() and replayed > len(steps["step"]) // 4 and moved > 0, (replayed, moved)
    return replayed


with tempfile.TemporaryDirectory() as scratch:
    whole, part = steps_of(scratch, TOKENS, 0), steps_of(scratch, 3, 3)
    check(whole, TOKENS)
    check(part, 3)
    assert all((whole[name] == part[name]).all() for name in ("start_cycle", "end_cycle", "bucket", "sequence"))
    whole, part = steps_of(scratch, 0, 0, *FLIGHT), steps_of(scratch, 2, 2, *FLIGHT)
    assert all((whole[name] == part[name]).all() for name in ("start_cycle", "end_cycle", "bucket", "sequence", "round"))
    assert (whole["violations"] == 0).all() and whole["executed"].all()
    replayed = check_flight(part)
print(f"{TOKENS} steps go through buckets of {RUNGS} positions; in flight {replayed} of {len(part['step'])} are replayed")
