# SPDX-License-Identifier: BSD-3-Clause
"""A public model tells its public story on every split, token for token: usage stories.py [--full].

--full: all 252 ids in every case, minutes; else the long way of some cases is cut short.
"""
import argparse
import time

import oracle
from program import generated, settings, stories

PROMPT, BUCKET, SHORT = [1, 403, 407, 261, 378], 512, 24
# Name, stages, chips a stage, ranks (0: without mpirun), whether always in full, other settings.
CASES = [
    ("one chip", 1, 1, 0, False, {}),
    ("two chips of a layer", 1, 2, 2, False, {}),
    ("four chips of a layer", 1, 4, 8, False, {}),
    ("five stages", 5, 1, 3, True, {}),
    ("two stages of two chips", 2, 2, 1, True, {}),
    ("two stages of two chips, prompt token by token", 2, 2, 2, False, {"lpu__prefill": "off"}),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all ids in every case")
    options, folder = parser.parse_args(), stories()
    expected = oracle.id_list((folder / "greedy_ids.txt").read_text())
    assert len(expected) == 252
    for name, stages, group, ranks, is_long, others in CASES:
        start, count = time.monotonic(), len(expected) if is_long or options.full else SHORT
        words = settings(model__path=folder, bucket__max_sequence=BUCKET, lpu__pipeline_stages=stages,
                         lpu__tensor_group=group, **others)
        found = generated(PROMPT, count, *words, ranks=ranks)
        equal = [a == b for a, b in zip(found, expected)]
        assert found == expected[:count], f"{name}: {len(found)} ids, other from id {[*equal, False].index(False)} on"
        print(f"{name}, {ranks} ranks: {count} ids are the story's, {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
