# SPDX-License-Identifier: BSD-3-Clause
"""The fit finds the constants that are shipped: usage measured_engines.py FIT_ENGINES, from the project's root. Of one
engine, whose rows are few, for speed; tools/fit_engines.sh does all."""
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
    rows = list(csv.DictReader(table.open()))
    with (pathlib.Path(scratch) / "h100_sxm__some.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows([r for r in rows if r["backend"] == "vllm" and "70B" in r["model_path"]])
    text = subprocess.run([sys.argv[1], scratch, "vllm"], check=True, capture_output=True, text=True).stdout
    print(text, end="")
    assert text.count("found  shipped") == 1 and text.startswith("vllm, late"), text
    for line in text.splitlines()[1:3]:
        found, shipped = line.split()[-2:]
        assert found == shipped, line
    empty = subprocess.run([sys.argv[1], "configs"], check=False, capture_output=True, text=True)
    assert empty.returncode == 1 and "no row for the fit" in empty.stderr, empty
assert subprocess.run([sys.argv[1]], check=False, capture_output=True).returncode == 2
