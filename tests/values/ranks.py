# SPDX-License-Identifier: BSD-3-Clause
"""Numbers do not depend on the number of ranks, and /lpu/tokens says what they were."""
import pathlib
import tempfile

import h5py
import numpy as np

from program import CONFIG, must, settings
from ranks_equal import differs, files

ANSWER, FIRST = [12, 6, 5, 2], 8
STEPS = len(ANSWER)
# Of a logit; those of sums have a standard deviation of 5.
MOST_OFF, MOST_OFF_INT8 = 1e-4, 1
WORDLESS = settings(values="off", workload__prompt="", workload__prompt_tokens=9)


def tokens_of(path):
    """Columns of /lpu/tokens; None: there is no such table."""
    with h5py.File(path) as file:
        return {name: column[:] for name, column in file["lpu/tokens"].items()} if "tokens" in file["lpu"] else None


def check_tokens(path, most_off):
    table = tokens_of(path)
    with h5py.File(path) as file:
        decode = np.flatnonzero(file["lpu/steps/phase"][:] == 1)
    assert (table["step"] == decode).all() and (table["position"] == np.arange(FIRST, FIRST + STEPS)).all(), table
    assert list(table["token"]) == ANSWER and list(table["reference"]) == ANSWER, table
    assert (0 < table["rms_error"]).all() and (table["rms_error"] <= table["worst_error"]).all(), table
    assert table["worst_error"].max() < most_off, table


def check_seats(path, texts):
    """Sequences that share the pipeline: each has its own answer, and the reference's tokens."""
    table = tokens_of(path)
    with h5py.File(path) as file:
        assert file["lpu/tokens"].attrs["text"] == "\n".join(texts), file["lpu/tokens"].attrs["text"]
        start, end = file["lpu/steps/start_cycle"][:], file["lpu/steps/end_cycle"][:]
    assert (table["token"] == table["reference"]).all() and len(table["token"]) == len(texts) * STEPS, table
    assert (start[1:] < end[:-1]).sum() > len(texts), "steps do not overlap"


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    alone, exact, int8 = folder / "alone.h5", folder / "fp32", folder / "int8"
    exact.mkdir()
    int8.mkdir()
    check_tokens(files(exact, (1, 2, 3, 8)), MOST_OFF)
    check_tokens(files(int8, (2, 3), *settings(lpu__numerics="int8")), MOST_OFF_INT8)
    columns = folder / "columns"
    columns.mkdir()
    check_tokens(files(columns, (1, 2, 3, 8), *settings(lpu__split_o="columns", lpu__split_down="columns")), MOST_OFF)
    with h5py.File(exact / "1.h5") as rows, h5py.File(columns / "1.h5") as file:
        for name in ("o_by_columns", "down_by_columns"):
            told = rows[f"plan/candidates/{name}"][:], file[f"plan/candidates/{name}"][:]
            assert told[0].max() == 0 and (told[1] == file["plan/candidates/chosen"][:]).all(), told
    assert differs(exact / "1.h5", columns / "1.h5"), "columns make no difference"
    seats = folder / "seats"
    seats.mkdir()
    prompts = settings(lpu__seats=3, workload__sequences=4, workload__prompt="347+585=\n1+2=\n88+99=\n700+21=")
    check_seats(files(seats, (1, 3), *prompts), ["932", "3", "187", "721"])
    assert differs(exact / "3.h5", int8 / "3.h5"), "int8 makes no difference"
    must(CONFIG, "--quiet", f"--out={alone}")
    assert not differs(exact / "1.h5", alone), "mpirun makes a difference"
    must(CONFIG, "--quiet", f"--out={alone}", *settings(lpu__reference="off"))
    table = tokens_of(alone)
    assert list(table["token"]) == ANSWER and list(table["reference"]) == [-1] * STEPS, table
    must(CONFIG, "--quiet", f"--out={alone}", *WORDLESS)
    assert tokens_of(alone) is None, "a run without values has tokens"
print("files of 1, 2, 3 and 8 ranks are equal, and their tokens the answer")
