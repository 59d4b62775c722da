# SPDX-License-Identifier: BSD-3-Clause
"""h5diff finds no difference between files of 1, 2, 3 and 8 ranks, and finds one where there is one."""
import pathlib
import subprocess
import sys
import tempfile

import writer

ROWS, BATCHES = 100_000, 7


def differs(a, b, *options):
    done = subprocess.run(["h5diff", *options, str(a), str(b)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


with tempfile.TemporaryDirectory() as folder:
    path = {n: pathlib.Path(folder) / f"ranks_{n}.h5" for n in (1, 2, 3, 8)}
    for n, file in path.items():
        done = writer.run(sys.argv[1], n, file, ROWS, BATCHES)
        assert done.returncode == 0, done.stderr
        assert writer.check(file) == (1, ROWS, ROWS)
        assert not differs(path[1], file, "--exclude-path", "/run"), f"1 and {n} ranks differ"
    assert differs(path[1], path[8]), "provenance of 1 and 8 ranks is the same"
    other = pathlib.Path(folder) / "other_seed.h5"
    assert writer.run(sys.argv[1], 2, other, ROWS, BATCHES, 2).returncode == 0
    assert differs(path[1], other, "--exclude-path", "/run"), "h5diff sees no difference of seeds"
print("files of 1, 2, 3 and 8 ranks are equal")
