# SPDX-License-Identifier: BSD-3-Clause
"""bench/measured takes tables by their headers and says what it leaves out: usage measured_tables.py MEASURED."""
import csv
import pathlib
import re
import subprocess
import sys
import tempfile

GEMM = "m,n,k,latency\n1,4096,4096,0.02\n16,8192,8192,0.05\n4096,4096,4096,0.2\n8192,8192,8192,1.4\n"
TABLES = {
    "a/h100_sxm__one.csv": GEMM,
    "a/h200_sxm__two.csv": "gemm_dtype,m,n,k,latency\r\n" + "".join(
        f"{dtype},{m},4096,4096,0.03\r\n" for dtype in ("bfloat16", "fp8", "fp4") for m in (1, 64, 1024)),
    "b/x900_sxm__three.csv": GEMM,
    "b/h100_sxm__four.csv": "what,why\n1,2\n",
    "b/h100_sxm__five.csv": "batch_size,num_heads,num_key_value_heads,step,latency\n1,32,8,1023,0.014\n4,32,8,,0.02\n",
    "b/empty.csv": "",
    "note.txt": "no table",
}


def measured(*words):
    return subprocess.run([sys.argv[1], *map(str, words)], capture_output=True, text=True, check=False)


with tempfile.TemporaryDirectory() as scratch:
    folder, out = pathlib.Path(scratch) / "tables", pathlib.Path(scratch) / "out"
    for name, text in TABLES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    done = measured(folder, "--part", "all", "--out", out)
    assert done.returncode == 0, done.stderr
    for words in (r"gemm, h100_sxm +4 ", r"gemm, h200_sxm +6 ", r"attention decode, h100_sxm +2 ",
                  "3 of 9 rows left out: no model of this gemm_dtype", "4 of 4 rows left out: no description of the GPU",
                  "skipped: no kind of table has its columns", "skipped: it is empty",
                  r"3 tables predicted \(all rows\), 2 skipped"):
        assert re.search(words, done.stdout), (words, done.stdout)
    assert 'no description of GPU "x900_sxm"' in done.stderr and "note" not in done.stdout
    rows = list(csv.DictReader((out / "h100_sxm__one.gemm.csv").open()))
    assert [row["m"] for row in rows] == ["1", "16", "4096", "8192"]
    assert all(0.3 < float(row["predicted_us"]) / float(row["measured_us"]) < 3 for row in rows), rows
    assert (out / "h100_sxm__one.gemm.svg").read_text().count("<circle") == 4
    parts = [int(re.search(r"gemm, h200_sxm +(\d+)", measured(folder, "--part", part).stdout).group(1))
             for part in ("fit", "held")]
    assert sum(parts) == 6, parts
    assert measured(folder, "--only", "x900").returncode == 1
    assert measured(folder, "--part", "most").returncode == 2 and measured().returncode == 2
