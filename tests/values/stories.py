# SPDX-License-Identifier: BSD-3-Clause
"""A public model tells its public story on every split, token for token."""
import time

import oracle
from program import generated, settings, stories

PROMPT, BUCKET = [1, 403, 407, 261, 378], 512
# Name, stages, chips a stage, ranks (0: without mpirun), other settings.
CASES = [
    ("one chip", 1, 1, 0, {}),
    ("two chips of a layer", 1, 2, 2, {}),
    ("four chips of a layer", 1, 4, 8, {}),
    ("five stages", 5, 1, 3, {}),
    ("two stages of two chips", 2, 2, 1, {}),
    ("two stages of two chips, prompt token by token", 2, 2, 2, {"lpu__prefill": "off"}),
]


def main():
    folder = stories()
    expected = oracle.id_list((folder / "greedy_ids.txt").read_text())
    assert len(expected) == 252
    for name, stages, group, ranks, others in CASES:
        start = time.monotonic()
        words = settings(model__path=folder, bucket__max_sequence=BUCKET, lpu__pipeline_stages=stages,
                         lpu__tensor_group=group, **others)
        found = generated(PROMPT, len(expected), *words, ranks=ranks)
        equal = [a == b for a, b in zip(found, expected)]
        assert found == expected, f"{name}: {len(found)} ids, other from id {[*equal, False].index(False)} on"
        print(f"{name}, {ranks} ranks: {len(found)} ids are the story's, {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
