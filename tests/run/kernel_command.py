# SPDX-License-Identifier: BSD-3-Clause
"""lpusim-mp kernel: answers, the help, faults that say what would be right, and that one rank speaks."""
import pathlib
import re
import tempfile

from program import CONFIGS, must, run

GPUS = CONFIGS / "gpus"
HOPPER = ["kernel", "--gpu", GPUS / "h100-sxm.cfg"]


def value(text, row):
    """What stands in the last row of that name."""
    return re.findall(rf"^  {row} +(.*?)  ", text, re.M)[-1]


def microseconds(text):
    number, unit = value(text, "time").split()
    return float(number) * {"ns": 1e-3, "us": 1, "ms": 1e3}[unit]


thin, wide = must(*HOPPER, "--gemm", "16,8192,8192"), must(*HOPPER, "--gemm=4096,8192,8192")
assert value(thin, "bound") == "hbm" and value(wide, "bound") in ("l2", "tensor"), (thin, wide)
for row in ("tile", "grid", "split", "waves", "main loop", "  fill", "  step", "L2", "HBM", "bound", "floor", "time"):
    assert value(wide, row), row
assert max(map(len, must("kernel", "--help").splitlines())) <= 100
assert microseconds(must(*HOPPER, "--gemm", "4096,8192,8192", "--sms", "66")) > 1.8 * microseconds(wide)
half = must(*HOPPER, "--gemm", "16,8192,8192", "--set", "gpu.chip.hbm_rate=1.675 TB/s")
assert 1.7 < microseconds(half) / microseconds(thin) < 2.1
assert len(re.findall("^  time", must(*HOPPER, "--gemm", "16,8192,8192", "--number", "fp8"), re.M)) == 3
assert value(must(*HOPPER, "--attention", "1,1,65536,8,1"), "split") == "32"
assert "experts, down" in must(*HOPPER, "--moe", "64,4096,14336,8,2") and must(*HOPPER, "--stream", "1000000")
for subject in ("norm", "rope", "activation"):
    assert value(must(*HOPPER, f"--{subject}", "64,8192"), "grid").startswith("64 blocks")
assert must(*HOPPER, "--gemm", "1,64,64", ranks=2).count("product") == 1

for words, message in ((["kernel"], "a GPU is wanted: --gpu h100-sxm"),
                       ([*HOPPER], "what is wanted? --gemm m,n,k"),
                       ([*HOPPER, "--gemm", "1,2"], "a number is missing; m,n,k is wanted"),
                       ([*HOPPER, "--gemm", "1,2,3,4"], "too many numbers"),
                       ([*HOPPER, "--gemm", "1,x,3"], "--gemm 1,x,3: n; m,n,k is wanted"),
                       ([*HOPPER, "--gemm", "0,2,3"], "at least 1"),
                       ([*HOPPER, "--gemm", "2000000000,2000000000,2000000000"], "operands take"),
                       ([*HOPPER, "--attention", "1,2000000000,2000000000,64,64"], "operands take"),
                       ([*HOPPER, "--moe", "1,2000000000,2000000000,8,2"], "operands take"),
                       ([*HOPPER, "--norm", "2000000000,2000000000"], "the GPU has 85"),
                       ([*HOPPER, "--gem", "1,2,3"], "unknown option --gem"),
                       ([*HOPPER, "--gemm", "1,2,3", "--number", "fp4"], "bf16, fp8, fp8_block is wanted"),
                       ([*HOPPER, "--gemm", "1,2,3", "--sms", "133"], "H100-SXM-80GB has 132"),
                       ([*HOPPER, "--attention", "1,2,1,8,8"], "keys count all positions"),
                       ([*HOPPER, "--attention", "1,1,9,8,3"], "a multiple of kv_heads is wanted"),
                       ([*HOPPER, "--moe", "1,2,3,4,5"], "at most all of them"),
                       ([*HOPPER, "--gemm", "1,2,3", "--set", "gpu.chip.hbm_rat=1"], "gpu.chip.hbm_rate"),
                       (["kernel", "--gpu", "h100", "--gemm", "1,2,3"], "a100-sxm b200-sxm h100-sxm"),
                       (["kernel", "--gpu", "no/where.cfg", "--gemm", "1,2,3"], "no/where.cfg is not there"),
                       (["kernel", "--gpu", GPUS / "a100-sxm.cfg", "--gemm", "1,2,3", "--number", "fp8"],
                        "has no fp8")):
    done = run(*words)
    assert done.returncode == 2 and done.stdout == "", (words, done.returncode, done.stdout)
    assert message in done.stderr, (words, done.stderr)

with tempfile.TemporaryDirectory() as scratch:
    text = (GPUS / "h100-sxm.cfg").read_text()
    broken = pathlib.Path(scratch) / "gpu.cfg"
    broken.write_text(re.sub(r"sms = \d+;", "", text))
    done = run("kernel", "--gpu", broken, "--gemm", "1,2,3")
    assert done.returncode == 2 and "gpu.chip.sms is missing" in done.stderr, done.stderr
