# SPDX-License-Identifier: BSD-3-Clause
"""The store as operators meet it: what commands print, how they refuse, and names where files are taken."""
import fcntl
import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile

from program import SMALL, command, must, run

HOP = ["--set", "lpu.chip.c2c_hop=500"]
os.environ.pop("LPUSIM_STORE", None)


def digest_of(path):
    return re.search(rb"^sha256 ([0-9a-f]{64})$", path.read_bytes()[:512], re.M).group(1).decode()


def refused(status, reason, *words, ranks=0):
    done = run(*words, ranks=ranks)
    assert done.returncode == status and done.stdout == "", (words, done.returncode, done.stdout)
    assert len(re.findall(f"lpusim-mp: error: .*{reason}", done.stderr)) == 1, (words, reason, done.stderr)


with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    x, y, folder = scratch / "x.lpu", scratch / "y.lpu", scratch / "store"
    at = ["--store", folder]

    def store(*words, ranks=0):
        return must("store", *words, *at, ranks=ranks)

    must("compile", SMALL, "-o", x, "--quiet")
    must("compile", SMALL, "-o", y, "--quiet", *HOP)
    first, second = digest_of(x), digest_of(y)

    # Forward and back, from any number of ranks.
    refused(5, "is not a store; lpusim-mp store add", "store", "list", *at, ranks=3)
    assert store("add", x, "tiny/stable") == f"tiny/stable: new, at {first[:12]}\n"
    assert store("add", x, "tiny/stable") == f"tiny/stable: is at {first[:12]} already, nothing changed\n"
    must("compile", SMALL, "-o", "store:tiny/canary", "--note", "a shorter hop", "--quiet", *HOP, *at, ranks=2)
    assert (folder / "artifacts" / second).read_bytes() == y.read_bytes()
    told = store("promote", "tiny/canary", "tiny/stable", "--note=4 % faster", ranks=3)
    assert told == f"tiny/stable: {first[:12]} -> {second[:12]}, promoted from tiny/canary\n", told
    shown = store("show", "tiny/stable")
    cycles = [re.search(rf"^  decode +([\d,]+) -> +([\d,]+)", must("diff", x, y), re.M).group(n) for n in (1, 2)]
    for line in (f"artifact +{second}", rf"decode +L {cycles[1]} cycles, .*; P {cycles[1]} cycles, .* \(one seat\); 256 positions",
                 "names +tiny/canary", " +tiny/stable",
                 rf" +2  20\S+Z  promote +{first[:12]} -> {second[:12]}, from tiny/canary: 4 % faster",
                 rf" +1  20\S+Z  add +new +-> {first[:12]}"):
        assert re.search(f"^{line}$", shown, re.M), (line, shown)
    told = store("rollback", "tiny/stable")
    assert told == f"tiny/stable: {second[:12]} -> {first[:12]}, rolled back\n", told
    refused(5, "was at no other artifact before", "store", "rollback", "tiny/stable", *at)
    listed_text = store("list")
    listed = listed_text.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["tiny/canary", second[:12]], ["tiny/stable", first[:12]]]
    assert len(store("list", "tiny/c").splitlines()) == 2
    assert store("show", second[:8]).splitlines()[0].endswith(second)

    # A name or a digest wherever a file is taken; the environment may say of which store.
    for name, path in (("store:tiny/canary", y), (f"store:{second[:9]}", y)):
        assert must("verify", name, *at, ranks=2).splitlines()[1:] == must("verify", path).splitlines()[1:]
        assert must("show", name, *at).splitlines()[1:] == must("show", path).splitlines()[1:]
    told = [json.loads(must("run", what, "--json", "--mode=lpu", *rest, ranks=2))
            for what, *rest in ((y,), ("store:tiny/canary", *at))]
    assert told[0] == told[1]
    told = [must(*words).splitlines() for words in (("diff", x, y), ("store", "diff", "tiny/stable", "tiny/canary", *at),
                                                    ("diff", x, "store:tiny/canary", *at))]
    assert told[0][2:] == told[1][2:] == told[2][2:]
    assert "store:tiny/canary" in told[1][1] and "store:tiny/canary" in told[2][1]

    os.environ["LPUSIM_STORE"] = str(folder)
    assert must("store", "list") == listed_text and must("show", "store:tiny/canary") == must("show", "store:tiny/canary", *at)
    refused(5, "nowhere: is not a store", "store", "list", "--store", scratch / "nowhere")
    del os.environ["LPUSIM_STORE"]

    # verify reads all again, and executes where it is asked to.
    told = store("verify", "--execute", ranks=2)
    assert "2 names, 4 entries, 2 artifacts of" in told and told.count("contract    0 violated") == 2, told
    assert store("verify", "tiny/stable", "--execute").count("contract    0 violated") == 1

    # What no name keeps is collected.
    assert store("remove", "tiny/canary") == f"tiny/canary: removed, was at {second[:12]}\n"
    assert re.search("^kept +2 artifacts$", store("gc"), re.M)
    told = store("gc", "--keep=1", "--dry-run")
    assert f"would go    {second}" in told and (folder / "artifacts" / second).exists()
    (folder / "artifacts" / ".1-0.part").write_bytes(b"torn")
    (folder / "names" / "notes.txt").write_text("mine")
    assert "1 leftover file: lpusim-mp store gc" in store("verify")
    told = store("gc", "--keep=1")
    for line in (f"deleted     {second}", "kept        1 artifact", "deleted     1 leftover file",
                 f"left        {folder}/names/notes.txt, which is none of a store's files"):
        assert line in told.splitlines(), (line, told)
    assert sorted(p.name for p in (folder / "artifacts").iterdir()) == [first]
    assert ", not kept" in store("show", "tiny/stable")

    # A disk that takes half of an artifact leaves everything as it was.
    limit = x.stat().st_size // 2
    done = subprocess.run(command("store", "add", y, "tiny/stable", *at), capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 5 and "the artifact cannot be written: File too large" in done.stderr, done.stderr
    assert sorted(p.name for p in (folder / "artifacts").iterdir()) == [first]
    assert f"artifact    {first}" in store("show", "tiny/stable")

    # Nothing but sound artifacts gets in, and nothing torn gets out.
    (scratch / "z.lpu").write_bytes(x.read_bytes()[:-1])
    refused(5, "truncated", "store", "add", scratch / "z.lpu", "tiny/other", *at)
    refused(5, "not an artifact of this program", "store", "add", SMALL, "tiny/other", *at)
    refused(5, "No such file", "store", "add", scratch / "none", "tiny/other", *at)
    whole = (folder / "artifacts" / first).read_bytes()
    (folder / "artifacts" / first).write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    for words in (("store", "verify"), ("verify", "store:tiny/stable"), ("run", "store:tiny/stable"),
                  ("show", "store:tiny/stable"), ("store", "diff", "tiny/stable", "tiny/stable"),
                  ("store", "promote", "tiny/stable", "tiny/other")):
        done = run(*words, *at, ranks=2 if words[0] == "run" else 0)
        assert done.returncode == 5 and "digest differs" in done.stderr, (words, done.stderr)
    store("add", y, "tiny/other")
    (folder / "artifacts" / first).write_bytes(whole)
    name = folder / "names" / "tiny+stable.name"
    name.write_bytes(name.read_bytes().replace(b"add", b"ade"))
    for words in (("store", "show", "tiny/stable"), ("store", "gc"), ("run", "store:tiny/stable"),
                  ("store", "add", y, "tiny/stable")):
        refused(5, "altered: its digest differs", *words, *at)
    done = run("store", "list", *at)
    assert done.returncode == 5 and "tiny/other" in done.stdout and "digest differs" in done.stderr
    name.unlink()

    # Others are waited for, not for ever.
    with open(folder / "store", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(5, "is in use by another command; waited 0 s", "store", "list", "--wait=0", *at, ranks=2)

    for reason, *words in (("list, show, add, promote", ), ("list, show, add, promote", "lsit"),
                           ("store add wants FILE NAME", "add", x), ("store gc wants no word", "gc", "x"),
                           ("has an empty part", "show", "tiny//stable"), ("begins with neither", "add", x, "../x"),
                           ("reads as a digest", "add", x, "deadbeef"), ("is longer than 200", "show", "n" * 201),
                           ("no such option", "list", "--all"), ("--keep does not go with store list", "list", "--keep=1"),
                           ("at least 1 is wanted", "gc", "--keep=0"), ("--note needs TEXT", "promote", "a", "b", "--note"),
                           ("a note is one line", "promote", "a", "b", "--note=two\nlines")):
        refused(2, reason, "store", *words, *(at if words[-1:] != ["--note"] else []))
for reason, *words in (("of which store", "run", "store:tiny"), ("has an empty part", "run", "store:/", "--store=s"),
                       ("no artifact of it is wanted", "run", "x", "--store=s"), ("of which store", "store", "list"),
                       ("--note: goes into", "compile", SMALL, "-o", "x", "--note=x"),
                       ("reads as a digest", "compile", SMALL, "-o", "store:deadbeef", "--store=s"),
                       ("--store does not go with generate", "generate", SMALL, "--prompt=", "--max-new=1", "--store=s")):
    refused(2, reason, *words)
shown = must("store", "--help", ranks=2)
assert shown.count("usage: lpusim-mp store") == 1 and must("store", "gc", "--help") == must("store", "--help")
assert max(map(len, shown.splitlines())) <= 100
print("the store keeps what it is given")
