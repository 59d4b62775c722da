# SPDX-License-Identifier: BSD-3-Clause
"""lpusim-mp collective answers, explains, and refuses what cannot be."""
import re
import subprocess
import sys


def run(*words):
    done = subprocess.run([sys.argv[1], "collective", *words], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def time_us(*words):
    status, text, _ = run(*words)
    assert status == 0, text
    return float(re.search(r": ([0-9.]+) us, algorithm", text).group(1))


def answers():
    status, text, _ = run("--gpu", "h100-sxm", "--op", "all_reduce", "--bytes", "1M", "--ranks", "8")
    assert status == 0
    taken = [line for line in text.splitlines() if line.endswith("taken")]
    assert len(taken) == 1 and taken[0].split()[:2] == ["ring", "ll"], taken
    assert re.search(r"channels +24 blocks", text) and "Time by phase" in text
    reckoned = [float(line.split()[6]) for line in text.splitlines() if "GB/s  " in line]
    assert len(reckoned) == 7 and reckoned == sorted(reckoned), reckoned


def options_matter():
    plain = time_us("--bytes", "64M")
    assert time_us("--bytes", "64M", "--set", "gpu.degraded_gpu=3") > 1.5 * plain
    assert time_us("--bytes", "64M", "--set", "gpu.neighbour=true") > 1.05 * plain
    assert time_us("--bytes", "64K", "--library", "engine") < 0.6 * time_us("--bytes", "64K")
    assert time_us("--bytes=64M", "--algorithm=ring", "--channels=4") > 1.5 * plain
    assert time_us("--machine", "h100-p5", "--ranks", "16", "--bytes", "1M") > 60


def faults_are_named():
    for words, hint in ((["--op", "foo"], "all_gather"), (["--ranks", "1"], "2 to 65536"),
                        (["--bytes", "3Q"], "MiB"), (["--gpu", "none"], "configs/gpus/none.cfg"),
                        (["--algorithm", "x"], "two_shot"), (["--what"], "--help"),
                        (["--op", "all_to_all", "--algorithm", "tree"], "cannot be done by tree"),
                        (["--gpu", "a100-sxm", "--algorithm", "nvls"], "cannot add"),
                        (["--bytes", "1G", "--chunk", "1B"], "million"),
                        (["--ranks", "12"], "do not fill nodes")):
        status, text, errors = run(*words)
        assert status == 2 and not text and hint in errors, (words, errors)
    status, text, _ = run("--help")
    assert status == 0 and "candidate" in text and "examples" in text


answers()
options_matter()
faults_are_named()
print("ok")
