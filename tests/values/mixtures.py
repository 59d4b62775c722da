# SPDX-License-Identifier: BSD-3-Clause
"""Mixtures of experts that the program runs: the oracle's tokens, one file on 1, 2 and 8 ranks, one length of a step."""
import pathlib
import tempfile

import h5py
import numpy as np

import oracle
from program import CONFIG, must, random_model, settings
from ranks_equal import files

PROMPT, NEW = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3], 3
# Of a logit; those of random models have a standard deviation of 8.
MOST_OFF = 1e-3
# Words of the model, and numbers of ranks.
MODELS = {
    "qwen3_moe": (["--layers", "1", "--experts", "12", "--experts-per-token", "3"], (1, 2)),
    "gpt_oss": (["--yarn", "4", "--window", "9", "--expert-ffn", "64"], (1, 2, 8)),
}


def words_of(folder, **keys):
    return settings(model__path=folder, workload__prompt="", workload__decode_tokens=NEW, bucket__max_sequence=64, **keys)


def column(path, name):
    with h5py.File(path) as file:
        return file[name][:]


def check_values(folder, out, ranks):
    """The same file on all ranks, the reference's tokens in it, and the oracle's."""
    prompt = ",".join(map(str, PROMPT))
    path = files(out, ranks, *words_of(folder, workload__prompt_tokens=0, workload__prompt_ids=prompt))
    tokens = list(column(path, "lpu/tokens/token"))
    assert tokens == oracle.greedy(oracle.load(folder), PROMPT, NEW), tokens
    assert tokens == list(column(path, "lpu/tokens/reference")), tokens
    assert column(path, "lpu/tokens/worst_error").max() < MOST_OFF
    check_steps(path)
    return path


def check_steps(path):
    """No promise broken, and all decode steps as long as each other."""
    assert column(path, "lpu/steps/violations").sum() == 0
    decode = column(path, "lpu/steps/phase") == 1
    lengths = (column(path, "lpu/steps/end_cycle") - column(path, "lpu/steps/start_cycle"))[decode]
    assert len(set(lengths)) == 1, lengths
    return lengths[0]


def check_draws(folder, out, computed):
    """Drawn experts: one file on 1 and 2 ranks, and the steps of the run that computes them."""
    drawn = words_of(folder, values="off", workload__prompt_tokens=len(PROMPT))
    for seed in (1, 2):
        path = files(out, (1, 2), *drawn, f"--seed={seed}")
        assert check_steps(path) == check_steps(computed), f"{folder.name}: seed {seed} changes the length of a step"


with tempfile.TemporaryDirectory() as scratch:
    for family, (words, ranks) in MODELS.items():
        folder = random_model(pathlib.Path(scratch) / family, "--family", family, *words)
        check_draws(folder, pathlib.Path(scratch), check_values(folder, pathlib.Path(scratch), ranks))
print(f"{' and '.join(MODELS)}: the oracle's tokens on 1 to 8 ranks, steps of one length")
