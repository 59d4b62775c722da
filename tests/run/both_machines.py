# SPDX-License-Identifier: BSD-3-Clause
"""The file and the JSON of one run say the same, and what they say holds together."""
import json
import pathlib
import tempfile

import h5py
import numpy as np

from program import SMALL, must


def metrics(file):
    table = file["compare/metrics"]
    keys = zip(table["machine"][:], table["metric"][:])
    return {(int(m), name.decode()): value for (m, name), value in zip(keys, table["value"][:])}


def check_lpu(file):
    steps, slots, program = file["lpu/steps"], file["lpu/timetable"], file["lpu/program"]
    length = steps["end_cycle"][:] - steps["start_cycle"][:]
    decode = steps["phase"][:] == 1
    assert len(set(length[decode])) == 1, "decode steps of different lengths"
    assert (steps["start_cycle"][1:] == steps["end_cycle"][:-1]).all()
    assert (steps["violations"][:] == 0).all() and len(file["lpu/violations/step"]) == 0
    phase = program["phase"][:]
    assert (steps["instructions_checked"][:][decode] == (phase == 1).sum()).all()
    sends = {(m, (steps["phase"][:] == m).sum()) for m in (0, 1)}
    vectors = sum(n * slots["vectors"][:][slots["phase"][:] == m].sum() for m, n in sends)
    assert file["lpu/transfers/vectors"][:].sum() == vectors, "not every slot carried its vectors"
    assert (slots["arrival_cycle"][:] > slots["departure_cycle"][:]).all()


def check_gpu(file):
    steps = file["gpu/steps"]
    parts = sum(steps[name][:] for name in ("host_ps", "compute_ps", "collective_ps", "idle_ps"))
    assert (parts == steps["end_ps"][:] - steps["start_ps"][:]).all()
    kernels = file["gpu/kernels"]
    assert (kernels["end_ps"][:] >= kernels["start_ps"][:]).all()
    key = np.stack([kernels[name][:] for name in ("sequence", "step", "gpu")])
    assert (np.lexsort(key) == np.arange(key.shape[1])).all(), "kernels are not in order"


def check_intervals(file, found):
    """Nearest-rank percentiles of the time between tokens, from the steps' ends."""
    steps = file["compare/steps"]
    for machine in (0, 1):
        mine = steps["machine"][:] == machine
        decode = steps["phase"][:][mine] == 1
        end = steps["end_ps"][:][mine]
        tokens = end[decode] if machine == 0 else end[np.flatnonzero(decode)[0] - 1:]
        interval = np.sort(np.diff(tokens))
        for name, share in (("min", 0), ("p50", 0.5), ("p99", 0.99), ("max", 1)):
            expected = interval[max(int(np.ceil(share * len(interval))), 1) - 1] / 1e6
            assert abs(found[machine, f"tpot_{name}"] - expected) < 2e-6, (machine, name)


def check_request(file, found):
    requests = file["serve/requests"]
    assert list(requests["machine"][:]) == [0, 1]
    for i in range(2):
        times = [requests[name][i] for name in ("arrival_ps", "admitted_ps", "first_token_ps", "finished_ps")]
        assert times == sorted(times) and times[2] < times[3]
        assert found[i, "ttft"] == times[2] / 1e6


with tempfile.TemporaryDirectory() as scratch:
    out = pathlib.Path(scratch) / "small.h5"
    printed = json.loads(must(SMALL, f"--out={out}", "--json", "--set", "gpu.neighbour=true"))
    with h5py.File(out) as run:
        assert run.attrs["complete"] == 1
        values = metrics(run)
        for machine, name in enumerate(("lpu", "gpu")):
            for metric, entry in printed[name].items():
                assert values[machine, metric] == entry["value"], metric
        assert len(values) == len(printed["lpu"]) + len(printed["gpu"])
        assert printed["lpu_steps_equal"] and values[0, "tpot_min"] == values[0, "tpot_max"]
        check_lpu(run)
        check_gpu(run)
        check_request(run, values)
        check_intervals(run, values)
    one = json.loads(must(SMALL, "--json", "--set", "workload.prompt_tokens=1", "--set", "workload.decode_tokens=1"))
    assert "tpot_p50" not in one["lpu"] and "tpot_p50" not in one["gpu"]
print("file and JSON agree")
