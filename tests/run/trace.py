# SPDX-License-Identifier: BSD-3-Clause
"""trace: keeps to the format of trace events, shows what the file says and no more, and stays small in a long run."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import trace_format
from program import PROGRAM, SMALL, must, run

SERVE = ["--set", "lpu.seats=0", "--set", "serve.requests=200", "--set", "serve.rate=2000", "--set",
         "serve.prompt_mean=40", "--set", "serve.output_mean=12"]
# Runs a command from a small process, whose size is not taken for the command's, and prints the command's in KiB.
PEAK = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
LONG_ROWS, LONG_SECONDS, LONG_BYTES = 10_000_000, 60, 400 << 20


def table(file, name):
    return {column: values[:] for column, values in file[name].items()}


def slices(events, *category):
    return [event for event in events if event["ph"] == "X" and event["cat"] in category]


def ns(ps):
    return ps // 1000


def check_step(file, events, number):
    """A decode step of each machine, begun at 0: every row of it, at its time, on its thread."""
    where = trace_format.names(events)
    program, steps = table(file, "lpu/program"), table(file, "lpu/steps")
    at = np.flatnonzero(steps["phase"] == 1)[number]
    decode = program["phase"] == 1
    clock = int(file["lpu"].attrs["clock_hz"])
    base = int(file["compare/steps/start_ps"][file["compare/steps/machine"][:] == 0][0])
    queue = [name.decode() for name in file["lpu/queues/name"][:]]
    to_ps = lambda cycle: base + (int(cycle) * 10**9 + clock // 2000) // (clock // 1000)
    begin = to_ps(steps["start_cycle"][at])
    found = sorted((where[e["pid"], e["tid"]], e["args"]["issue_cycle"], e["ts"]) for e in slices(
        events, *(label for label in file["lpu/program/opcode"].attrs["labels"])))
    wanted = sorted(((process(c, queue[q]), queue[q]), int(i), (ns(to_ps(steps["start_cycle"][at] + i) - begin)) / 1000)
                    for c, q, i in zip(*(program[name][decode] for name in ("chip", "queue", "issue_cycle"))))
    assert len(found) == len(wanted) and all(f[:2] == w[:2] and abs(float(f[2]) - w[2]) < 1e-9
                                             for f, w in zip(found, wanted)), "instructions differ"
    check_gpu(file, events, where, number)


def process(chip, queue):
    unit = queue.split()[0]
    if unit == "MEM":
        unit += " east" if int(queue.split()[1]) >= 44 else " west"
    return f"LPU chip {chip} {unit if unit not in ('HOST', 'SYNC') else 'other'}"


def check_gpu(file, events, where, number):
    steps = table(file, "gpu/steps")
    step = steps["step"][steps["phase"] == 1].min() + number
    begin = int(steps["start_ps"][(steps["step"] == step) & (steps["repeat"] == 0)].min())
    for name, category in (("kernels", "kernel"), ("collectives", "collective")):
        rows = table(file, f"gpu/{name}")
        rows = {column: values[(rows["step"] == step) & (rows["repeat"] == 0)] for column, values in rows.items()}
        wanted = sorted((f"GPU {g}", ns(int(s) - begin) / 1000, ns(int(e) - begin) / 1000)
                        for g, s, e in zip(rows["gpu"], rows["start_ps"], rows["end_ps"]))
        found = sorted((where[e["pid"], e["tid"]][0], float(e["ts"]), float(e["ts"] + e["dur"]))
                       for e in slices(events, category))
        assert len(found) == len(wanted) > 0 and np.allclose([f[1:] for f in found], [w[1:] for w in wanted]), name
        assert [f[0] for f in found] == [w[0] for w in wanted], name


def check_window(file, path, output):
    """A window shows all kernels that touch it, at their own times."""
    kernels = table(file, "gpu/kernels")
    start, end = kernels["start_ps"], kernels["end_ps"]
    from_us, to_us = int(np.median(start)) // 10**6 - 150, int(np.median(start)) // 10**6 + 150
    text = must("trace", path, "-o", output, f"--window={from_us} us..{to_us} us", "--gpu=1")
    events = trace_format.check(output)
    inside = (start < to_us * 10**6) & (end > from_us * 10**6) & (kernels["gpu"] == 1)
    assert len(slices(events, "kernel")) == inside.sum() > 0
    assert f"{inside.sum()} of {len(start)} GPU kernels" in text, text
    assert abs(min(float(e["ts"]) for e in slices(events, "kernel")) - ns(int(start[inside].min())) / 1000) < 1e-9


def check_limit(path, output):
    text = must("trace", path, "-o", output, "--most", 100, "--chip", "1-2")
    events = trace_format.check(output)
    assert len(slices(events, *{e.get("cat") for e in events})) == 100
    left = json.loads(pathlib.Path(output).read_text())["otherData"]["slices_left_out"]
    assert int(left) > 1000 and f"beyond --most 100: {int(left):,} slices" in text, text
    assert not any("chip 0" in process or "chip 3" in process for process, _ in trace_format.names(events).values()
                   if "LPU chip" in process and not process.endswith("links"))


def check_faults(path, scratch):
    other = scratch / "other.h5"
    h5py.File(other, "w").close()
    text = scratch / "text.h5"
    text.write_text("no HDF5\n")
    out = scratch / "fault.json"
    for words, status, message in (
            ([], 2, "no file of a run; try: lpusim-mp trace"), ([path], 2, "trace needs -o"),
            ([path, "-o", out, "--window", "3"], 2, "FROM..TO is wanted"),
            ([path, "-o", out, "--window", "3 ms..2 ms"], 2, "must end behind its begin"),
            ([path, "-o", out, "--window", "3 cows..4 ms"], 2, "cows"),
            ([path, "-o", out, "--window", "1 s..2 s"], 2, "nothing in this window; the run ends at"),
            ([path, "-o", out, "--step", "99"], 2, "nothing of decode step 99"),
            ([path, "-o", out, "--step", "0", "--window", "..1 ms"], 2, "one of the two"),
            ([path, "-o", out, "--chip", "x"], 2, "0,4-7"), ([path, "-o", path], 5, "is the file to read"),
            ([path, "-o", out, "--far"], 2, "unknown option --far"), ([text, "-o", out], 2, "is not the HDF5 file of a run"),
            ([other, "-o", out], 2, "was not written by lpusim-mp"),
            ([scratch / "none.h5", "-o", out], 2, "cannot be opened"),
            ([path, "-o", scratch / "no" / "where.json"], 5, "cannot be written")):
        done = run("trace", *words)
        assert done.returncode == status and message in done.stderr, (words, done.returncode, done.stderr)
        assert not out.exists(), words


def lengthen(path, rows):
    """A file of as many kernels, 20 ns apart on 8 GPUs."""
    with h5py.File(path, "r+") as file:
        group = file["gpu/kernels"]
        number = np.arange(rows, dtype=np.int64)
        made = {"gpu": number % 8, "start_ps": 20000 * number, "end_ps": 20000 * number + 150000, "step": number // 1000}
        for name in list(group):
            old, attributes = group[name], dict(group[name].attrs)
            data = made.get(name, np.zeros(rows)).astype(old.dtype)
            del group[name]
            new = group.create_dataset(name, data=data, chunks=(16384,), shuffle=True, compression=1)
            for key, value in attributes.items():
                new.attrs[key] = value


def check_long(path, output):
    """A window of a file of 10 million kernels: seconds, and memory of a few blocks."""
    lengthen(path, LONG_ROWS)
    start = time.monotonic()
    words = [PROGRAM, "trace", str(path), "-o", str(output), "--window=100 ms..100.1 ms"]
    done = subprocess.run([sys.executable, "-c", PEAK, *words], check=True, capture_output=True, text=True)
    seconds = time.monotonic() - start
    peak = int(done.stdout) << 10
    events = trace_format.check(output)
    assert 5000 <= len(slices(events, "kernel")) <= 5010, len(slices(events, "kernel"))
    assert seconds < LONG_SECONDS and peak < LONG_BYTES, (seconds, peak)
    print(f"a window of {LONG_ROWS:,} kernels: {seconds:.1f} s, {peak >> 20} MiB")


def main(scratch):
    path, output = scratch / "small.h5", scratch / "trace.json"
    must(SMALL, f"--out={path}", "--quiet")
    with h5py.File(path, "r") as file:
        for number in (0, 3):
            text = must("trace", path, "-o", output, "--step", number)
            events = trace_format.check(output)
            check_step(file, events, number)
            assert "1 of 9 LPU steps" in text and "2 of 16 GPU steps" in text, text
        assert sum(event["ph"] == "s" for event in events) == (file["lpu/timetable/phase"][:] == 1).sum() > 0
        check_window(file, path, output)
    check_limit(path, output)
    output.unlink()
    check_faults(path, scratch)
    served = scratch / "serve.h5"
    must("serve", SMALL, f"--out={served}", "--quiet", *SERVE)
    must("trace", served, "-o", output, "--window=..50 ms")
    with h5py.File(served, "r") as file:
        early = file["serve/requests/arrival_ps"][:] < 50 * 10**9
    assert len(slices(trace_format.check(output), "request")) == early.sum() > 0
    check_long(path, output)


with tempfile.TemporaryDirectory() as folder:
    main(pathlib.Path(folder))
