# SPDX-License-Identifier: BSD-3-Clause
"""Runs the program for the tests of this folder, and has the models that they run."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import make_model

SOURCE = pathlib.Path(os.environ.get("LPUSIM_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = os.environ.get("LPUSIM_MP", "lpusim-mp")
MPIRUN = [os.environ.get("LPUSIM_MPIRUN", "mpirun"), "--oversubscribe", "--timeout", "300", "-np"]
CONFIG = SOURCE / "configs" / "sums.cfg"
SUMS = SOURCE / "configs" / "models" / "sums"
# Whole campaigns are wanted, not the part of them that every test run takes.
IS_LONG = os.environ.get("LPUSIM_LONG", "0") not in ("", "0")


def stories():
    """The folder of the public model; without it the test ends as skipped."""
    data = pathlib.Path(os.environ.get("LPUSIM_DATA", SOURCE.parent / "shared" / "data"))
    folder = data / "models" / "stories260K"
    if not folder.is_dir():
        print(f"SKIPPED: public data is not here: {folder} (set LPUSIM_DATA)")
        sys.exit(77)
    return folder


def random_model(folder, *words):
    """Writes make_model's model into a folder and returns that."""
    make_model.write_model(make_model.parse([str(folder), *words]))
    return folder


def run(*words, ranks=0):
    """Finished process of lpusim-mp with its output as text; ranks 0: without mpirun."""
    command = [*([*MPIRUN, str(ranks)] if ranks else []), PROGRAM, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def must(*words, ranks=0):
    """Standard output of a run that succeeds."""
    done = run(*words, ranks=ranks)
    assert done.returncode == 0, f"{words} on {ranks} ranks: status {done.returncode}\n{done.stderr}"
    return done.stdout


def at_once(calls):
    """Results of functions without arguments, in order; two run at a time, for tests that may keep two cores busy."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [started.result() for started in [pool.submit(call) for call in calls]]


def settings(**keys):
    """--set words; two underscores stand for the dot of a key."""
    return [word for key, value in keys.items() for word in ("--set", f"{key.replace('__', '.')}={value}")]


def generated(prompt, count, *words, ranks=0):
    """Ids after a list of ids, as generate prints them."""
    line = must("generate", CONFIG, "--quiet", "--print-ids", "--prompt-ids", ",".join(map(str, prompt)),
                f"--max-new={count}", *words, ranks=ranks)
    assert line.endswith("\n") and line.count("\n") == 1, f"not one line: {line!r}"
    return [int(word) for word in line[:-1].split(" ")]
