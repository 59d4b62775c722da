# SPDX-License-Identifier: BSD-3-Clause
"""Errors against measured serving points: usage measured_serving.py MEASURED, from the project's root. Held-out rows of
dense models, one of three of them for speed: mean error of TPOT 5 %, of TTFT under load 20 %."""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

data = pathlib.Path(os.environ.get("LPUSIM_DATA", "/nowhere"))
table = data / "measured/serving/h100_tp1_tp4.csv"
if not table.is_file():
    print(f"SKIPPED: public data is not here: {table} (set LPUSIM_DATA)")
    sys.exit(77)

with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    rows = list(csv.DictReader(table.open()))
    with (folder / "h100_sxm__some.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows([r for r in rows if r["backend"] == "vllm" and "gpt" not in r["model_path"]][::3])
    done = subprocess.run([sys.argv[1], folder, "--out", folder / "out"], check=True, capture_output=True, text=True)
    assert "rows left out: no description of the model MiniMaxAI/MiniMax-M2.5" in done.stdout, done.stdout
    errors = {"tpot": [], "ttft": []}
    for row in csv.DictReader((folder / "out/h100_sxm__some.serving.csv").open()):
        if row["part"] == "held":
            errors[row["group"][:4]].append(abs(float(row["error"])))
    for name, most in (("tpot", 0.05), ("ttft", 0.20)):
        mean = sum(errors[name]) / len(errors[name])
        print(f"{name}: {len(errors[name])} rows, mean error {100 * mean:.1f} %")
        assert len(errors[name]) >= 5 and mean <= most
