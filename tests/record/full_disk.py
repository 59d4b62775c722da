# SPDX-License-Identifier: BSD-3-Clause
"""A disk that fills up ends all ranks with status 5 and one message, and the file says how far it got."""
import functools
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import writer

ROWS, BATCHES = 2_000_000, 20


def limit_file_size(bytes_):
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))


def check(done, path, reason):
    assert done.returncode == 5, f"status {done.returncode}: {done.stderr}"
    assert done.stderr.count("lpusim-mp: error:") == 1 and reason in done.stderr, done.stderr
    complete, progress, rows = writer.check(path)
    assert complete == 0 and 0 < progress <= rows < ROWS, (complete, progress, rows)


def small_disk(folder, ranks):
    """Runs on a tmpfs of 14 MiB; False where this may not be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=14m", "none", folder]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        return False
    try:
        path = pathlib.Path(folder) / "run.h5"
        check(writer.run(sys.argv[1], ranks, path, ROWS, BATCHES), path, "No space left on device")
    finally:
        subprocess.run(["umount", folder], check=True)
    return True


for n in (1, 3, 8):
    with tempfile.TemporaryDirectory() as limited:
        target = pathlib.Path(limited) / "run.h5"
        outcome = writer.run(sys.argv[1], n, target, ROWS, BATCHES,
                             preexec_fn=functools.partial(limit_file_size, 14 << 20))
        check(outcome, target, "File too large")
    with tempfile.TemporaryDirectory() as mounted:
        if not small_disk(mounted, n):
            print("no tmpfs could be mounted; only the file size limit was tried")
print("full disks are survived")
