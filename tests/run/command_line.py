# SPDX-License-Identifier: BSD-3-Clause
"""The command line: echo, help, version, faults, and that one rank speaks."""
import json
import pathlib
import re
import tempfile

from program import SMALL, must, run

with tempfile.TemporaryDirectory() as scratch:
    echo = pathlib.Path(scratch) / "echo.cfg"
    text = must(SMALL, "--check", "--seed=7", "--set", "bucket.batch=1", "--mode", "gpu")
    echo.write_text(text)
    again = must(echo, "--check")
    values = [re.sub(r"\s*#.*", "", t) for t in (text, again)]
    assert values[0] == values[1] and "seed = 7" in values[0], again
    assert must(SMALL, "--check", ranks=3).count("decode_tokens") == 1

    path = pathlib.Path(scratch) / "summary.json"
    options = ["--mode=gpu", "--set", "workload.decode_tokens=2"]
    must(SMALL, f"--json={path}", "--quiet", *options)
    assert json.loads(path.read_text()) == json.loads(must(SMALL, "--json", *options))

assert "usage: lpusim-mp FILE" in must("--help") and "lpu.chip.clock" in must("--help")
assert must("--version", ranks=2).count("lpusim-mp") == 1
assert must(SMALL, "--quiet", *options) == ""
summary = must(SMALL, "--set", "gpu.neighbour=true", "--set", "workload.decode_tokens=4")
assert "TTFT" in summary and "\033" not in summary
assert max(map(len, summary.splitlines())) <= 100 and summary.count("\n") <= 60

for words, message in ((["--moed=gpu", SMALL], "did you mean --mode?"), ([], "no configuration file"),
                       ([SMALL, SMALL], "one configuration file"), ([SMALL, "--out"], "--out needs an argument"),
                       ([SMALL, "--check=yes"], "takes no argument"), ([SMALL, "-q"], "unknown option -q"),
                       ([SMALL, "--set", "bucket.bath=1"], "bucket.batch")):
    for ranks in (0, 3):
        done = run(*words, ranks=ranks)
        assert done.returncode == 2, (words, done.returncode, done.stderr)
        assert len(re.findall(f"lpusim-mp: error:.*{re.escape(message)}", done.stderr)) == 1, done.stderr
        assert done.stdout == ""
print("the command line is understood")
