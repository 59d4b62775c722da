# SPDX-License-Identifier: BSD-3-Clause
"""frontier: what it says of a rate is what serve finds at that rate; the same on any number of ranks."""
import json
import pathlib
import subprocess
import tempfile

import h5py

from program import SMALL, must, run

LIMITS = {"serve.ttft_limit": "5 ms", "serve.tpot_limit": "2 ms"}
FEW = {"lpu.seats": 0, "serve.requests": 400, "serve.rate": 400, "serve.prompt_mean": 40, "serve.output_mean": 12}
NONE, TTFT, TPOT = 0, 1, 2


def options(**more):
    return [word for key, value in {**FEW, **more}.items() for word in ("--set", f"{key}={value}")]


def rows(file, name):
    table = file[f"serve/{name}"]
    return [dict(zip(table, row)) for row in zip(*(table[column][:] for column in table))]


def p99(machine, rate):
    """Of TTFT and TPOT in picoseconds, as serve has them."""
    text = must("serve", SMALL, "--json", f"--mode={machine}", *options(**LIMITS, **{"serve.rate": rate}))
    value = json.loads(text)[machine]
    return [1e6 * value[f"{name}_p99"]["value"] for name in ("ttft", "tpot")]


def check(machine, found):
    """Limits hold at the rate that was found, and the one named breaks clearly beyond it: percentiles of few requests waver."""
    limits = [found["ttft_limit_ps"], found["tpot_limit_ps"]]
    at, beyond = p99(machine, found["rate"]), p99(machine, 1.4 * found["rate"])
    broken = found["broken"]
    assert broken in (TTFT, TPOT), found
    assert all(value <= 1.001 * limit for value, limit in zip(at, limits)), (found, at)
    assert beyond[broken - 1] > 0.999 * limits[broken - 1], (found, beyond)


with tempfile.TemporaryDirectory() as scratch:
    path = {n: pathlib.Path(scratch) / f"ranks_{n}.h5" for n in (1, 3)}
    for n, file in path.items():
        shown = must("frontier", SMALL, f"--out={file}", *options(**LIMITS), ranks=n)
    assert "then TTFT breaks" in shown and "TTFT at 95 %" in shown, shown
    same = subprocess.run(["h5diff", "--exclude-path", "/run", path[1], path[3]], capture_output=True, check=False)
    assert same.returncode == 0, same.stdout
    with h5py.File(path[1]) as h5:
        frontier, loads = rows(h5, "frontier"), rows(h5, "loads")
    assert len(frontier) == 18
    for code, name in enumerate(("lpu", "gpu")):
        mine = [row for row in frontier if row["machine"] == code]
        # Wider limits never bear less.
        by_ttft = sorted((row["ttft_limit_ps"], row["rate"]) for row in mine if row["tpot_limit_ps"] == 2e9)
        assert [rate for _, rate in by_ttft] == sorted(rate for _, rate in by_ttft), by_ttft
        load = [row for row in loads if row["machine"] == code]
        assert [row["rate"] for row in load] == sorted(row["rate"] for row in load)
        assert sum(abs(row["of_capacity"] - share) < 1e-9 for row in load for share in (0.5, 0.8, 0.95)) == 3
        assert mine[0]["rate"] > 0
        if mine[0]["broken"] != NONE:
            check(name, mine[0])
refused = run("frontier", SMALL, "--quiet", *options())
assert refused.returncode == 2 and "serve.ttft_limit" in refused.stderr, refused.stderr
