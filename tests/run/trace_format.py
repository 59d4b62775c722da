# SPDX-License-Identifier: BSD-3-Clause
"""Checks a file against the Chrome trace event format as viewers read it."""
import json
from collections import defaultdict
from decimal import Decimal

KEYS = {"X": {"name", "cat", "ts", "dur"}, "M": {"name", "args"}, "s": {"name", "cat", "id", "ts"},
        "f": {"name", "cat", "id", "ts", "bp"}}
METADATA = {"process_name": str, "process_sort_index": int, "thread_name": str, "thread_sort_index": int}


def check_event(event):
    phase = event["ph"]
    assert KEYS[phase] <= set(event), event
    assert type(event["pid"]) is int and event["pid"] > 0 and type(event["tid"]) is int and event["tid"] > 0, event
    assert isinstance(event["name"], str) and event["name"], event
    for key in {"ts", "dur"} & set(event):
        assert isinstance(event[key], Decimal) and event[key] >= 0 and -event[key].as_tuple().exponent <= 3, event
    if phase == "M":
        kind = METADATA[event["name"]]
        value = event["args"]["name" if kind is str else "sort_index"]
        assert type(value) is kind and value != "", event


def check_nesting(thread, slices):
    """Slices of a thread lie apart, or one within the other."""
    open_ends = []
    for start, end, name in sorted(slices, key=lambda slice: (slice[0], -slice[1])):
        while open_ends and open_ends[-1] <= start:
            open_ends.pop()
        assert not open_ends or end <= open_ends[-1], f"thread {thread}: {name} at {start} crosses the end of another"
        open_ends.append(end)


def check_arrows(events, slices):
    """Every arrow has one begin and one end, not before it, each where a slice of its thread begins."""
    ends = defaultdict(dict)
    for event in events:
        if event["ph"] in "sf":
            assert event["ph"] not in ends[event["id"]], event
            ends[event["id"]][event["ph"]] = event
            starts = slices[event["pid"], event["tid"]][1]
            assert event["ts"] in starts, event
    for pair in ends.values():
        assert set(pair) == set("sf") and pair["s"]["ts"] <= pair["f"]["ts"], pair


def check(path):
    """The events of a file that keeps to the format."""
    with open(path, encoding="utf-8") as file:
        whole = json.load(file, parse_float=Decimal)
    assert whole["displayTimeUnit"] in ("ms", "ns") and isinstance(whole["otherData"], dict)
    events, threads, named = whole["traceEvents"], defaultdict(lambda: ([], set())), defaultdict(set)
    for event in events:
        check_event(event)
        where = event["pid"], event["tid"]
        if event["ph"] == "M":
            named[where].add(event["name"])
        if event["ph"] == "X":
            threads[where][0].append((event["ts"], event["ts"] + event["dur"], event["name"]))
            threads[where][1].add(event["ts"])
    for where, (slices, _) in threads.items():
        assert named[where] == set(METADATA), (where, named[where])
        check_nesting(where, slices)
    check_arrows(events, threads)
    return events


def names(events):
    """(process, thread) numbers -> their names; a further lane counts as its thread."""
    found = defaultdict(dict)
    for event in events:
        if event["ph"] == "M" and event["name"].endswith("_name"):
            found[event["pid"], event["tid"]][event["name"]] = event["args"]["name"]
    return {where: (name["process_name"], name["thread_name"].split(" (")[0]) for where, name in found.items()}
