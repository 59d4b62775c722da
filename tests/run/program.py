# SPDX-License-Identifier: BSD-3-Clause
"""Runs the program for the tests of this folder, and seals artifacts."""
import hashlib
import os
import pathlib
import subprocess

PROGRAM = os.environ["LPUSIM_MP"]
CONFIGS = pathlib.Path(os.environ["LPUSIM_SOURCE_DIR"]) / "configs"
SMALL = CONFIGS / "small.cfg"
MPIRUN = [os.environ.get("LPUSIM_MPIRUN", "mpirun"), "--oversubscribe", "--timeout", "120", "-np"]
LONG = ["--mode=gpu", "--set", "gpu.repeats=1000000"]


def command(*words, ranks=0):
    """Command line on `ranks` ranks; 0: without mpirun."""
    return [*([*MPIRUN, str(ranks)] if ranks else []), PROGRAM, *map(str, words)]


def run(*words, ranks=0):
    """Finished process with its output as text."""
    return subprocess.run(command(*words, ranks=ranks), capture_output=True, text=True, check=False)


def must(*words, ranks=0):
    """Output of a run that succeeds."""
    done = run(*words, ranks=ranks)
    assert done.returncode == 0, f"{words} on {ranks} ranks: status {done.returncode}\n{done.stderr}"
    return done.stdout


SEAL = 512


def seal(path, form=2):
    """Makes the header of an artifact vouch for what follows it, whatever that is."""
    whole = path.read_bytes()
    digest = hashlib.sha256(whole[SEAL:]).hexdigest()
    header = f"lpusim-mp artifact\nformat {form}\nbytes {len(whole)}\nsha256 {digest}\n".encode()
    path.write_bytes(header + bytes(SEAL - len(header)) + whole[SEAL:])
