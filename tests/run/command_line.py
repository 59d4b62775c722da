# SPDX-License-Identifier: BSD-3-Clause
"""The command line: echo, help, version, generate, faults, and that one rank speaks."""
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

shown = must("--help")
for words in ("usage: lpusim-mp FILE", "lpusim-mp generate FILE --prompt TEXT | --prompt-ids", "lpu.chip.clock",
              'lpusim-mp generate configs/sums.cfg --prompt "347+585=" --max-new 8', "Standard output", "greedy",
              "end token or after N tokens"):
    assert words in shown, words
first, second, third, fourth = (re.findall(r"^  --([a-z-]+)", part, re.M)
                        for part in re.split(r"\noptions.*\n", shown.split("\nexamples")[0])[1:])
assert first == ["set", "out", "seed", "quiet", "version", "help"] and second == ["mode", "json", "explain", "check"]
assert third == ["prompt", "prompt-ids", "max-new", "print-ids"] and fourth == ["note", "store", "stable", "canary", "chip", "phase", "op", "queue"]
assert max(map(len, shown.split("\nkeys of FILE")[0].splitlines())) <= 100
assert must("generate", "--help") == shown and must("generate", "--version") == must("--version")
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


def refused(messages, *words, ranks=0):
    """The command line has these faults and no other."""
    done = run(*words, ranks=ranks)
    assert done.returncode == 2 and done.stdout == "", (words, done.returncode, done.stderr)
    for message in messages:
        assert done.stderr.count(message) == 1, f"{words}: {message!r} is not said once:\n{done.stderr}"
    assert done.stderr.count("lpusim-mp: error:") == len(messages), (words, done.stderr)


PROMPT, IDS, MAX_NEW = ["--prompt", "347+585="], ["--prompt-ids=1,403"], ["--max-new=8"]
for ranks in (0, 3):
    refused(["no configuration file; try: lpusim-mp generate FILE", "generate needs a prompt: --prompt TEXT or",
             "generate needs --max-new N", "--mode does not go with generate", "--json does not go with generate",
             "--check does not go with generate", "unknown option --promt; did you mean --prompt?"],
            "generate", "--mode=lpu", "--json", "--check", "--promt", ranks=ranks)
refused(["one of the two is enough", "item 1 \"\" is no token id: 0 to 2147483647", "item 3 \"-5\" is no token id",
         "item 4 \"2147483648\" is no", "item 5 \" 7\" is no", "item 6 \"7x\" is no", "item 7 \"\" is no",
         "--max-new 0: a whole number of tokens, 1 to 1048576, is wanted"],
        "generate", SMALL, *PROMPT, "--prompt-ids", ",2147483647,-5,2147483648, 7,7x,", "--max-new", "0")
for number in ("", "-1", "8.5", "eight", "4294967297"):
    refused([f"--max-new {number}: a whole number"], "generate", SMALL, *PROMPT, "--max-new", number)
refused(["item 1 \"\" is no token id"], "generate", SMALL, "--prompt-ids", "", *MAX_NEW)
for option in ("prompt", "prompt-ids", "max-new"):
    rest = [*(PROMPT if option == "max-new" else []), *(MAX_NEW if option != "max-new" else [])]
    refused([f"--{option} needs an argument"], "generate", SMALL, *rest, f"--{option}")
refused(["--print-ids takes no argument"], "generate", SMALL, *IDS, *MAX_NEW, "--print-ids=yes")
refused([f"--{name} goes with generate alone: lpusim-mp generate FILE --{name}"
         for name in ("prompt", "prompt-ids", "max-new", "print-ids")], SMALL, *PROMPT, *IDS, *MAX_NEW, "--print-ids")
refused(["one configuration file is enough", "--max-new goes with generate alone"], SMALL, "generate", *MAX_NEW)

# What generate implies cannot be set, wins over the file and reaches the configuration.
refused(["--set values=on: generate always", "--set  run.mode = both: generate runs on the LPU",
         "--set run.json=-: generate shows no", "--set workload.prompt_tokens=3: generate counts",
         "--set workload.prompt=3: with generate, write --prompt TEXT",
         "--set workload.prompt_ids=3: with generate, write --prompt-ids ID,...",
         "--set workload.decode_tokens=3: with generate, write --max-new N"], "generate", SMALL, *PROMPT, *MAX_NEW,
        *(word for text in ("values=on", " run.mode = both", "run.json=-", "workload.prompt_tokens=3",
                            "workload.prompt=3", "workload.prompt_ids=3", "workload.decode_tokens=3")
          for word in ("--set", text)))
for prompt in (PROMPT, IDS, ["--prompt="], ["--prompt", ""], ["--prompt", "--max-new"]):
    refused(["workload.prompt_tokens + workload.decode_tokens = 301 is more"], "generate", SMALL, *prompt,
            "--max-new=300", "--print-ids", "--quiet", "--seed=2", "--set", "gpu.tensor_parallel=1000")
with tempfile.TemporaryDirectory() as scratch:
    lpu_only = pathlib.Path(scratch) / "both.cfg"
    lpu_only.write_text(f'file = "{SMALL}"; run = {{ mode = "gpu"; }}; values = false; lpu = {{ tensor_group = 3; }};\n')
    refused(["lpu.tensor_group: 3 chips cannot share"], "generate", lpu_only, *PROMPT, *MAX_NEW)
print("the command line is understood")
