# SPDX-License-Identifier: BSD-3-Clause
"""The published facts about variability hold in the simulation: usage facts.py VARIABILITY, from the project's root."""
import re
import subprocess
import sys

text = subprocess.run([sys.argv[1], "configs/rack.cfg", "configs/models/Llama-3-8B"], check=True,
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
