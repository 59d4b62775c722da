# SPDX-License-Identifier: BSD-3-Clause
"""rollout: a slower canary and one that breaks the contract are rolled back, an equal and a faster one promoted; nobody is lost."""
import json
import pathlib
import tempfile

import h5py

from program import SMALL, must, run, seal

PLANS = ["--quiet", "--set", "workload.prompt_tokens=255", "--set", "workload.decode_tokens=1"]
REQUESTS = 1500
LOAD = [f"serve.requests={REQUESTS}", "serve.rate=3000", "serve.prompt_mean=40", "serve.output_mean=16",
        "serve.lpu_replicas=3", "serve.router=least_loaded", "serve.rollout.start=30 ms", "serve.rollout.share=33 %",
        "serve.rollout.window=30 ms", "serve.rollout.observe=50 ms", "serve.rollout.least=20", "serve.rollout.tpot_ratio=105 %"]
STAGES = {"fast": 1, "stable": 2, "slow": 4}


def words(keys):
    return [word for key in keys for word in ("--set", key)]


def rollout(folder, canary, *keys, ranks=0, more=()):
    """What the JSON says; every request is accounted for and every promise kept."""
    told = json.loads(must("rollout", SMALL, "--stable", folder / "stable.lpu", "--canary", folder / canary,
                           "--json", *words([*LOAD, "run.output=", *keys]), *more, ranks=ranks))
    for side in ("with", "without"):
        assert told[side]["requests"] == REQUESTS and told[side]["waiting"] == 0, told[side]
    assert told["promises_broken"] == 0 and told["steps_rehearsed"] > REQUESTS, told
    assert total(told, "refused") == 0 and told["with"]["finished"] == told["without"]["finished"], told
    return told


def total(told, name):
    return sum(event[name] for event in told["events"])


def first(told, kind):
    return next((event for event in told["events"] if event["event"] == kind), None)


def change(path):
    """An instruction that begins seven cycles late."""
    with h5py.File(path, "r+") as file:
        column = file["programs/instructions/cycle"]
        column[3000] += 7
    seal(path)


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    for name, stages in STAGES.items():
        must("compile", SMALL, "-o", folder / f"{name}.lpu", *PLANS, "--set", f"lpu.pipeline_stages={stages}")
    (folder / "broken.lpu").write_bytes((folder / "stable.lpu").read_bytes())
    change(folder / "broken.lpu")
    assert run("verify", folder / "broken.lpu").returncode in (3, 4)

    same, fast, slow, broken = (rollout(folder, f"{name}.lpu") for name in ("stable", "fast", "slow", "broken"))
    for told in (same, fast):
        assert told["end"] == "promoted" and first(told, "roll_back") is None, told["events"]
        assert first(told, "done")["canary_racks"] == 3 and total(told, "failed") == 0, told["events"]
    assert total(fast, "sooner") > total(same, "sooner"), (fast["events"], same["events"])

    back = first(slow, "roll_back")
    assert slow["end"] == "rolled_back" and back["gate"] == "tpot_ratio", slow["events"]
    assert back["canary_tpot_p99_ps"] > 1.05 * back["stable_tpot_p99_ps"] > 0, back
    assert first(slow, "done")["stable_racks"] == 3 and total(slow, "delayed") > 0, slow["events"]
    assert first(slow, "promote") is None and total(slow, "failed") == 0, slow["events"]

    back = first(broken, "roll_back")
    assert broken["end"] == "rolled_back" and back["gate"] == "contract" and back["violations"] > 0, broken["events"]
    assert first(broken, "start")["failed"] > 0 == back["failed"], broken["events"]
    assert first(broken, "done")["stable_racks"] == 3, broken["events"]

    out = folder / "run.h5"
    for ranks in (1, 2, 3, 8):
        assert rollout(folder, "broken.lpu", ranks=ranks) == broken, ranks
    assert rollout(folder, "slow.lpu", ranks=3) == slow
    must("rollout", SMALL, "--stable", folder / "stable.lpu", "--canary", folder / "slow.lpu", "--quiet",
         *words([*LOAD, f"run.output={out}"]))
    with h5py.File(out) as file:
        table = file["serve/rollout"]
        for name in ("at_ps", "delayed", "canary_tpot_p99_ps", "rack"):
            assert list(table[name]) == [event[name] for event in slow["events"]], name

    few = run("rollout", SMALL, "--stable", folder / "stable.lpu", "--canary", folder / "fast.lpu",
              *words([*LOAD, "serve.lpu_replicas=1", "serve.rollout.start=80 s"]))
    assert few.returncode == 2 and "at least 2 racks" in few.stderr and "serve.rollout.start" in few.stderr, few.stderr
    alone = run("rollout", SMALL, "--stable", folder / "stable.lpu")
    assert alone.returncode == 2 and "--canary" in alone.stderr, alone.stderr
    must("compile", SMALL, "-o", folder / "short.lpu", "--quiet")
    short = run("rollout", SMALL, "--stable", folder / "stable.lpu", "--canary", folder / "short.lpu", *words(LOAD))
    assert short.returncode == 2 and "workload.prompt_tokens=255" in short.stderr, short.stderr
print(f"slow: {total(slow, 'delayed')} delayed; broken: {total(broken, 'failed')} failed of {REQUESTS}")
