# SPDX-License-Identifier: BSD-3-Clause
"""A run killed at any moment leaves a file that opens, with the rows it said it had: killed.py WRITER [TIMES]."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import writer

ROWS, BATCHES = 20_000_000, 2000
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 6


def ranks_of(job):
    """Process ids of the ranks: children of mpirun."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(job.pid)], capture_output=True, text=True,
                            check=False)
    return [int(pid) for pid in listed.stdout.split()]


def wait_for_first_flush(job, path):
    while job.poll() is None:
        try:
            if writer.check(path)[1] > 0:
                return
        except (OSError, KeyError, AssertionError):
            pass
        time.sleep(0.02)


def kill_one(folder, delay):
    path = pathlib.Path(folder) / "run.h5"
    path.unlink(missing_ok=True)
    job = subprocess.Popen(writer.command(sys.argv[1], 3, path, ROWS, BATCHES), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    wait_for_first_flush(job, path)
    time.sleep(delay)
    for rank in ranks_of(job):
        os.kill(rank, signal.SIGKILL)
    assert job.wait(timeout=30) != 0, "the job was over before it was killed"
    complete, progress, rows = writer.check(path)
    assert complete == 0 and 0 < progress <= rows, (complete, progress, rows)
    return rows


with tempfile.TemporaryDirectory() as scratch:
    random.seed(1)
    found = [kill_one(scratch, random.uniform(0, 0.5)) for _ in range(TIMES)]
print(f"{TIMES} killed runs left", *found, "rows")
