# SPDX-License-Identifier: BSD-3-Clause
"""plan: the same candidates from 1, 2, 3 and 8 ranks; what is recommended keeps the limits with the fewest chips, as serve finds, too."""
import json
import pathlib
import subprocess
import tempfile

import h5py

from program import SMALL, must, run

FEW = ["--set", "serve.requests=300", "--set", "serve.rate=5000", "--set", "serve.prompt_mean=40", "--set",
       "serve.output_mean=12", "--set", "serve.ttft_limit=20 ms", "--set", "serve.tpot_limit=2 ms"]
KEEPS, RECOMMENDED = 3, 4


def differs(a, b):
    done = subprocess.run(["h5diff", "--exclude-path", "/run", str(a), str(b)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


def rows(table):
    """List of rows as dictionaries."""
    columns = {name: table[name][:] for name in table}
    return [{name: column[i] for name, column in columns.items()} for i in range(len(columns["fate"]))]


def serve(row, *words):
    """What serve measures of a candidate."""
    buckets = row["buckets"].decode().replace(" ", ",")
    return json.loads(must("serve", SMALL, "--json", "--mode=lpu", *FEW, f"--set=bucket.max_sequence={buckets}",
                           f"--set=lpu.pipeline_stages={row['stages']}", f"--set=lpu.tensor_group={row['group']}",
                           f"--set=lpu.chips_used={row['chips']}", f"--set=lpu.seats={row['seats']}", *words))["lpu"]


with tempfile.TemporaryDirectory() as scratch:
    path = {n: pathlib.Path(scratch) / f"ranks_{n}.h5" for n in (1, 2, 3, 8)}
    text = {n: must("plan", SMALL, f"--out={file}", *FEW, ranks=n) for n, file in path.items()}
    for n, file in path.items():
        assert not differs(path[1], file), f"1 and {n} ranks differ"
        assert max(map(len, text[n].splitlines())) <= 100, text[n]
    with h5py.File(path[1]) as file:
        assert file.attrs["complete"] == 1
        table = rows(file["serve/plans"])
    keep = [row for row in table if row["machine"] == 0 and row["fate"] in (KEEPS, RECOMMENDED)]
    best = [row for row in table if row["fate"] == RECOMMENDED]
    assert len(best) == 1 and "recommended: " in text[1], text[1]
    best = best[0]
    for row in keep:
        assert row["replicas"] > 0 and row["ttft_p99_ps"] <= 20e9 and row["tpot_p99_ps"] <= 2e9, row
        assert row["highest"] <= row["capacity"] and row["why"], row
        assert (row["replicas"] * row["chips"], row["tpot_p99_ps"]) >= (best["replicas"] * best["chips"],
                                                                       best["tpot_p99_ps"]), (row, best)
    assert best["replicas"] * best["chips"] > 1 and any(row["machine"] == 1 and row["replicas"] == 1 for row in table)
    served = serve(best, f"--set=serve.lpu_replicas={best['replicas']}")
    assert served["ttft_p99"]["value"] == best["ttft_p99_ps"] / 1e6, (served, best)
    assert served["tpot_p99"]["value"] == best["tpot_p99_ps"] / 1e6
    assert abs(served["capacity_requests_per_second"]["value"] - best["capacity"]) < 1e-9 * best["capacity"]
    hard = must("plan", SMALL, "--mode=lpu", *FEW, "--set", "serve.tpot_limit=1 us")
    assert "no candidate keeps the limits" in hard and "TPOT breaks its limit at any rate" in hard, hard

for words, message in ((["--set", "serve.ttft_limit=0 ms", "--set", "serve.tpot_limit=0 ms"], "plan looks for what keeps limits"),
                       (["--json"], "--json does not go with plan"), (["--count=2"], "--count does not go with plan")):
    for ranks in (0, 3):
        done = run("plan", SMALL, *FEW, *words, ranks=ranks)
        assert done.returncode == 2 and done.stderr.count(message) == 1, (words, done.returncode, done.stderr)
print("plans are the same on any number of ranks, and serve agrees with what is recommended")
