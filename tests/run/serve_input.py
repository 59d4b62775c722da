# SPDX-License-Identifier: BSD-3-Clause
"""serve: which requests there are, and what is said of those that cannot be read or drawn."""
import json
import pathlib
import tempfile

from program import CONFIGS, SMALL, must, run

DRAWN = ["--set", "serve.requests=50", "--set", "serve.rate=10"]

with tempfile.TemporaryDirectory() as scratch:
    trace = pathlib.Path(scratch) / "trace.csv"
    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0,8,4\n0.1,9,5\n0.05,3,3\n0.2,1,1\n")
    source = ["--set", f"serve.trace={trace}"]
    read = json.loads(must("serve", SMALL, "--json", *source))
    assert read["requests"] == 4 and read["requests_per_second"] == 15 and read["trace"] == str(trace), read
    read = json.loads(must("serve", SMALL, "--json", *source, "--set", "serve.first=1", "--set", "serve.requests=2",
                           "--set", "serve.rate=3"))
    assert read["requests"] == 2 and abs(read["requests_per_second"] - 3) < 1e-9, read

    trace.write_text("arrival_s,prompt_tokens,output_tokens\n0,8,0\n0.1,9\n")
    for words, messages in (
            (["--set", f"serve.trace={trace}"],
             [f"{trace}:2: output_tokens: \"0\": a whole number from 1", f"{trace}:3: 2 fields; 3 are wanted"]),
            ([], ["serve.rate: 0 is the rate of a trace", "serve.requests: 0 is all of a trace"]),
            (["--set", "serve.polcy=first_come"], ["the nearest known one is \"serve.policy\""]),
            (["--check"], ["serve.rate: 0 is the rate of a trace", "serve.requests: 0 is all of a trace"]),
            (["--explain"], ["--explain does not go with serve"])):
        for ranks in (0, 3):
            done = run("serve", SMALL, *words, ranks=ranks)
            assert done.returncode == 2 and done.stdout == "", (words, done.returncode, done.stderr)
            for message in messages:
                assert done.stderr.count(message) == 1, (words, done.stderr)
computes = run("serve", CONFIGS / "sums.cfg", *DRAWN)
assert computes.returncode == 2 and "values: serve counts tokens and computes none" in computes.stderr, computes.stderr
assert "fidelity = \"cells\"" in must("serve", SMALL, "--check", *DRAWN)
assert run("serve").stderr.count("no configuration file; try: lpusim-mp serve configs/serve.cfg") == 1
drawn = [json.loads(must("serve", SMALL, "--json", f"--seed={seed}", *DRAWN))["requests_per_second"] for seed in (1, 1, 2)]
assert drawn[0] == drawn[1] != drawn[2] and 5 < drawn[0] < 20, drawn
print("requests are read, drawn or refused")
