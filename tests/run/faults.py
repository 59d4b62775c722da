# SPDX-License-Identifier: BSD-3-Clause
"""What cannot work is said at once, by one rank, with a status of its own and without a hang."""
import os
import pathlib
import tempfile

from program import CONFIGS, SMALL, run


def fails(status, message, *words):
    for ranks in (0, 3):
        done = run(*words, ranks=ranks)
        assert done.returncode == status, (words, done.returncode, done.stderr)
        assert done.stderr.count(message) == 1, f"{message!r} is not said once:\n{done.stderr}"


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    broken = folder / "broken.cfg"
    broken.write_text("bucket = { max_sequence = ;\n")
    fails(2, "broken.cfg:1", broken)
    fails(2, "nowhere.cfg", folder / "nowhere.cfg")
    fails(2, "is not there", SMALL, "--set", f"model.path={folder / 'no_model'}")
    fails(5, "no_folder/out.h5", SMALL, f"--out={folder / 'no_folder' / 'out.h5'}")
    fails(5, "no_folder/out.json", SMALL, "--mode=gpu", "--set", "workload.decode_tokens=1",
          f"--json={folder / 'no_folder' / 'out.json'}")
    notes = folder / "notes.txt"
    notes.write_text("precious")
    fails(5, "notes.txt", SMALL, f"--out={notes}")
    assert notes.read_text() == "precious"
    out = folder / "out.h5"
    fails(6, "does not fit into 4 chips", SMALL, "--mode=lpu", f"--out={out}", "--set",
          f"model.path={CONFIGS / 'models' / 'Llama-3-8B'}")
    fails(2, "mem_slices_per_hemisphere = 40: the compiler knows floor plans with 44 only", SMALL, "--mode=lpu",
          "--set", "lpu.chip.mem_slices_per_hemisphere=40")
    fails(2, "gpu.tensor_parallel = 3: the 8 attention heads of tiny do not divide by it", SMALL, "--mode=gpu", "--set", "gpu.cluster.gpus_per_node=3", "--set",
          "gpu.tensor_parallel=3")
    if os.path.exists("/dev/full"):
        fails(5, "/dev/full", SMALL, "--mode=gpu", "--out=/dev/full")
print("all faults are said")
