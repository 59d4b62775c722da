# SPDX-License-Identifier: BSD-3-Clause
"""The same file from 1, 2, 3 and 8 ranks, provenance aside, and another one from another seed."""
import pathlib
import subprocess
import tempfile

from program import SMALL, must


def differs(a, b, *options):
    done = subprocess.run(["h5diff", *options, str(a), str(b)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


def compare(folder, *options):
    path = {n: pathlib.Path(folder) / f"ranks_{n}.h5" for n in (1, 2, 3, 8)}
    for n, file in path.items():
        must(SMALL, "--quiet", f"--out={file}", *options, ranks=n)
        assert not differs(path[1], file, "--exclude-path", "/run"), f"{options}: 1 and {n} ranks differ"
    return path


with tempfile.TemporaryDirectory() as scratch:
    path = compare(scratch)
    assert differs(path[1], path[8]), "provenance of 1 and 8 ranks is the same"
    alone = pathlib.Path(scratch) / "alone.h5"
    must(SMALL, "--quiet", f"--out={alone}")
    assert not differs(path[1], alone, "--exclude-path", "/run"), "mpirun makes a difference"
    must(SMALL, "--quiet", f"--out={alone}", "--seed=2")
    assert differs(path[1], alone, "--exclude-path", "/run"), "the seed makes no difference"
    compare(scratch, "--mode=gpu", "--set", "gpu.partitions=8", "--set", "gpu.cluster.gpus_per_node=8",
            "--set", "gpu.tensor_parallel=8", "--set", "gpu.neighbour=true", "--set", "workload.decode_tokens=4")
    compare(scratch, "--set", "gpu.neighbour=true", "--set", "gpu.repeats=3", "--set", "lpu.execute_steps=3")
    compare(scratch, "--mode=lpu", "--set", "lpu.seats=3", "--set", "workload.sequences=5",
            "--set", "lpu.pipeline_stages=2", "--set", "lpu.execute_steps=2")
    compare(scratch, "--mode=lpu", "--set", "lpu.seats=2", "--set", "workload.sequences=6", "--set", "bucket.batch=2",
            "--set", "bucket.max_sequence=64,128", "--set", "workload.prompt_tokens=60", "--set",
            "lpu.pipeline_stages=2", "--set", "lpu.execute_steps=2")
print("files of 1, 2, 3 and 8 ranks are equal")
