# SPDX-License-Identifier: BSD-3-Clause
"""serve: the same requests, outcomes and measures from 1, 2, 3 and 8 ranks; file, JSON and summary agree."""
import json
import pathlib
import subprocess
import tempfile

import h5py
import numpy as np

from program import SMALL, must

FEW = ["--set", "lpu.seats=0", "--set", "serve.requests=300", "--set", "serve.rate=400", "--set", "serve.prompt_mean=40",
       "--set", "serve.output_mean=12", "--set", "serve.ttft_limit=20 ms", "--set", "serve.tpot_limit=2 ms",
       "--set", "serve.tenants=3"]
TIMES = ("arrival_ps", "admitted_ps", "first_token_ps", "finished_ps")
FINISHED = 1


def differs(a, b):
    done = subprocess.run(["h5diff", "--exclude-path", "/run", str(a), str(b)], capture_output=True, text=True,
                          check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


def rank(values, percent):
    """Nearest rank."""
    return np.sort(values)[max(-(-len(values) * percent // 100), 1) - 1]


def check_machine(table, rows, value):
    """Measures of one machine from its requests, counted anew."""
    col = {name: table[name][:][rows] for name in table}
    done = col["fate"] == FINISHED
    assert value["requests"] == 300 and value["finished"] == done.sum() > 0
    assert value["admitted"] == (col["admitted_ps"] >= 0).sum()
    assert (col["request"] == np.arange(300)).all() and set(col["tenant"]) == {0, 1, 2}
    arrival, admitted, first, end = (col[name] for name in TIMES)
    assert (np.diff(arrival) >= 0).all()
    assert ((arrival <= admitted) & (admitted <= first) & (first <= end))[done].all()
    horizon = max(col[name].max() for name in TIMES)
    assert abs(value["horizon"] - horizon / 1e12) < 1e-12
    more = done & (col["output_tokens"] > 1)
    tpot = (end - first)[more] // (col["output_tokens"] - 1)[more]
    for name, of in (("ttft", (first - arrival)[first >= 0]), ("tpot", tpot), ("request_time", (end - arrival)[done]),
                     ("queue", (admitted - arrival)[admitted >= 0]), ("longest_gap", col["longest_gap_ps"][more])):
        for percent in (50, 90, 99):
            assert value[f"{name}_p{percent}"] == rank(of, percent) / 1e6, (name, percent)
    good = done & (first - arrival <= 20e9) & (end - first <= 2e9 * (col["output_tokens"] - 1))
    assert value["good"] == good.sum() and value["good_share"] == good.sum() / 300
    inside = np.where(done, end, horizon)[np.isin(col["fate"], (0, 1))] - arrival[np.isin(col["fate"], (0, 1))]
    assert abs(value["in_system_mean"] - float(inside.sum()) / float(horizon)) < 1e-9
    return col


with tempfile.TemporaryDirectory() as scratch:
    path = {n: pathlib.Path(scratch) / f"ranks_{n}.h5" for n in (1, 2, 3, 8)}
    for n, file in path.items():
        must("serve", SMALL, f"--out={file}", "--quiet", *FEW, ranks=n)
        assert not differs(path[1], file), f"1 and {n} ranks differ"
    other = pathlib.Path(scratch) / "other.h5"
    printed = json.loads(must("serve", SMALL, f"--out={other}", "--json", "--seed=2", *FEW))
    assert differs(path[1], other), "the seed makes no difference"
    with h5py.File(other) as file:
        assert file.attrs["complete"] == 1
        table, measures = file["serve/requests"], file["serve/measures"]
        machine, name = measures["machine"][:], measures["measure"][:]
        columns = []
        for code, key in enumerate(("lpu", "gpu")):
            value = {n.decode(): v for m, n, v in zip(machine, name, measures["value"][:]) if m == code}
            assert value == {n: entry["value"] for n, entry in printed[key].items()}
            columns.append(check_machine(table, table["machine"][:] == code, value))
        for same in ("arrival_ps", "prompt_tokens", "output_tokens", "tenant"):
            assert (columns[0][same] == columns[1][same]).all(), f"machines were asked for another {same}"
        promised = columns[0]["fate"] == FINISHED
        assert (columns[0]["promised_ps"] == columns[0]["finished_ps"])[promised].all()
    alone = json.loads(must("serve", SMALL, "--json", "--mode=gpu", "--seed=2", *FEW))
    assert "lpu" not in alone and alone["gpu"] == printed["gpu"], "one machine alone serves otherwise"

    trace = pathlib.Path(scratch) / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0,8,4\n0.1,9,5\n0.05,300,3\n")
    text = must("serve", SMALL, "--set", f"serve.trace={trace}", "--set", "lpu.seats=0")
    assert max(map(len, text.splitlines())) <= 100 and text.count("\n") <= 60 and "\033" not in text, text
    assert "3 requests" in text and "1 of the requests in the trace stood behind later ones" in text, text
    assert "1 too long, 0 late" in text and "3 = 2 + 1 + 0" in text, text

print("serving is the same on any number of ranks, and its figures hold together")
