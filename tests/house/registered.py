# SPDX-License-Identifier: BSD-3-Clause
"""Fails when a .c, .sh or .py file below TESTS is in no test: usage registered.py TESTS LIST."""
import pathlib
import sys


def main(folder, registered):
    known = {pathlib.Path(line).resolve() for line in open(registered).read().split("\n") if line}
    found = [p.resolve() for p in pathlib.Path(folder).rglob("*") if p.suffix in (".c", ".sh", ".py")]
    missing = sorted(p for p in found if p not in known)
    for path in missing:
        print(f"{path}: in no test; name it in a lpusim_test or lpusim_test_helper of its CMakeLists.txt")
    if not found:
        print(f"{folder}: no test files at all")
    return 1 if missing or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
