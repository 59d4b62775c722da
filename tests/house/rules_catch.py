# SPDX-License-Identifier: BSD-3-Clause
"""Breaks each rule of rules.py once, in a small tree of its own, and expects that very fault."""
import contextlib
import io
import pathlib
import sys
import tempfile

import rules

SPDX = "/* SPDX-License-Identifier: BSD-3-Clause */\n"
FUNCTION = "int f(void)\n{\n    return 0;\n}\n"
CMAKE = """# SPDX-License-Identifier: BSD-3-Clause
lpusim_room(base         USES)
lpusim_room(model        USES base LIBS X::JANSSON)
lpusim_room(chip         USES base interconnect)
lpusim_room(interconnect USES base)
lpusim_room(parallel     USES base)
"""
LONG = "int f(void)\n{\n" + "    f();\n" * 78 + "}\n"

# (file, text, what the fault says; None: no fault)
CASES = [
    ("src/chip/a.c", SPDX + '#include "interconnect/wires.h"\n#include <stdio.h>\n', None),
    ("src/parallel/a.c", SPDX + "#include <mpi.h>\n#ifdef X\n#endif\n", None),
    ("src/chip/a.h", SPDX + "#ifndef CHIP_A_H\n#define CHIP_A_H\n#endif\n", None),
    ("src/chip/a.c", SPDX + "#include <mpi.h>\n", "includes mpi.h, which belongs to src/parallel"),
    ("src/main.c", SPDX + "#include <mpi.h>\n", "includes mpi.h, which belongs to src/parallel"),
    ("src/chip/a.c", SPDX + "#  include <hdf5.h>\n", "includes hdf5.h, which belongs to src/record"),
    ("src/chip/a.c", SPDX + "#include <H5Fpublic.h>\n", "which belongs to src/record"),
    ("src/model/a.c", SPDX + "#include <libconfig.h>\n", "includes libconfig.h, which belongs to src/config"),
    ("src/base/a.c", SPDX + "#include <hwloc.h>\n", "includes hwloc.h, which belongs to src/parallel"),
    ("src/base/a.c", SPDX + "#include <hwloc/glibc-sched.h>\n", "which belongs to src/parallel"),
    ("src/chip/a.c", SPDX + "#include <jansson.h>\n", "includes jansson.h, which belongs to src/model"),
    ("src/app/a.c", SPDX + "#include <openssl/evp.h>\n", "includes openssl/evp.h, which belongs to src/record"),
    ("src/chip/a.c", SPDX + "#include <Random123/philox.h>\n", "which belongs to src/base"),
    ("src/chip/a.c", SPDX + '#include "model/model.h"\n', "chip USES only base interconnect"),
    ("src/base/a.h", SPDX + '#include "chip/chip.h"\n', "base USES only"),
    ("src/chip/a.c", SPDX + '#include "../model/model.h"\n', "write ROOM/HEADER instead"),
    ("src/chip/a.c", SPDX + "#if 0\n#endif\n", "#if outside"),
    ("src/chip/a.c", FUNCTION, "no SPDX-License-Identifier"),
    ("tests/a.sh", "#!/bin/sh\n", "no SPDX-License-Identifier"),
    ("src/chip/a.c", SPDX + LONG, "a function of 81 lines; at most 80"),
    ("src/chip/a.c", SPDX + LONG.replace("    f();\n", "", 1), None),
    ("src/chip/a.c", SPDX + "\n" * 700, None),
]


def output_for(name, text):
    """Status and output of the rules for a sound tree in which file NAME holds TEXT."""
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for path, content in (("CMakeLists.txt", CMAKE), ("src/base/sound.c", SPDX + FUNCTION), (name, text)):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(content)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = rules.main(tree)
        return status, out.getvalue()


def is_caught(name, text, fault):
    status, output = output_for(name, text)
    good = status == 0 if fault is None else status == 1 and f"{name}" in output and fault in output
    if not good:
        print(f"{name} with {text[-60:]!r}: expected {fault!r}, got status {status}:\n{output}")
    return good


def main():
    missed = [case for case in CASES if not is_caught(*case)]
    status, output = output_for("src/chip/a.c", SPDX + "\n" * 700)
    if status or "warning: src/chip/a.c: 701 lines" not in output:
        missed.append("the warning for long files")
    print(f"{len(CASES) + 1} cases, {len(missed)} not as expected")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
