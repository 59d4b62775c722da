# SPDX-License-Identifier: BSD-3-Clause
"""Runs a job on several numbers of ranks and compares the files."""
import functools
import subprocess

from program import CONFIG, at_once, must


def differs(a, b):
    command = ["h5diff", "--exclude-path", "/run", str(a), str(b)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


def files(folder, ranks, *words):
    """The run's file from each number of ranks; all are equal."""
    paths = [folder / f"{n}.h5" for n in ranks]
    at_once([functools.partial(must, CONFIG, "--quiet", f"--out={path}", *words, ranks=n)
             for n, path in zip(ranks, paths)])
    for n, path in zip(ranks, paths):
        assert not differs(paths[0], path), f"{words}: {ranks[0]} and {n} ranks differ"
    return paths[0]
