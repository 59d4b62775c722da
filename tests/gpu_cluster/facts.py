# SPDX-License-Identifier: BSD-3-Clause
"""The published facts about variability hold in the simulation: usage facts.py VARIABILITY, from the project's root."""
import pathlib
import re
import subprocess
import sys
import tempfile

folder = tempfile.TemporaryDirectory()
with open(pathlib.Path(folder.name) / "trace.csv", "w", encoding="ascii") as trace:
    trace.write("dp_rank,stage,step,optype,duration,seq_id\n")
    for step in range(10):  # work that comes and goes, the same for both stages; the second is slow once
        for stage in range(2):
            late = 1.1 if stage == 1 and step == 9 else 1.0
            trace.write(f"0,{stage},{step},forward-compute,{(1 + stage) * (1 + step % 2) * late},0\n")

text = subprocess.run([sys.argv[1], "configs/rack.cfg", "configs/models/Llama-3-8B", folder.name], check=True,
                      capture_output=True, text=True).stdout
print(text, end="")


def simulated(fact):
    """Numbers of the last column."""
    line = next(line for line in text.splitlines() if line.startswith(fact))
    return [float(number) for number in re.findall(r"[\d.]+", line[76:])]


low, median, high = simulated("one op over time")
assert 1.5 <= low < median < high <= 3
assert max(simulated("one op, p99 / p50")) <= 1.08
assert simulated("ranks of a node")[0] <= 1
assert 0.2 <= simulated("mean step from run to run")[0] <= 0.9
eager, graph = simulated("eager all-reduce"), simulated("the same in a graph")
assert eager[0] < eager[1] < eager[2] and eager[1] > 2 * graph[1]
assert 1.6 <= simulated("one GPU of 8 slower")[0] <= 2.2
assert abs(simulated("GPUs of one model")[0] - 8) < 0.5
mean, worst = simulated("prompt beside a collective")
assert 12 <= mean <= 26 and 25 <= worst <= 50
assert 1.6 <= simulated("a block for each SM")[0] <= 2.1

raw, own = (line for line in text.splitlines() if "p99 / p50" in line and "one op" not in line)
assert raw.startswith("forward-compute") and " 33.3 /" in raw, raw
# Stages of 1 and 2, once 1.1 times 2: shares of 0.667 and 0.625, 1.333 and 1.375.
assert " 0.9 /  0.9 /  1.9 % " in own and own.endswith("1.000 / 1.031"), own
