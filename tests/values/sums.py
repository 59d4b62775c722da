# SPDX-License-Identifier: BSD-3-Clause
"""Random sums come out right, and token for token as the oracle has them, in fp32 and in int8."""
import json
import random

import oracle
from program import SUMS, generated, settings

FP32, INT8 = 12, 6
SPLITS = [(2, 4), (1, 1), (4, 2), (1, 2)]

pieces = [entry["piece"] for entry in json.loads((SUMS / "vocab.json").read_text())["pieces"]]
BEGIN, END = pieces.index("<s>"), pieces.index("</s>")


def ids_of(text):
    return [pieces.index(character) for character in text]


def draw(count, seed):
    """Sums of numbers with one to three digits."""
    source = random.Random(seed)
    return [(source.randrange(10 ** source.randint(1, 3)), source.randrange(10 ** source.randint(1, 3)))
            for _ in range(count)]


def check(model, a, b, *words):
    prompt, right = [BEGIN, *ids_of(f"{a}+{b}=")], [*ids_of(str(a + b)), END]
    expected = oracle.greedy(model, prompt, 8, [END])
    found = generated(prompt, 8, *words)
    assert found == right, f"{a}+{b}: {found} instead of {right} {words}"
    assert found == expected, f"{a}+{b}: the oracle has {expected} {words}"


model = oracle.load(SUMS)
for number, (a, b) in enumerate(draw(FP32 + INT8, seed=20)):
    stages, group = SPLITS[number % len(SPLITS)]
    check(model, a, b, *settings(lpu__numerics="fp32" if number < FP32 else "int8", lpu__pipeline_stages=stages,
                                 lpu__tensor_group=group))
print(f"{FP32} sums in fp32 and {INT8} in int8 are right")
