# SPDX-License-Identifier: BSD-3-Clause
"""A run that is stopped ends soon with 128 + signal and leaves a file in order; a killed rank ends the job."""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import h5py

from program import LONG, SMALL, command

SOON_S = 30
LONG_LPU = ["--mode=lpu", "--set", "bucket.max_sequence=4096", "--set", "workload.decode_tokens=4000"]


def start(out, options, ranks, seconds=1):
    """A long run, given time to be in the middle of it."""
    job = subprocess.Popen(command(SMALL, f"--out={out}", "--quiet", *options, ranks=ranks),
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not out.exists() and job.poll() is None:
        time.sleep(0.02)
    time.sleep(seconds)
    assert job.poll() is None, f"{options}: over already {job.stderr.read()}"
    return job


def stop(out, options, ranks, number, seconds):
    """Steps in the file of a run that was stopped. mpirun passes on SIGUSR1; SIGTERM it answers itself."""
    job = start(out, options, ranks, seconds)
    job.send_signal(number)
    _, errors = job.communicate(timeout=SOON_S)
    assert job.returncode == 128 + number, (job.returncode, errors)
    assert f"stopped by signal {number:d}" in errors, errors
    with h5py.File(out) as file:
        assert file.attrs["complete"] == 0 and file.attrs["progress"], dict(file.attrs)
        return sum(len(file[name]["step"]) for name in ("gpu/steps", "lpu/steps") if name in file)


def ranks_of(job):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(job.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


with tempfile.TemporaryDirectory() as scratch:
    path = pathlib.Path(scratch) / "run.h5"
    for options in (LONG, LONG_LPU):
        for ranks, number in ((0, signal.SIGTERM), (0, signal.SIGINT), (3, signal.SIGUSR1)):
            # A busy machine needs more than a second for its first step.
            for seconds in (1, 5, 25):
                steps = stop(path, options, ranks, number, seconds)
                path.unlink()
                if steps > 0:
                    break
            assert steps > 0, "no step is in the file"
    job = start(path, LONG, 3)
    os.kill(ranks_of(job)[1], signal.SIGKILL)
    job.communicate(timeout=SOON_S)
    assert job.returncode != 0, "a killed rank leaves status 0"
    with h5py.File(path) as file:
        assert file.attrs["complete"] == 0
print("stopped runs leave files in order")
