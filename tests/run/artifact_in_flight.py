# SPDX-License-Identifier: BSD-3-Clause
"""Artifacts whose seats carry batches in steps of several buckets: run and verified overlapping, found out where what
they promise about distances, or about any bucket, is not so."""
import json
import pathlib
import re
import tempfile

import h5py

from program import SEAL, SMALL, must, run, seal

BUCKETS = [64, 128, 256]
FLIGHT = ["--set", "lpu.seats=3", "--set", "bucket.batch=2", "--set", "lpu.pipeline_stages=2", "--set",
          f"bucket.max_sequence={','.join(map(str, BUCKETS))}", "--set", "workload.prompt_tokens=60"]
LONGER = ["--set", "workload.sequences=8", "--set", "workload.decode_tokens=20"]
SOUND = re.compile(r"^contract +0 violated$", re.M)


def altered(path, whole, change):
    """The artifact with a change of its tables, sealed anew, as verify sees it."""
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)
    return run("verify", path)


def rung_program(file):
    """Which ops are those of chip 0 in the smallest bucket."""
    chips = {name: file[f"programs/chips/{name}"][:] for name in ("chip", "phase", "ops")}
    row = next(n for n in range(len(chips["chip"])) if (chips["chip"][n], chips["phase"][n]) == (0, 2))
    return chips["ops"][:row].sum(), chips["ops"][row]


def shift_op(file):
    """An op of that program begins before what it takes is there."""
    first, count = rung_program(file)
    names, name, start = (file[f"programs/{column}"] for column in ("names/name", "ops/name", "ops/start_cycle"))
    at = next(n for n in range(first, first + count) if names[name[n]] == b"qkv")
    start[at] -= 60
    start[at + 1] += 60


def shorten_interval(file):
    file["plan/sharing/mixed_cycles"][0] -= 1


def allow_more(file):
    """Two decode steps in the largest bucket may begin a cycle nearer to each other."""
    first, second, until = (file[f"plan/distances/{name}"] for name in ("first", "second", "to"))
    at = next(n for n in range(len(first)) if first[n] == 0 and second[n] == 0)
    until[at] -= 1


def put_off(file):
    bucket, departure = file["lpu/timetable/bucket"], file["lpu/timetable/departure_cycle"]
    departure[next(n for n in range(len(bucket)) if bucket[n] == 128)] += 1


def more_seats(file):
    file["plan/sharing/seats_placed"][0] += 1


def disorder(file):
    first = file["plan/distances/from"]
    first[0], first[1] = first[1], first[0]


def endless(file):
    file["plan/distances/to"][0] = 2**40


with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    x, y, fresh, kept = (scratch / name for name in ("x.lpu", "y.lpu", "fresh.h5", "kept.h5"))
    must("compile", SMALL, "-o", x, *FLIGHT)
    must("compile", SMALL, "-o", y, "--quiet", *FLIGHT, ranks=3)
    whole = x.read_bytes()
    assert whole == y.read_bytes(), "3 ranks write other bytes"

    told = [json.loads(must(*words, "--mode=lpu", "--json", *LONGER))
            for words in ((SMALL, "--out", fresh, *FLIGHT), ("run", x, "--out", kept))]
    assert told[0].pop("file") != told[1].pop("file") and told[0] == told[1]
    with h5py.File(fresh) as a, h5py.File(kept) as b:
        names = []
        a.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert all((a[name][()] == b[name][()]).all() for name in names if not name.startswith("run/"))
        start, end = b["lpu/steps/start_cycle"][:], b["lpu/steps/end_cycle"][:]
        assert len(a["plan/distances/first_bucket"]) == 16 and (start[1:] < end[:-1]).sum() > 40
    done = run("run", x, "--mode=lpu", "--set", "workload.sequences=7")
    assert done.returncode == 2 and "a multiple, as 8" in done.stderr, done.stderr
    done = run("run", x, "--mode=lpu", "--set", "lpu.seats=2")
    assert done.returncode == 2 and "compiled for another value" in done.stderr, done.stderr

    told = [must("verify", x, ranks=ranks) for ranks in (0, 3)]
    assert told[0] == told[1] and SOUND.search(told[0]), told[0]
    for bucket in BUCKETS:
        assert re.search(rf"cycles compiled, {bucket} positions: \d+ steps$", told[0], re.M), told[0]
    assert re.search(r"^in flight +(\d\d) of the steps began among others", told[0], re.M), told[0]

    for change in (shift_op, shorten_interval, allow_more):
        done = altered(y, whole, change)
        assert done.returncode == 3 and re.search(r"rule \d+ \(\w+\): chip \d", done.stderr), (change, done.stderr)
        assert not SOUND.search(done.stdout), done.stdout
    done = altered(y, whole, put_off)
    assert done.returncode == 3 and "not those that the programs send in" in done.stdout, done.stdout
    for change in (more_seats, disorder, endless):
        done = altered(y, whole, change)
        assert done.returncode == 5 and "seats, intervals and distances do not agree" in done.stderr, done.stderr

    y.write_bytes(whole)
    seal(y, form=1)
    done = run("verify", y)
    assert done.returncode == 5 and "artifact of format 1, this program reads 2; compile it anew" in done.stderr
    for at in range(SEAL, len(whole), len(whole) // 6):
        y.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        assert run("verify", y).returncode == 5, f"byte {at} may be altered"
        y.write_bytes(whole[:at])
        assert run("verify", y).returncode == 5, f"what follows byte {at} may be missing"
print("artifacts carry seats, batches and ladders")
