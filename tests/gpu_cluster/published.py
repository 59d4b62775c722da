# SPDX-License-Identifier: BSD-3-Clause
"""Described GPUs beside published figures, and in their order: usage published.py LPUSIM_MP, from the project's root.

Sources. Products of 8192 x 8192, up to 32 rows, and best bf16 products: public tables of aiconfigurator (A100, H100,
H200, B200). Attention over long prompts, head dim 128: the papers of FlashAttention 2 (A100, up to 230 Tflop/s), 3
(H100, up to 740) and 4 (B200, 1,613, 1.3 times cuDNN 9.13). Data sheets: facts/systems of the data folder, if it is there.
"""
import os
import pathlib
import re
import subprocess
import sys

GPUS = "a100-sxm", "h100-sxm", "h200-sxm", "b200-sxm"
DECODE_TB_PER_S = {"a100-sxm": (1.26, 1.38), "h100-sxm": (2.6, 2.9), "h200-sxm": (3.83, 3.83), "b200-sxm": (5.6, 5.8)}
BEST_TFLOP_PER_S = {"a100-sxm": 271, "h100-sxm": 794, "h200-sxm": 794, "b200-sxm": 1745}
ATTENTION_TFLOP_PER_S = {"a100-sxm": (160, 230), "h100-sxm": (550, 740), "h200-sxm": (550, 740), "b200-sxm": (1240, 1613)}
SUBJECTS = [("--gemm", "16,8192,8192"), ("--gemm", "4096,8192,8192"), ("--gemm", "64,1280,8192"),
            ("--attention", "32,1,8192,32,8"), ("--attention", "4,4096,4096,32,8"), ("--attention", "64,1,4096,64,8,64,128"),
            ("--attention", "1,8192,8192,8,1,256"), ("--moe", "1,7168,2048,256,8"), ("--moe", "64,7168,2048,256,8"),
            ("--moe", "8192,4096,14336,8,2"), ("--norm", "4096,8192"), ("--rope", "4096,10240"), ("--activation", "4096,28672"),
            ("--stream", "67108864")]
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "ns": 1e-9}


def asked(gpu, *words):
    """(seconds of all launches, Tflop/s of the first)"""
    text = subprocess.run([sys.argv[1], "kernel", "--gpu", gpu, *words], check=True, capture_output=True, text=True).stdout
    times = re.findall(r"^  time +([\d.]+) (\w+)", text, re.MULTILINE)
    rate = re.search(r"^  rate +([\d.]+) Tflop/s", text, re.MULTILINE)
    return sum(float(value) * UNITS[unit] for value, unit in times), float(rate.group(1)) if rate else 0


def near(number, low, high, share):
    return low * (1 - share) <= number <= high * (1 + share)


def products_reach_published_rates():
    for gpu in GPUS:
        for rows in (1, 8, 16, 32):
            seconds, _ = asked(gpu, "--gemm", f"{rows},8192,8192")
            assert near(2 * 8192 * 8192 / seconds / 1e12, *DECODE_TB_PER_S[gpu], 0.07), (gpu, rows, seconds)
        best = max(asked(gpu, "--gemm", shape)[1] for shape in ("8192,8192,8192", "16384,8192,8192", "8192,16384,8192"))
        assert near(best, BEST_TFLOP_PER_S[gpu], BEST_TFLOP_PER_S[gpu], 0.07), (gpu, best)


def attention_reaches_published_rates():
    for gpu in GPUS:
        _, rate = asked(gpu, "--attention", "1,16384,16384,32,32,128")
        assert near(rate, *ATTENTION_TFLOP_PER_S[gpu], 0.02), (gpu, rate)


def newer_gpus_are_not_slower():
    for subject in SUBJECTS:
        times = [asked(gpu, *subject)[0] for gpu in GPUS[1:]]
        assert times[0] >= times[1] >= times[2] > 0, (subject, times)
        assert asked("a100-sxm", *subject)[0] > times[2], subject
        for gpu in GPUS[1:]:
            narrow = asked(gpu, "--number", "fp8", "--kv", "fp8", *subject)[0]
            assert 0 < narrow < 1.5 * times[GPUS.index(gpu) - 1], (subject, gpu, narrow)


def number_of(text, key):
    value, unit = re.search(rf'^{key} = "?([\d.]+) ?([\w/]*)', text, re.MULTILINE).groups()
    return float(value) * {"Tflop/s": 1e12, "TB/s": 1e12, "GiB": 2 ** 30, "GB": 1e9, "W": 1, "": 1, "flop/s": 1}[unit]


def descriptions_are_those_of_data_sheets():
    beside = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = pathlib.Path(os.environ.get("LPUSIM_DATA", beside)) / "facts" / "systems"
    if not folder.is_dir():
        print(f"data sheets left out: {folder} is not there")
        return
    pairs = {"mem_bw": "hbm_rate", "mem_capacity": "hbm_capacity", "bfloat16_tc_flops": "fp16_rate", "sm_version": "sm_version",
             "fp8_tc_flops": "fp8_rate", "power": "power"}
    for gpu in GPUS:
        sheet = (folder / f"{gpu.replace('-', '_')}.yaml").read_text()
        text = pathlib.Path(f"configs/gpus/{gpu}.cfg").read_text()
        for theirs, ours in pairs.items():
            found = re.search(rf"^  {theirs}: (\d+)", sheet, re.MULTILINE)
            if found:
                assert near(number_of(text, ours), float(found.group(1)), float(found.group(1)), 0.08), (gpu, ours)


products_reach_published_rates()
attention_reaches_published_rates()
newer_gpus_are_not_slower()
descriptions_are_those_of_data_sheets()
print("ok")
