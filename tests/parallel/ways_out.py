# SPDX-License-Identifier: BSD-3-Clause
"""Every way out ends all ranks soon, with the right status and one message: usage ways_out.py PROGRAM."""
import os
import re
import signal
import subprocess
import sys
import time

PROGRAM = sys.argv[1]
MPIRUN = [os.environ.get("LPUSIM_MPIRUN", "mpirun"), "--oversubscribe", "--timeout", "60", "-np"]
SOON_S = 20


def run(ranks, way):
    begin = time.monotonic()
    done = subprocess.run([*MPIRUN, str(ranks), PROGRAM, way], capture_output=True, text=True, check=False)
    assert time.monotonic() - begin < SOON_S, f"{way} on {ranks} ranks took too long"
    return done.returncode, done.stderr


def signalled(ranks):
    job = subprocess.Popen([*MPIRUN, str(ranks), PROGRAM, "stop"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
    for _ in range(ranks):
        job.stdout.readline()
    job.send_signal(signal.SIGUSR1)
    return job.wait(timeout=SOON_S)


for n in (1, 3, 8):
    status, errors = run(n, "together")
    assert status == 2, f"a usage fault ends {n} ranks with {status}"
    assert errors.count("lpusim-mp: error: rack.cfg:7: no such key") == 1, errors
    status = signalled(n)
    assert status == 128 + signal.SIGUSR1, f"SIGUSR1 ends {n} ranks with {status}"
status, errors = run(3, "abort")
assert status == 3, f"an abort of one rank ends the job with {status}"
assert re.search("rank 2: chip 5 broke its promise", errors), errors
status, errors = run(3, "die")
assert status != 0, "a dead rank leaves status 0"
print("all ways out lead out")
