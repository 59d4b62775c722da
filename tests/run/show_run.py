# SPDX-License-Identifier: BSD-3-Clause
"""show X.h5: what a run printed at its end, letter for letter, or why there is nothing to print."""
import pathlib
import tempfile

import h5py

from program import SMALL, must, run

FEW = ["--set", "lpu.seats=0", "--set", "serve.requests=200", "--set", "serve.rate=400", "--set",
       "serve.prompt_mean=40", "--set", "serve.output_mean=12"]

with tempfile.TemporaryDirectory() as scratch:
    path = pathlib.Path(scratch) / "run.h5"
    for words, ranks in (([SMALL], 0), ([SMALL], 2), ([SMALL, "--mode=lpu"], 0), (["serve", SMALL, *FEW], 0),
                         (["attribute", SMALL, "--set", "gpu.attribution_repeats=2"], 0)):
        said = must(*words, f"--out={path}", ranks=ranks)
        assert said and must("show", path) == said, words
        assert must("show", path, ranks=2) == said, words
    must(SMALL, f"--out={path}", "--quiet")
    assert "Decisions behind one token" in must("show", path)
    done = run("show", path, "--chip=0")
    assert done.returncode == 2 and "nothing else goes with show" in done.stderr, done.stderr
    with h5py.File(path, "r+") as file:
        del file["run"].attrs["summary"]
        file.attrs["progress"] = "decode step 3 of 8"
    done = run("show", path)
    assert done.returncode == 2 and "keeps no summary" in done.stderr and "decode step 3 of 8" in done.stderr, done.stderr
    h5py.File(path, "w").close()
    done = run("show", path)
    assert done.returncode == 2 and "was not written by lpusim-mp" in done.stderr, done.stderr
print("show prints what the run printed")
