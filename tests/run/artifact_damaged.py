# SPDX-License-Identifier: BSD-3-Clause
"""Artifacts with one value changed and sealed anew: refused with a reason, found out by the contract or because nobody sends what is waited for, or without harm."""
import collections
import pathlib
import random
import tempfile

import h5py
import numpy

from program import SEAL, SMALL, must, run, seal

MUTANTS = 40
FLIGHT = ["--set", "lpu.seats=0", "--set", "bucket.batch=2", "--set", "lpu.pipeline_stages=2", "--set",
          "bucket.max_sequence=128,256"]
EVIL = [0, -1, 1, 2, 255, 4096, 2**20, 2**30, 2**31 - 1, -2**31, 2**40, 2**63 - 1, -2**63]


def tables(file):
    """Datasets with rows by group."""
    found = collections.defaultdict(list)
    file.visititems(lambda name, item: found[item.parent.name].append(name)
                    if isinstance(item, h5py.Dataset) and item.shape and item.size else None)
    return found


def changed(draw, value, dtype):
    """Another value: one that breaks programs, or a near one."""
    if dtype.kind == "S":
        return draw.choice([b"", b"x" * dtype.itemsize])
    if dtype.kind == "f":
        return draw.choice([0.0, -1.0, float("nan"), float("inf"), 1e300])
    other = draw.choice([*EVIL, int(value) + draw.choice([-1, 1]), int(value) ^ (1 << draw.randrange(31))])
    return numpy.array(other & (2**64 - 1), dtype="uint64").astype(dtype)


def mutate(path, draw):
    """Changes one cell of one table; returns which."""
    with h5py.File(path, "r+") as file:
        groups = tables(file)
        name = draw.choice(groups[draw.choice(sorted(groups))])
        column = file[name]
        at = draw.randrange(len(column))
        column[at] = changed(draw, column[at], column.dtype)
    return f"{name}[{at}]"


draw, outcomes = random.Random(2026), collections.Counter()
with tempfile.TemporaryDirectory() as scratch:
    x, y, z = (pathlib.Path(scratch) / name for name in ("x.lpu", "y.lpu", "z.lpu"))
    must("compile", SMALL, "-o", x, "--quiet")
    must("compile", SMALL, "-o", z, "--quiet", *FLIGHT)
    for number in range(MUTANTS):
        y.write_bytes((z if number % 2 else x).read_bytes())
        what = mutate(y, draw)
        seal(y)
        words = draw.choice([["verify", y], ["show", y], ["diff", x, y], ["run", y, "--mode=lpu", "--quiet"]])
        done = run(*words)
        assert done.returncode in (0, 2, 3, 4, 5), (what, words[0], done.returncode, done.stderr)
        assert done.returncode == 0 or "lpusim-mp: " in done.stderr, (what, words[0], done.returncode)
        assert "ERROR: AddressSanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        outcomes[done.returncode] += 1
    with h5py.File(y, "w"):
        pass
    y.write_bytes(bytes(SEAL) + y.read_bytes())
    seal(y)
    assert run("show", y).returncode == 5
assert outcomes[0] < MUTANTS and outcomes[5] > 0, outcomes
print(f"{MUTANTS} mutants by status: {dict(outcomes)}")
