# SPDX-License-Identifier: BSD-3-Clause
"""attribute: the same shares and intervals from 1, 2, 3 and 8 ranks, and what they must add up to."""
import pathlib
import re
import subprocess
import tempfile

from program import SMALL, must, run

FEW = ["--set", "gpu.attribution_repeats=3", "--set", "workload.decode_tokens=9", "--set", "gpu.neighbour=true"]


def differs(a, b):
    done = subprocess.run(["h5diff", "--exclude-path", "/run", str(a), str(b)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


def table(text):
    """Name of what was frozen -> share of the variance in percent."""
    rows = {}
    for line in text.splitlines():
        found = re.match(r"(\S.*?)  .*?(-?[\d.]+)(?: \+- [\d.]+)? % +(-?[\d.]+) %$", line)
        if found:
            rows[found.group(1)] = float(found.group(2))
    return rows


with tempfile.TemporaryDirectory() as scratch:
    path = {n: pathlib.Path(scratch) / f"ranks_{n}.h5" for n in (1, 2, 3, 8)}
    for n, file in path.items():
        text = must("attribute", SMALL, f"--out={file}", *FEW, ranks=n)
        assert not differs(path[1], file), f"1 and {n} ranks differ"
        shares = table(text)
        assert shares["all of these"] == 100.0, text
        rest = shares.pop("rest: interactions")
        assert abs(sum(shares.values()) + rest - 200) < 0.2 * len(shares), text
        assert shares["engine between steps"] > 0 and "choice of experts" in text.split("Not in this run")[1], text
    other = pathlib.Path(scratch) / "other.h5"
    must("attribute", SMALL, f"--out={other}", "--quiet", "--seed=2", *FEW)
    assert differs(path[1], other), "the seed makes no difference"

for words, message in (([SMALL, "--set", "workload.decode_tokens=2"], "3 or more are wanted"),
                       ([SMALL, "--mode=gpu"], "--mode does not go with attribute"),
                       ([], "no configuration file; try: lpusim-mp attribute FILE")):
    for ranks in (0, 3):
        done = run("attribute", *words, ranks=ranks)
        assert done.returncode == 2 and done.stderr.count(message) == 1, (words, done.stderr)
assert must("attribute", SMALL, "--quiet", *FEW) == ""
print("attribution is the same on any number of ranks")
