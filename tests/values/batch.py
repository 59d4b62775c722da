# SPDX-License-Identifier: BSD-3-Clause
"""Each sequence of a batch gets the tokens that it gets alone: prompts of many lengths, side by side in one step. A
ladder of buckets changes none of them."""
import functools
import json
import pathlib
import tempfile

import h5py

from program import CONFIG, SUMS as MODEL, at_once, generated, must, settings, stories
from ranks_equal import differs

SUMS = ["<347+585=", "<12+9=", "<5+700=", "<0+0=", "<999+1="]
TALES = [[1, 403, 407, 261, 378], [1, 300], [1, 410, 261, 320, 353, 411, 299, 289]]
NUMERICS = [("fp32", "off", 3, 1), ("int8", "on", 4, 2)]
COUNT, TALE, LONG = 4, 12, 63
MOST_OFF = 1e-3  # of a logit, whose standard deviation is 5 with sums


pieces = [entry["piece"] for entry in json.loads((MODEL / "vocab.json").read_text())["pieces"]]


def ids(text):
    return [pieces.index("<s>" if letter == "<" else letter) for letter in text]


def batched(prompts, count, *words, ranks, out):
    """Tokens of every sequence, from the run's file."""
    lists = ";".join(",".join(map(str, prompt)) for prompt in prompts)
    must(CONFIG, "--quiet", f"--out={out}", *settings(bucket__batch=len(prompts), workload__prompt="",
         workload__prompt_ids=lists, workload__prompt_tokens=0, workload__decode_tokens=count), *words, ranks=ranks)
    with h5py.File(out) as file:
        table = {name: column[:] for name, column in file["lpu/tokens"].items()}
        assert (file["lpu/steps/violations"][:] == 0).all(), words
    exact = "lpu.numerics=int8" not in words
    assert not exact or ((table["token"] == table["reference"]).all() and table["worst_error"].max() < MOST_OFF), table
    return [list(table["token"][table["sequence"] == s]) for s in range(len(prompts))]


def alone(prompt, count, *words):
    """The tokens of a whole run: generate would stop at the end of the text."""
    with tempfile.TemporaryDirectory() as scratch:
        return batched([prompt], count, *words, ranks=0, out=f"{scratch}/alone.h5")[0]


def check(name, prompts, count, *words, ranks, out):
    found, *apart = at_once([functools.partial(batched, prompts, count, *words, ranks=ranks, out=out),
                             *(functools.partial(alone, prompt, count, *words) for prompt in prompts)])
    for s, expected in enumerate(apart):
        assert found[s] == expected, f"{name}, sequence {s}: {found[s]} in the batch, {expected} alone"
    print(f"{name}: {len(prompts)} sequences, each as it is alone", flush=True)


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    for numerics, prefill, batch, ranks in NUMERICS:
        check(f"sums, {numerics}, prefill {prefill}", [ids(text) for text in SUMS[:batch]], COUNT,
              *settings(lpu__numerics=numerics, lpu__prefill=prefill), ranks=ranks, out=folder / "sums.h5")
    first = [ids(text) for text in SUMS[:3]]
    assert generated(first[0], 2) == batched(first, 2, ranks=0, out=folder / "1.h5")[0]
    at_once([functools.partial(batched, first, 2, ranks=ranks, out=folder / f"{ranks}.h5") for ranks in (2, 3, 8)])
    for ranks in (2, 3, 8):
        assert not differs(folder / "1.h5", folder / f"{ranks}.h5"), f"{ranks} ranks find something else"
    moved, still = (batched([[4 + n % 9 for n in range(LONG)], [1, 5, 13]], COUNT, *settings(
        bucket__max_sequence=ladder), ranks=2, out=folder / "ladder.h5") for ladder in ("64,128", "128"))
    assert moved == still, "another bucket, other tokens"
    check("tales", TALES, TALE, *settings(model__path=stories(), bucket__max_sequence=128, lpu__pipeline_stages=2,
                                          lpu__tensor_group=2), ranks=2, out=folder / "tales.h5")
