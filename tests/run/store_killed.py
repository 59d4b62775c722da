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


def leftovers(folder):
    return len([*folder.glob("*/.*.part")])


def check(folder):
    """Everything that must hold at any moment; returns how many leftovers there are."""
    with locked(folder):
        for path in (folder / "names").glob("*.name"):
            check_name(folder, path)
        for path in (folder / "artifacts").iterdir():
            if not path.name.startswith("."):
                assert hashlib.sha256(path.read_bytes()[512:]).hexdigest() == path.name, f"{path} is torn"
        return leftovers(folder)


def seconds(*words):
    begun = time.monotonic()
    must(*words)
    return time.monotonic() - begun


def words_of(draw, files):
    name, other = draw.sample(NAMES, 2)
    return draw.choice([["add", draw.choice(files), name], ["add", draw.choice(files), name], ["promote", name, other],
                        ["rollback", name], ["remove", name], ["gc", "--keep=2"]])


def start(draw, files, folder):
    """Open MPI gets a folder of its own for each: processes that start and end at once would share one."""
    words, own = words_of(draw, files), tempfile.mkdtemp(dir=folder.parent)
    process = subprocess.Popen(command("store", *words, "--store", folder), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": own})
    return words[0], process


def has_open(process, path):
    """Whether a process has a file open; true once it is over."""
    if process.poll() is not None:
        return True
    links = pathlib.Path(f"/proc/{process.pid}/fd")
    with contextlib.suppress(OSError):
        return any(os.readlink(link) == str(path) for link in links.iterdir())
    return False


def wait(draw, process, folder, longest):
    """Until some moment of a command's life: any; one at which it is about the store, or waits for it; one at which
    somebody writes a file."""
    kind = draw.randrange(5)
    if kind == 0:
        time.sleep(draw.uniform(0, longest))
    while kind > 0 and not has_open(process, folder / "store"):
        time.sleep(0.001)
    if kind > 2:
        time.sleep(draw.uniform(0, 0.05 if kind == 4 else 0.005))
    while kind == 2 and process.poll() is None and not leftovers(folder):
        pass


def kill(word, process, outcomes):
    """Kills, unless the command was done: then it did what it should or said why not."""
    process.kill()
    said = process.communicate()[1]
    outcomes[f"{word} {'killed' if process.returncode < 0 else 'done'}"] += 1
    assert process.returncode in (-9, 0) or any(why in said for why in ALLOWED), (word, process.returncode, said)
    return process.returncode == -9


draw, outcomes = random.Random(6), collections.Counter()
with tempfile.TemporaryDirectory() as scratch:
    folder, os.environ["TMPDIR"] = pathlib.Path(scratch) / "store", scratch
    files = [pathlib.Path(scratch) / f"{hop}.lpu" for hop in (400, 500, 600)]
    for path in files:
        must("compile", SMALL, "-o", path, "--quiet", "--set", f"lpu.chip.c2c_hop={path.stem}")
    longest = max(seconds("store", "add", path, NAMES[0], "--store", folder) for path in files)
    must("store", "promote", *NAMES, "--store", folder)
    kills, left, rounds = 0, 0, 0
    while kills < KILLS:
        running = [start(draw, files, folder) for _ in range(AT_ONCE)]
        rounds += 1
        for word, process in running:
            wait(draw, process, folder, longest)
            kills += kill(word, process, outcomes)
            left += check(folder) > 0
        if rounds % 8 == 0:
            must("store", "gc", "--keep=2", "--store", folder)
            assert check(folder) == 0, "gc leaves leftovers"
    must("store", "gc", "--store", folder)
    assert check(folder) == 0
    must("store", "add", files[0], NAMES[0], "--store", folder)
    assert "whole" in must("store", "verify", "--store", folder)
    assert "0 violated" in must("store", "verify", "--execute", NAMES[0], "--store", folder)
assert left > 0, "no command was killed while it wrote"
print(f"{kills} kills in {rounds} rounds of {AT_ONCE} at once, leftovers after {left}: {dict(sorted(outcomes.items()))}")
