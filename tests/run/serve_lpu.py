# SPDX-License-Identifier: BSD-3-Clause
"""serve on the LPU: every promise kept for seats, ladders, batches, policies and replicas, on any number of ranks."""
import json

from program import SMALL, must

DRAWN = ["--mode=lpu", "--json", "--set", "serve.requests=150", "--set", "serve.prompt_mean=60",
         "--set", "serve.output_mean=20", "--set", "run.output="]
SHARED = ["--set", "lpu.seats=0", "--set", "lpu.pipeline_stages=2", "--set", "bucket.max_sequence=64,128,256"]


def serve(*keys, ranks=0):
    words = [word for key in keys for word in ("--set", key)]
    return json.loads(must("serve", SMALL, *DRAWN, *words, ranks=ranks))["lpu"]


def value(of, name):
    return of[name]["value"]


def keys(words):
    return [word for word in words if word != "--set"]


CASES = {
    "one seat": ["serve.rate=2000"],
    "seats": [*keys(SHARED), "serve.rate=5000"],
    "prompts by decode steps": [*keys(SHARED), "lpu.prefill=off", "serve.rate=2000"],
    "batches": [*keys(SHARED), "bucket.batch=2", "serve.rate=5000"],
    "deadlines": [*keys(SHARED), "serve.rate=9000", "serve.policy=earliest_deadline", "serve.ttft_limit=5 ms",
                  "serve.tpot_limit=1 ms", "serve.refuse_late=on"],
    "budgets": [*keys(SHARED), "serve.rate=9000", "serve.policy=tenant_budget", "serve.tenant_budget=2000",
                "serve.tenants=3", "serve.ttft_limit=20 ms", "serve.refuse_late=on"],
    "replicas": [*keys(SHARED), "serve.rate=9000", "serve.lpu_replicas=3", "serve.router=least_loaded"],
}
found = {name: serve(*case) for name, case in CASES.items()}
for name, of in found.items():
    assert value(of, "steps_rehearsed") > 0 and value(of, "pairs_too_near") == 0, (name, of)
    assert value(of, "promises_broken") == 0 and value(of, "still_waiting") == 0, (name, of)
    assert 0 < value(of, "slots_decode") <= value(of, "slots") - value(of, "slots_for_passes"), (name, of)
    assert value(of, "capacity_requests_per_second") > 0, (name, of)
for name in ("seats", "batches", "replicas"):
    refused = value(found[name], "refused_too_long")
    assert value(found[name], "finished") + refused == 150 and value(found[name], "passes_taken") > 0, found[name]
    assert value(found[name], "alone_tpot_worst") > value(found[name], "alone_tpot_without_windows"), found[name]
assert value(found["prompts by decode steps"], "frame_passes") == 0
assert value(found["batches"], "lanes") == 2
assert value(found["deadlines"], "refused_too_late") > 0 == value(found["deadlines"], "refused_over_budget")
assert value(found["budgets"], "refused_over_budget") > 0
assert value(found["seats"], "capacity_requests_per_second") > value(found["one seat"], "capacity_requests_per_second")

half = serve(*CASES["seats"], "serve.prefill_share=50 %")
share = value(half, "frame_slots_for_passes") / value(half, "frame_slots")
assert 0.4 < share < 0.6, half
assert serve(*CASES["budgets"], ranks=3) == found["budgets"]
print("promises are kept in", ", ".join(CASES))
