# SPDX-License-Identifier: BSD-3-Clause
"""buckets: the same ladders from 1, 2, 3 and 8 ranks; their means are those of the requests, and none is worse than another."""
import pathlib
import subprocess
import tempfile

import h5py

from program import SMALL, must, run

LENGTHS = [(8, 40), (30, 70), (100, 20), (5, 3), (60, 300), (200, 50), (90, 1), (10, 240), (400, 200), (300, 100)]


def differs(a, b):
    done = subprocess.run(["h5diff", "--exclude-path", "/run", str(a), str(b)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


def rows(table):
    """List of rows as dictionaries."""
    columns = {name: table[name][:] for name in table}
    return [{name: column[i].item() for name, column in columns.items()} for i in range(len(columns["buckets"]))]


def check_ladder(ladder, rungs, attended):
    """Mean, padding and steps of a ladder from what its rows attend to, one by one."""
    positions = [rung["positions"] for rung in rungs]
    assert len(rungs) == ladder["buckets"] and positions == sorted(set(positions)) and positions[-1] == 512
    of = [next(i for i, bucket in enumerate(positions) if bucket >= p) for p in attended]
    assert [rung["steps"] for rung in rungs] == [of.count(i) for i in range(len(rungs))], (positions, of)
    cycles = sum(rungs[i]["length_cycles"] for i in of)
    assert abs(ladder["mean_cycles"] - cycles / len(attended)) < 1e-6 * cycles
    assert abs(ladder["padding"] - (1 - sum(attended) / sum(positions[i] for i in of))) < 1e-9
    assert ladder["steps"] == len(attended)


with tempfile.TemporaryDirectory() as scratch:
    trace = pathlib.Path(scratch) / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n"
                     + "".join(f"{i},{p},{o}\n" for i, (p, o) in enumerate(LENGTHS)))
    options = ["--set", f"serve.trace={trace}", "--set", "bucket.max_sequence=512", "--set", "bucket.batch=1"]
    path = {n: pathlib.Path(scratch) / f"ranks_{n}.h5" for n in (1, 2, 3, 8)}
    text = {n: must("buckets", SMALL, f"--out={file}", *options, ranks=n) for n, file in path.items()}
    for n, file in path.items():
        assert not differs(path[1], file), f"1 and {n} ranks differ"
        assert max(map(len, text[n].splitlines())) <= 100, text[n]
    assert "1 requests are longer than the largest bucket, 512" in text[1], text[1]
    attended = [p + j for p, o in LENGTHS if p + o <= 512 for j in range(o)]
    with h5py.File(path[1]) as file:
        assert file.attrs["complete"] == 1
        ladders, rungs = rows(file["serve/ladders"]), rows(file["serve/rungs"])
    best = {}
    for ladder in ladders:
        own = [r for r in rungs if r["even"] == ladder["even"] and r["buckets"] == ladder["buckets"]]
        check_ladder(ladder, own, attended)
        best.setdefault(ladder["buckets"], ladder["mean_cycles"])
        assert ladder["mean_cycles"] >= best[ladder["buckets"]], "an evenly spaced ladder is better than the best"
    assert list(best) == [1, 2, 3, 4, 5] and best[2] < best[1], best
    first = [ladder for ladder in ladders if not ladder["even"]]
    assert all(a["instructions"] < b["instructions"] for a, b in zip(first, first[1:])), first
    few = must("buckets", SMALL, "--count=2", *options)
    assert "\n 2  " in few and "\n 3  " not in few, few
    assert must("buckets", SMALL, "--quiet", "--count=1", *options) == ""
    assert "max_sequence" in must("buckets", SMALL, "--check", *options)

    for words, message in ((["--count=6"], "--count 6: a number of buckets, 1 to 5"), (["--count=0"], "--count 0: a number"),
                           (["--mode=lpu"], "--mode does not go with buckets"),
                           (["--set", "bucket.batch=2"], "buckets wants 1")):
        for ranks in (0, 3):
            done = run("buckets", SMALL, *options, *words, ranks=ranks)
            assert done.returncode == 2 and done.stderr.count(message) == 1, (words, done.returncode, done.stderr)
print("ladders are the same on any number of ranks, and the best is best")
