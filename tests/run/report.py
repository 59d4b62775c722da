# SPDX-License-Identifier: BSD-3-Clause
"""report: one well-formed page that needs nothing else, with the sections that the file has, at the right places."""
import pathlib
import tempfile
import xml.etree.ElementTree as ET

import h5py

from program import SMALL, must, run

FEW = ["--set", "lpu.seats=0", "--set", "serve.requests=200", "--set", "serve.rate=400", "--set",
       "serve.prompt_mean=40", "--set", "serve.output_mean=12"]


def page(path, output):
    must("report", path, "-o", output)
    text = output.read_text(encoding="utf-8")
    assert "http" not in text and "<script" not in text and "nan" not in text.replace("finance", "") and "inf" not in text, text
    return ET.fromstring(text.split("\n", 1)[1])


def pictures(tree):
    return {svg.get("aria-label"): svg for svg in tree.iter("svg")}


with tempfile.TemporaryDirectory() as scratch:
    path, output = pathlib.Path(scratch) / "run.h5", pathlib.Path(scratch) / "run.html"
    said = must(SMALL, f"--out={path}")
    tree = page(path, output)
    found = pictures(tree)
    with h5py.File(path) as file:
        ops = (file["lpu/ops/phase"][:] == 1).sum()
        kernels, collectives = file["gpu/kernels/step"][:], file["gpu/collectives/step"][:]
        first = file["gpu/steps/step"][:][file["gpu/steps/phase"][:] == 1].min()
    bars = {label: len(list(svg.iter("rect"))) for label, svg in found.items()}
    assert bars["LPU rack, as compiled"] == ops > 0, bars
    happened = bars["GPU cluster, the first decode step as it happened"]
    assert happened == (kernels == first).sum() + (collectives == first).sum() > 0, bars
    assert {"distribution of the time between tokens", "stacked bars of the time of a decode step",
            "SRAM of a chip by stage", "busy time of links"} <= set(found), set(found)
    assert "".join(next(tree.iter("pre")).itertext()) == said
    for svg in found.values():
        width, height = (float(number) for number in svg.get("viewBox").split()[2:])
        for rect in svg.iter("rect"):
            x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
            assert x >= 0 and y >= 0 and x + w <= width and y + h <= height, rect.attrib
    must("serve", SMALL, f"--out={path}", "--quiet", *FEW)
    assert {"distribution of the time to the first token", "requests waiting over time"} <= set(pictures(page(path, output)))
    must(SMALL, f"--out={path}", "--quiet", "--mode=gpu")
    assert "LPU rack, as compiled" not in pictures(page(path, output))
    for words, status, message in (([], 2, "what is wanted"), ([path, "-o", path], 5, "is the file to read"),
                                   ([__file__, "-o", output], 2, "is not the HDF5 file of a run"),
                                   ([path, "-o", output, "--far"], 2, "--far is one word too many")):
        done = run("report", *words)
        assert done.returncode == status and message in done.stderr, (words, done.stderr)
print("the page is well-formed and complete")
