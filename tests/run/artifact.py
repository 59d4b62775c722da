# SPDX-License-Identifier: BSD-3-Clause
"""Artifacts: the same bytes from any number of ranks, run and verified as a fresh compilation is, refused when they
are not what was written."""
import hashlib
import json
import pathlib
import re
import shutil
import tempfile

import h5py

from program import CONFIGS, SEAL, SMALL, must, run, seal

QUICK = ["--set", "workload.decode_tokens=3"]


def refused(path, reason, words=("verify", "run", "show"), status=5):
    for word in words:
        done = run(word, path)
        assert done.returncode == status and done.stdout == "", (word, done.returncode, done.stdout, done.stderr)
        assert re.search(f"lpusim-mp: error: {re.escape(str(path))}: .*{reason}", done.stderr), done.stderr


with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    x, y = scratch / "x.lpu", scratch / "y.lpu"
    must("compile", SMALL, "-o", x, *QUICK)
    for ranks in (1, 2, 3, 8):
        must("compile", SMALL, "-o", y, "--quiet", *QUICK, ranks=ranks)
        assert x.read_bytes() == y.read_bytes(), f"{ranks} ranks write other bytes"
    there = scratch / "tiny"
    shutil.copytree(SMALL.parent / "models" / "tiny", there)
    must("compile", SMALL, "-o", y, "--quiet", *QUICK, "--set", f"model.path={there}")
    assert x.read_bytes() == y.read_bytes(), "where the model is makes other bytes"
    whole = x.read_bytes()
    said = dict(line.split(" ", 1) for line in whole[:SEAL].rstrip(b"\0").decode().splitlines()[1:])
    assert int(said["bytes"]) == len(whole) and said["sha256"] == hashlib.sha256(whole[SEAL:]).hexdigest()

    # It runs as the configuration does, with options of its own, and keeps what it was compiled for.
    fresh, kept = scratch / "fresh.h5", scratch / "kept.h5"
    for ranks in (0, 3):
        told = [json.loads(must(*words, "--json", ranks=ranks))
                for words in ((SMALL, "--out", fresh, *QUICK), ("run", x, "--out", kept))]
        assert told[0].pop("file") != told[1].pop("file") and told[0] == told[1]
    with h5py.File(fresh) as a, h5py.File(kept) as b:
        names = []
        a.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            if not name.startswith("run/"):
                assert (a[name][()] == b[name][()]).all(), name
    must("run", x, "--mode=lpu", "--quiet", "--set", "workload.prompt_tokens=5")
    for setting, reason in (("lpu.chip.c2c_hop=700", "compiled for another value"),
                            ("bucket.batch=2", "compiled for another value"),
                            ("workload.prompt_tokens=200", "was compiled for prompts of at most")):
        done = run("run", x, "--set", setting)
        assert done.returncode == 2 and reason in done.stderr, done.stderr

    # Numbers come with the weights of the model's folder, which must be the model that was compiled.
    sums = CONFIGS / "sums.cfg"
    must("compile", sums, "-o", y)
    assert json.loads(must("run", y, "--json")) == json.loads(must(sums, "--json"))
    done = run("run", y, "--set", f"model.path={there}")
    assert done.returncode == 2 and "is not the model that" in done.stderr, done.stderr
    assert re.search(r"^contract +0 violated$", must("verify", y), re.M)

    # verify counts what it executed; any number of ranks says the same.
    told = [must("verify", x, ranks=ranks) for ranks in (0, 2, 8)]
    assert told[0] == told[1] == told[2] and re.search(r"^contract +0 violated$", told[0], re.M), told[0]

    # A schedule that is sealed, well formed and wrong breaks promises.
    y.write_bytes(whole)
    with h5py.File(y, "r+") as file:
        cycle, opcode = file["programs/instructions/cycle"], file["programs/instructions/opcode"]
        late = [n for n in range(len(cycle) - 1) if opcode[n] == 8 and cycle[n + 1] > 0][0]
        cycle[late] += 1
        cycle[late + 1] -= 1
    seal(y)
    done = run("verify", y)
    assert done.returncode == 3 and re.search(r"rule \d+ \(\w+\): chip \d", done.stderr), (done.returncode, done.stderr)
    assert not re.search(r"^contract +0 violated$", done.stdout, re.M), done.stdout
    y.write_bytes(whole)
    with h5py.File(y, "r+") as file:
        file["lpu/timetable/departure_cycle"][0] += 1
    seal(y)
    done = run("verify", y)
    assert done.returncode == 3 and "not those that the programs send in" in done.stdout, done.stdout

    # What is not as it was written is refused.
    for at in (0, 20, 30, 60, 200, SEAL, len(whole) // 2, len(whole) - 1):
        y.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1:])
        refused(y, "", words=("verify",))
    refused(y, "digest differs: ")
    y.write_bytes(whole[:-1])
    refused(y, f"truncated: {len(whole) - 1} bytes of {len(whole)} were written")
    y.write_bytes(whole[:100])
    refused(y, "truncated at 100 bytes, within its header")
    y.write_bytes(whole + b"x")
    refused(y, "longer than it was written")
    refused(SMALL, "not an artifact of this program")
    refused(fresh, "not an artifact of this program", ("verify", "run"))  # show prints what a run said
    refused(scratch / "nothing", "")
    y.write_bytes(whole)
    with h5py.File(y, "r+") as file:
        file["plan/outline/stages"][0] += 1
    seal(y)
    refused(y, "do not agree with each other")

    # Files that are none of its own are not replaced.
    other = scratch / "notes.txt"
    other.write_text("mine")
    done = run("compile", SMALL, "-o", other, *QUICK)
    assert done.returncode == 5 and "exists and is not an artifact" in done.stderr and other.read_text() == "mine"
    done = run("compile", SMALL, "-o", scratch / "none" / "x.lpu", *QUICK)
    assert done.returncode == 5 and "the folder must exist" in done.stderr, done.stderr

    # The plan, and a chip's instructions, as text.
    shown = must("show", x)
    assert said["sha256"] in shown and 'lpu.chip.name="lpu-v1"' in shown and re.search(r"^decode +[\d,]+ +", shown, re.M)
    listed = must("show", x, "--chip=0")
    count = int(re.search(r"([\d,]+) of ([\d,]+) instructions", listed).group(2).replace(",", ""))
    assert len(listed.splitlines()) == count + 2
    one = must("show", x, "--chip=0", "--queue", "MXM 1 load", "--phase=prefill").splitlines()[2:]
    assert one and all(" MXM 1 load " in line for line in one)
    for words, reason in ((["--chip=99"], "its chips are 0 to"), (["--chip=0", "--op=none"], "ops are embed"),
                          (["--op=embed"], "--op needs --chip N"), (["--chip=x"], "number of a chip"),
                          (["--chip=0", "--phase=both"], "decode or prefill")):
        done = run("show", x, *words)
        assert done.returncode == 2 and reason in done.stderr, (words, done.stderr)
    # What another hop moves: everything behind the first transfer is shifted, some of the pieces that transfers consist
    # of leave at other times, and nothing else changes.
    must("compile", SMALL, "-o", y, *QUICK, "--set", "lpu.chip.c2c_hop=500")
    told = must("diff", x, y)
    assert 'lpu.chip.c2c_hop: "650 cycles" -> "500 cycles"' in told and re.search(r"^  decode .* -> .* -", told, re.M), told
    counts = [[int(n.replace(",", "")) for n in line.split()[1:]]
              for line in told.splitlines() if line.startswith("  instructions")]
    stepped = [re.search(rf"^{phase} .*", shown, re.M).group().split() for phase in ("decode", "prefill")]
    assert [sum(n) - n[5] for n in counts] == [int(words[4].replace(",", "")) for words in stepped], (counts, stepped)
    assert all(n[1] > 0 and n[2] < 0.01 * n[1] and n[3:] == [0] * 4 for n in counts), counts
    must("compile", SMALL, "-o", y, *QUICK, "--set", "lpu.tensor_group=2")
    told = must("diff", x, y)
    assert 'lpu.tensor_group: "0" -> "2"' in told and "2 stages x 2" in told, told
    for line in (r"embed.sum +0 -> +[\d,]+  \+", r"scores +[\d,]+ -> +[\d,]+  -", "chip 0 ", "layer 1 ", "link slots +"):
        assert re.search("^  " + line, told, re.M), (line, told)
    assert "the same, byte by byte" in must("diff", x, x)
    y.write_bytes(whole[:-1])
    refused(y, "truncated", words=("show",))
    done = run("diff", x, y)
    assert done.returncode == 5 and done.stdout == "" and "truncated" in done.stderr
for words, reason in ((["compile", SMALL], "compile needs -o X"), (["verify"], "no artifact; try: lpusim-mp verify X"),
                      (["compile", "-o", "x"], "no configuration file"), (["run", "x", "--chip=1"], "does not go with run"),
                      ([SMALL, "-o", "x"], "-o goes with compile alone"), (["show", "x", "y"], "one artifact is enough"),
                      (["diff", "x"], "one artifact has no difference"), (["diff", "x", "y", "z"], "two artifact"),
                      (["compile", SMALL, "--mode=gpu", "-o", "x"], "nothing to compile")):
    done = run(*words)
    assert done.returncode == 2 and reason in done.stderr, (words, done.returncode, done.stderr)
print("artifacts keep what was compiled")
