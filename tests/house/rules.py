# SPDX-License-Identifier: BSD-3-Clause
"""Checks the rules of the house over a source tree: usage rules.py TREE. Faults go to stdout, status 1 if any.

Who may include whom is read from the lpusim_room lines of CMakeLists.txt.
"""
import pathlib
import re
import statistics
import subprocess
import sys

# Header (pattern) of a library -> the only room that may include it.
OWNERS = {
    r"mpi\.h": "parallel",
    r"hwloc(\.h|/.*)": "parallel",
    r"(hdf5|H5[A-Za-z]*|hdf5_hl)\.h": "record",
    r"libconfig\.h": "config",
    r"jansson\.h": "model",
    r"openssl/.*": "record",
    r"Random123/.*": "base",
}
# Rooms at the edge, where the preprocessor may choose between machines.
EDGES = {"base", "parallel", "record"}
LONGEST_FUNCTION = 80
LONGEST_FILE, LONGEST_HEADER = 600, 120
# Formats without comments, texts that are quoted whole, and lists that git reads.
WITHOUT_SPDX = {".json", ".ipynb", ".csv", ".png", ".svg", ".safetensors", ".txt"}
WITHOUT_SPDX_NAMES = {"LICENSE", ".gitignore", ".gitattributes", ".clang-format", ".clang-tidy"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(if\b|ifdef\b|elif\b|ifndef[ \t]+(?!\w+_H\b))", re.M)


def rooms_of(tree):
    """Room -> the set of rooms it may include."""
    text = (tree / "CMakeLists.txt").read_text()
    rooms = {}
    for name, rest in re.findall(r"lpusim_room\((\w+)([^)]*)\)", text):
        uses = re.search(r"USES([^A-Z)]*)", rest)
        rooms[name] = {name, *(uses.group(1).split() if uses else [])}
    return rooms


def include_faults(path, room, rooms, text):
    for header in INCLUDE.findall(text):
        first = header.split("/")[0]
        for pattern, owner in OWNERS.items():
            if re.fullmatch(pattern, header) and owner != room:
                yield f"{path}: includes {header}, which belongs to src/{owner}"
        if room in rooms and first in rooms and first not in rooms[room]:
            yield f"{path}: includes {header}; {room} USES only {' '.join(sorted(rooms[room] - {room}))}"
        if ".." in header.split("/"):
            yield f"{path}: includes {header}; write ROOM/HEADER instead"


def condition_faults(path, room, text):
    if room not in EDGES and CONDITION.search(text):
        yield f"{path}: #if outside {', '.join(sorted(EDGES))}"


def functions_of(text):
    """(first line, length in lines) of each function; relies on braces in column 0, as the format has them."""
    lines = text.split("\n")
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
            while start > 0 and lines[start - 1] and not re.search(r"([;}/]|^#.*)$", lines[start - 1]):
                start -= 1
        elif line == "}" and start is not None:
            yield start + 1, number - start + 1
            start = None


def length_faults(path, text, lengths):
    for line, length in functions_of(text):
        lengths.append(length)
        if length > LONGEST_FUNCTION:
            yield f"{path}:{line}: a function of {length} lines; at most {LONGEST_FUNCTION}"


def length_warning(path, text):
    most = LONGEST_HEADER if path.suffix == ".h" else LONGEST_FILE
    length = text.count("\n")
    return [f"warning: {path}: {length} lines; better at most {most}"] if length > most else []


def source_faults(tree, rooms, lengths, warnings):
    for path in sorted((tree / "src").rglob("*.[ch]")):
        name, text = path.relative_to(tree), path.read_text()
        room = name.parts[1]
        yield from include_faults(name, room, rooms, text)
        yield from condition_faults(name, room, text)
        yield from length_faults(name, text, lengths)
        warnings += length_warning(name, text)


def files_of(tree):
    """Tracked and new files; all files where TREE is no clone."""
    command = ["git", "-C", str(tree), "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [tree / name for name in listed.stdout.splitlines() if (tree / name).is_file()]
    return [path for path in tree.rglob("*") if path.is_file() and "build" not in path.parts]


def spdx_faults(tree):
    for path in sorted(files_of(tree)):
        if path.suffix in WITHOUT_SPDX or path.name in WITHOUT_SPDX_NAMES:
            continue
        start = path.read_bytes()[:400]
        if b"SPDX-License-Identifier: BSD-3-Clause" not in start and b"\0" not in start:
            yield f"{path.relative_to(tree)}: no SPDX-License-Identifier: BSD-3-Clause"


def lengths_text(lengths):
    ordered = sorted(lengths)
    return (f"{len(ordered)} functions: median {statistics.median(ordered):g}, "
            f"p90 {ordered[len(ordered) * 9 // 10]}, longest {ordered[-1]} lines")


def main(tree):
    rooms, lengths, warnings = rooms_of(tree), [], []
    faults = [*source_faults(tree, rooms, lengths, warnings), *spdx_faults(tree)]
    if not rooms or not lengths:
        faults.append(f"{tree}: no rooms or no functions; is this the source tree?")
    print("\n".join([*warnings, *faults, *([lengths_text(lengths)] if lengths else [])]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
