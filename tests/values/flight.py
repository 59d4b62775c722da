# SPDX-License-Identifier: BSD-3-Clause
"""Batches that share the pipeline, in steps of several buckets at once: each sequence gets the tokens that it gets alone,
on any number of ranks."""
import pathlib
import tempfile

import h5py

from program import CONFIG, must, settings, stories
from ranks_equal import differs

COUNT, TALE = 6, 12
# Two batches for two seats, and a third that waits: prompts of many lengths, which outgrow buckets at different steps.
SUMS = [[4 + (7 * s + n) % 9 for n in range(length)] for s, length in enumerate((61, 5, 70, 60, 30, 2))]
TALES = [[1] + [300 + (13 * s + 7 * n) % 120 for n in range(length)] for s, length in enumerate((57, 3, 105))]


def tokens_of(prompts, count, *words, ranks, out):
    """Tokens of every sequence, and the columns of /lpu/steps."""
    lists = ";".join(",".join(map(str, prompt)) for prompt in prompts)
    must(CONFIG, "--quiet", f"--out={out}", *settings(workload__prompt="", workload__prompt_ids=lists,
         workload__prompt_tokens=0, workload__decode_tokens=count), *words, ranks=ranks)
    with h5py.File(out) as file:
        table = {name: column[:] for name, column in file["lpu/tokens"].items()}
        steps = {name: column[:] for name, column in file["lpu/steps"].items()}
    assert (steps["violations"] == 0).all(), words
    return [list(table["token"][table["sequence"] == s]) for s in range(len(prompts))], steps


def mixes(steps):
    """Decode steps that began while one of another bucket was under way."""
    decode = [n for n in range(len(steps["step"])) if steps["phase"][n] == 1]
    return sum(any(steps["end_cycle"][k] > steps["start_cycle"][n] and steps["bucket"][k] != steps["bucket"][n]
                   for k in decode if k < n) for n in decode)


def check(name, prompts, count, flight, machine, ranks, folder, mixed=True):
    words = settings(**machine)
    alone = [tokens_of([prompt], count, *words, *settings(bucket__max_sequence=256), ranks=0,
                       out=folder / "alone.h5")[0][0] for prompt in prompts]
    assert len(set(map(tuple, alone))) > 1, alone
    found, steps = tokens_of(prompts, count, *words, *settings(
        lpu__seats=2, bucket__max_sequence="64,128,256", workload__sequences=len(prompts), **flight), ranks=ranks,
        out=folder / f"{ranks}.h5")
    for s, expected in enumerate(alone):
        assert found[s] == expected, f"{name}, sequence {s}: {found[s]} in flight, {expected} alone"
    assert not mixed or mixes(steps) > 0, f"{name}: no two buckets were under way together"
    print(f"{name}: {len(prompts)} sequences, {len(steps['step'])} steps, {mixes(steps)} of them among others of another "
          "bucket", flush=True)
    return words


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    quick = {"lpu__reference": "off"}
    check("sums, batches of 2", SUMS, COUNT, {"bucket__batch": 2}, {"lpu__numerics": "fp32", **quick}, 1, folder)
    for ranks in (2, 3, 8):
        tokens_of(SUMS, COUNT, *settings(lpu__numerics="fp32", lpu__seats=2, bucket__max_sequence="64,128,256",
                                         workload__sequences=len(SUMS), bucket__batch=2, **quick), ranks=ranks,
                  out=folder / f"{ranks}.h5")
        assert not differs(folder / "1.h5", folder / f"{ranks}.h5"), f"{ranks} ranks find something else"
    # A short prompt waits at position 0 for a longer one of its batch: nothing else of the two may overlap.
    check("sums, token by token", [prompt[:14 - 3 * n] for n, prompt in enumerate(SUMS[2:])], COUNT,
          {"bucket__batch": 2}, {"lpu__prefill": "off", **quick}, 2, folder, mixed=False)
    check("tales, one sequence a seat", TALES, TALE, {}, {
        "model__path": stories(), "lpu__pipeline_stages": 2, "lpu__tensor_group": 2, **quick}, 2, folder)
