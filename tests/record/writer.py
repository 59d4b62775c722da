# SPDX-License-Identifier: BSD-3-Clause
"""Runs record_writer and checks what it leaves behind."""
import os
import subprocess

import h5py
import numpy

MPIRUN = [os.environ.get("LPUSIM_MPIRUN", "mpirun"), "--oversubscribe", "--timeout", "100", "-np"]


def command(program, ranks, path, rows, batches, seed=1):
    return [*MPIRUN, str(ranks), program, str(path), str(rows), str(batches), str(seed)]


def run(*arguments, **options):
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, **options)


def check(path):
    """The attribute complete, the progress in rows, and the rows found, which must be the right ones."""
    with h5py.File(path, "r") as file:
        kernels = file.get("gpu/kernels")
        rows = 0
        if kernels:
            lengths = {len(column) for column in kernels.values()}
            assert len(lengths) == 1, f"columns of lengths {lengths}"
            rows = lengths.pop()
            number = numpy.arange(rows)
            assert (kernels["start_ps"][:] == 1000 * number).all()
            assert (kernels["gpu"][:] == number % 8).all()
            assert (kernels["end_ps"][:] >= kernels["start_ps"][:]).all()
        progress = file.attrs["progress"]
        return int(file.attrs["complete"]), int(progress) if progress.isdigit() else 0, rows
