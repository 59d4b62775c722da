# SPDX-License-Identifier: BSD-3-Clause
"""Store commands, several at once, killed at random moments: no name points at nothing, no artifact is torn, and the
next gc clears leftovers. Judged by rules of its own, not by the program. LPUSIM_LONG: at least 500 kills."""
import collections
import contextlib
import fcntl
import hashlib
import os
import pathlib
import random
import subprocess
import tempfile
import time

from program import SMALL, command, must

KILLS = 510 if os.environ.get("LPUSIM_LONG", "0") not in ("", "0") else 36
AT_ONCE, NAMES = 3, ["tiny/canary", "tiny/stable"]
ALLOWED = ["has no name", "was at no other artifact before", "which is not there whole", "is missing"]


@contextlib.contextmanager
def locked(folder):
    with open(folder / "store", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def check_name(folder, path):
    """A sealed file of which every entry begins where the one before led, and what it keeps is there."""
    body, _, seal = path.read_bytes().rpartition(b"sha256 ")
    assert seal.decode() == hashlib.sha256(body).hexdigest() + "\n", f"{path} is torn"
    magic, _, name, held, *entries = body.decode().splitlines()
    assert magic == "lpusim-mp name" and name == f"name {path.stem.replace('+', '/')}", path
    at = "-"
    for number, entry in enumerate(entries, 1):
        _, _, source, at_next, *_ = entry.split(" ")
        assert source == at, f"{path}, entry {number}: begins elsewhere"
        at = at_next
        assert number < int(held.split()[1]) or (folder / "artifacts" / at).exists(), f"{path}: {at} is gone"
    assert entries, path


def check(folder):
    """Everything that must hold at any moment; returns how many leftovers there are."""
    with locked(folder):
        for path in (folder / "names").glob("*.name"):
            check_name(folder, path)
        for path in (folder / "artifacts").iterdir():
            if not path.name.startswith("."):
                assert hashlib.sha256(path.read_bytes()[512:]).hexdigest() == path.name, f"{path} is torn"
        return len([*folder.glob("*/.*.part")])


def seconds(*words):
    begun = time.monotonic()
    must(*words)
    return time.monotonic() - begun


def words_of(draw, files):
    name, other = draw.sample(NAMES, 2)
    return draw.choice([["add", draw.choice(files), name], ["add", draw.choice(files), name], ["promote", name, other],
                        ["rollback", name], ["gc", "--keep=2"]])


def start(draw, files, folder):
    words = words_of(draw, files)
    process = subprocess.Popen(command("store", *words, "--store", folder), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    return words[0], process


def kill(word, process, delay, outcomes):
    """Kills after a while, unless the command was done: then it did what it should or said why not."""
    time.sleep(max(0.0, delay))
    process.kill()
    said = process.communicate()[1]
    outcomes[f"{word} {'killed' if process.returncode < 0 else 'done'}"] += 1
    assert process.returncode in (-9, 0) or any(why in said for why in ALLOWED), (word, process.returncode, said)
    return process.returncode == -9


draw, outcomes = random.Random(6), collections.Counter()
with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch) / "store"
    files = [pathlib.Path(scratch) / f"{hop}.lpu" for hop in (400, 500, 600)]
    for path in files:
        must("compile", SMALL, "-o", path, "--quiet", "--set", f"lpu.chip.c2c_hop={path.stem}")
    longest = max(seconds("store", "add", path, NAMES[0], "--store", folder) for path in files)
    must("store", "promote", *NAMES, "--store", folder)
    kills, left, rounds = 0, 0, 0
    while kills < KILLS:
        running = [start(draw, files, folder) for _ in range(AT_ONCE)]
        begun, rounds = time.monotonic(), rounds + 1
        for moment, (word, process) in zip(sorted(draw.uniform(0.2, 1.6) * longest for _ in running), running):
            kills += kill(word, process, begun + moment - time.monotonic(), outcomes)
            left += check(folder) > 0
        if rounds % 8 == 0:
            must("store", "gc", "--keep=2", "--store", folder)
            assert check(folder) == 0, "gc leaves leftovers"
    must("store", "gc", "--store", folder)
    assert check(folder) == 0
    assert "whole" in must("store", "verify", "--store", folder)
    assert "0 violated" in must("store", "verify", "--execute", NAMES[0], "--store", folder)
print(f"{kills} kills in {rounds} rounds of {AT_ONCE} at once, leftovers after {left}: {dict(sorted(outcomes.items()))}")
