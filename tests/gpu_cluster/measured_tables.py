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
    "c/h100_sxm__header.csv": "m,n,k,latency\n",
    "c/H200_SXM__marked.csv": "\ufeff latency , k,n ,m,what\n0.02, 4096,4096 ,64,else\n",
    "c/b200_sxm__sizes.csv": "m,n,k,latency\n0,8,8,1\n-1,8,8,1\nx,8,8,1\n1e18,8,8,1\n1.5,8,8,1\n,8,8,1\n8,8,8,\n8,8,8,nan\n"
                             "8,8,8,0\n8,8,8,0.01\n",
    "c/h200_sxm__prompts.csv": "batch_size,isl,num_heads,num_key_value_heads,head_dim,latency\n1,16,7,3,128,1\n1,16,8,8,4096,1\n"
                               "1073741824,1073741824,8,8,128,1\n1,1024,32,8,128,0.1\n",
    "c/h200_sxm__experts.csv": "num_tokens,hidden_size,inter_size,topk,num_experts,moe_tp_size,moe_ep_size,distribution,latency\n"
                               "1,4096,14336,9,8,1,1,balanced,1\n1,4096,14336,2,8,1,3,balanced,1\n"
                               "64,4096,14336,2,8,1,1,power_law_1.0,1\n64,4096,14336,2,8,2,4,balanced,1\n",
    "c/h200_sxm__nccl.csv": "op_name,nccl_dtype,num_gpus,message_size,latency\nall_reduce,half,1,64,1\nall_reduce,half,5000,64,1\n"
                            "all_reduce,half,8,1000000000,1\nall_reduce,odd,8,64,1\nodd,half,8,64,1\nall_reduce,half,16,1000,0.1\n"
                            "all_gather,half,3,1001,0.1\n",
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
                  r"gemm, h200_sxm +1 ", r"gemm, b200_sxm +1 ", r"attention prefill, h200_sxm +1 ", r"moe, h200_sxm +2 ",
                  r"nccl, h200_sxm +2 ", "6 of 10 rows left out: a size that is no whole number", "it has a header and no rows",
                  "3 of 10 rows left out: no measured time", "query heads that are no multiple", "a head_dim above 1024",
                  "more query rows or keys than a call has", "more experts a token than there are", "cannot share evenly",
                  "more than 1024 GPUs", "larger than 1 GiB", "elements of unknown size", "no model of the collective",
                  r"8 tables predicted \(all rows\), 3 skipped"):
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
