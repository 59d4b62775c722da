# SPDX-License-Identifier: BSD-3-Clause
"""Errors against measured collectives stay within the targets: usage measured_collectives.py MEASURED, from the
project's root. Held-out sizes, 1 KiB to 256 MiB of single nodes: median 10 %, worst 30 %; across nodes median 15 %."""
import csv
import glob
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

beside = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"
folder = pathlib.Path(os.environ.get("LPUSIM_DATA", beside)) / "measured" / "collectives"
if not folder.is_dir():
    print(f"SKIPPED: public data is not here: {folder} (set LPUSIM_DATA)")
    sys.exit(77)

ELEMENT = {"half": 2, "bfloat16": 2, "int8": 1}


def bytes_of(row):
    if "size_bytes" in row:
        return int(row["size_bytes"])
    element = row.get("nccl_dtype") or row.get("allreduce_dtype")
    return int(row["message_size"]) * ELEMENT[element]


def errors_of(table):
    """(nodes, |error|) of held-out rows of one file of predictions."""
    for row in csv.DictReader(open(table)):
        if row["part"] == "held" and 1 << 10 <= bytes_of(row) <= 1 << 28:
            yield int(row.get("nodes", 1)), abs(float(row["error"]))


def check(name, errors, median, worst):
    errors = sorted(errors)
    print(f"{name}: {len(errors)} rows, median {100 * statistics.median(errors):.1f} %, worst {100 * errors[-1]:.1f} %")
    assert len(errors) >= 9 and statistics.median(errors) <= median and errors[-1] <= worst, name


with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], str(folder), "--out", out], check=True, stdout=subprocess.DEVNULL)
    across = []
    tables = [t for t in glob.glob(f"{out}/*.csv") if "vidur" not in t]
    assert len(tables) == 5, tables
    for table in sorted(tables):
        rows = list(errors_of(table))
        check(os.path.basename(table), [e for nodes, e in rows if nodes == 1], 0.10, 0.30)
        across += [e for nodes, e in rows if nodes > 1]
    check("across nodes", across, 0.15, 0.30)
