# SPDX-License-Identifier: BSD-3-Clause
"""--explain shows bounds, critical path and splits, alike on any number of ranks, and leaves no file."""
import os
import tempfile

from program import SMALL, run


def number(text):
    return int(text.replace(",", ""))


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    alone = run(SMALL, "--explain")
    assert alone.returncode == 0, alone.stderr
    assert run(SMALL, "--explain", ranks=3).stdout == alone.stdout
    shared = run(SMALL, "--explain", "--set", "lpu.tensor_group=4", "--set", "lpu.pipeline_stages=1")
    assert shared.returncode == 0, shared.stderr
    assert not os.listdir(scratch), "nothing was to be written"

lines = [line.split() for line in alone.stdout.splitlines()]
for part in ("stages", "step"):
    rows = [words for words in lines if words and words[0] == part and words[2][0].isdigit()]
    assert len(rows) == 2, part
    for words in rows:
        cycles, bound, ratio = number(words[1]), number(words[2]), float(words[3])
        assert cycles >= bound > 0 and abs(ratio - cycles / bound) < 0.006, words
assert alone.stdout.count("critical path") == 2
told = shared.stdout[shared.stdout.index("the second matrix of a pair"):shared.stdout.index("splits that fit")]
cuts = [line.split() for line in told.splitlines() if line.startswith(("  o ", "  down "))]
blocks = [words for words in cuts if words[1] != "by"]
assert [words[0] for words in blocks] == ["o", "o", "down", "down"], cuts
assert all(number(words[-2]) > 650 < number(words[-1]) for words in blocks), blocks
for words in cuts:
    assert words[1] != "by" or words[2] == "rows:" and words[-3:] == ["more", "by", "columns"], words
splits = alone.stdout[alone.stdout.index("splits that fit"):].splitlines()
assert sum("chosen" in line for line in splits) == 1, splits
steps = [number(words[1]) for words in lines if words and words[0] == "step"]
chosen = next(line.split() for line in splits if "chosen" in line)
assert number(chosen[4]) == steps[0], "the survey measures what was compiled"
print("bounds, paths and splits are explained")
