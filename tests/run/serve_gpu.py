# SPDX-License-Identifier: BSD-3-Clause
"""serve on the GPU cluster: the same on any number of ranks; cells beside exact iterations; what is refused."""
import json

from program import CONFIGS, SMALL, must, run

SERVE = CONFIGS / "serve.cfg"

LOAD = ["--mode=gpu", "--json", "--set", "serve.requests=60", "--set", "serve.rate=200", "--set", "serve.prompt_mean=24",
        "--set", "serve.output_mean=12"]


def measures(*words, ranks=0):
    return json.loads(must("serve", *words, ranks=ranks))["gpu"]


def value(found, name):
    return found[name]["value"]


# Two replicas that take what is least loaded: every number is the same on any number of ranks.
pair = [SMALL, *LOAD, "--set", "serve.gpu_replicas=2", "--set", "serve.router=least_loaded"]
alone = measures(*pair)
assert value(alone, "finished") == 60 and value(alone, "cells_points") > 4, alone
for ranks in (2, 3, 8):
    assert measures(*pair, ranks=ranks) == alone, ranks

# Cells say how far they are off, and a slice in which each iteration is simulated sees what they see.
slice_of = [SERVE, *LOAD[:2], "--set", "serve.requests=60"]
cells, exact = (measures(*slice_of, "--set", f"serve.fidelity={fidelity}") for fidelity in ("cells", "exact"))
assert value(exact, "exact") == 1 and "cells_points" not in exact
assert value(cells, "cells_checked") == 16 and value(cells, "cells_mean_off_median") < 0.01, cells
assert value(cells, "cells_mean_off_worst") < 0.04 and abs(value(cells, "cells_bias")) < 0.01, cells
assert value(cells, "cells_variation_off_worst") < 0.02, cells
for name, most in (("tpot_p50_us", 0.02), ("tpot_mean", 0.02), ("ttft_p50", 0.04), ("ttft_mean", 0.04),
                   ("tpot_p90", 0.05), ("request_time_mean", 0.02)):
    name = name.replace("_us", "")
    ratio = value(cells, name) / value(exact, name)
    print(f"{name}: cells / exact = {ratio:.4f}")
    assert abs(ratio - 1) < most, (name, ratio)

# All at once is what capacity stands for, but for the beginning and the end.
flood = measures(SERVE, *LOAD[:2], "--set", "serve.requests=1500", "--set", "serve.rate=100000")
assert value(flood, "sequences_most") == 256, flood
rate = value(flood, "finished") / value(flood, "horizon")
assert 0.7 < rate / value(flood, "capacity_requests_per_second") < 1.02, (rate, flood)
assert value(flood, "capacity_requests_per_second") > 100, flood

# Dynamic batches wait for their window and leave together, so the same requests take longer.
continuous, dynamic = (measures(SMALL, *LOAD, "--set", f"serve.batching={kind}", "--set", "serve.batch_delay=20ms",
                                "--set", "serve.max_sequences=16") for kind in ("continuous", "dynamic"))
assert value(dynamic, "finished") == 60 and value(dynamic, "sequences_most") <= 16, dynamic
assert value(dynamic, "request_time_mean") > 1.2 * value(continuous, "request_time_mean"), (continuous, dynamic)

staged = run("serve", SMALL, *LOAD, "--set", "gpu.tensor_parallel=1", "--set", "gpu.pipeline_parallel=2", ranks=3)
assert staged.returncode == 2 and staged.stderr.count("gpu.pipeline_parallel = 2: serve runs one iteration") == 1, staged
print("replicas of the GPU cluster serve")
