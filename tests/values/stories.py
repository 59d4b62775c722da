# SPDX-License-Identifier: BSD-3-Clause
"""A public model tells its public story on every split, token for token.

All of it on one chip; the others tell its first ids and, where a prefill can take all before them, its last, beyond the
256 positions of the cache's first tile. LPUSIM_LONG: all of it on every split.
"""
import functools
import time

import oracle
from program import IS_LONG, at_once, generated, settings, stories

PROMPT, BUCKET, TOLD = [1, 403, 407, 261, 378], 512, 20
# Name, stages, chips a stage, ranks (0: without mpirun), other settings.
CASES = [
    ("one chip", 1, 1, 0, {}),
    ("two chips of a layer", 1, 2, 2, {}),
    ("four chips of a layer", 1, 4, 8, {}),
    ("five stages", 5, 1, 3, {}),
    ("two stages of two chips", 2, 2, 1, {}),
    ("two stages of two chips, prompt token by token", 2, 2, 2, {"lpu__prefill": "off"}),
]


def parts(case, ids):
    """First id and end of what the case tells."""
    if IS_LONG or case is CASES[0]:
        return [(0, ids)]
    return [(0, TOLD)] if case[-1] else [(0, TOLD), (ids - TOLD, ids)]


def tell(folder, story, case, first, end):
    name, stages, group, ranks, others = case
    start = time.monotonic()
    words = settings(model__path=folder, bucket__max_sequence=BUCKET, lpu__pipeline_stages=stages,
                     lpu__tensor_group=group, **others)
    found, expected = generated(PROMPT + story[:first], end - first, *words, ranks=ranks), story[first:end]
    equal = [a == b for a, b in zip(found, expected)]
    assert found == expected, f"{name}: {len(found)} ids, other from id {first + [*equal, False].index(False)} on"
    print(f"{name}, {ranks} ranks: ids {first} to {end - 1} are the story's, {time.monotonic() - start:.1f} s", flush=True)


def main():
    folder = stories()
    story = oracle.id_list((folder / "greedy_ids.txt").read_text())
    assert len(story) == 252
    at_once([functools.partial(tell, folder, story, case, *part) for case in CASES for part in parts(case, len(story))])


if __name__ == "__main__":
    main()
