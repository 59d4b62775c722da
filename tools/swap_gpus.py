# SPDX-License-Identifier: BSD-3-Clause
"""Predicts each of two GPUs with constants of the other: usage swap_gpus.py BUILD DIR, from the project's root.

BUILD holds bench/measured, DIR the tables of measurements. Prints median errors in percent over all rows of a kind of
table, with the GPU's own description and with some of its keys from the other GPU's; rates of data sheets stay its own.
"""
import re
import subprocess
import sys

GPUS = "a100_sxm", "h100_sxm"
PRODUCTS = "load_latency load_stages loop_issue block_tail split_latency l2_keep"
SHARES = "tensor_efficiency hbm_efficiency"
ATTENTION = "softmax_ops attention_issue row_scatter"
VERSION = "attention_floor attention_combine attention_pack attention_tile"
STEPS = "ll_step ll128_step simple_step direct_step shot_step ll_warp"
BASES = "ll_base ll128_base simple_base direct_base shot_base shot_fence"
LINKS = "ll_link ll128_link simple_link direct_link shot_link one_way_link"
SWAPS = [("gemm/", "gemm", "mechanism", PRODUCTS), ("gemm/", "gemm", "mechanism, shares of peaks", f"{PRODUCTS} {SHARES}"),
         ("attention/", "attention prefill", "scores, steps, rows", ATTENTION),
         ("attention/", "attention decode", "scores, steps, rows", ATTENTION),
         ("attention/", "attention prefill", "these, share of HBM's peak", f"{ATTENTION} hbm_stream_efficiency"),
         ("attention/", "attention decode", "these, share of HBM's peak", f"{ATTENTION} hbm_stream_efficiency"),
         ("attention/", "attention prefill", "version of the kernel too", f"{ATTENTION} hbm_stream_efficiency {VERSION}"),
         ("attention/", "attention decode", "version of the kernel too", f"{ATTENTION} hbm_stream_efficiency {VERSION}"),
         ("collectives/", "nccl", "shares of links", LINKS), ("collectives/", "nccl", "shares of links, steps", f"{LINKS} {STEPS}"),
         ("collectives/", "nccl", "and bases", f"{LINKS} {STEPS} {BASES}")]


# What both descriptions have in common, as fitted to the rows of one GPU alone: fit_gpu DIR GPU attention/ and these keys
# with attention_floor, attention_tile, attention_combine and hbm_stream_efficiency.
ALONE = {"a100_sxm": {"softmax_ops": "5.665", "attention_issue": "4", "row_scatter": "20.13"},
         "h100_sxm": {"softmax_ops": "5.134", "attention_issue": "55", "row_scatter": "24.27"}}


def keys_of(gpu):
    text = open(f"configs/gpus/{gpu.replace('_', '-')}.cfg").read()
    return dict(re.findall(r"^(\w+) = ([^;]*);", text, re.MULTILINE)) | ALONE[gpu]


def median(only, kind, gpu, settings):
    """Of all rows of a kind's table, in percent."""
    words = [word for key, value in settings for word in ("--set", f"gpu.chip.{key}={value}")]
    text = subprocess.run([f"{sys.argv[1]}/bench/measured", sys.argv[2], "--only", f"{only}{gpu}", "--part", "all", *words],
                          check=True, capture_output=True, text=True).stdout
    return float(re.search(rf"^{kind}, {gpu} +\d+ +([\d.]+)", text, re.MULTILINE).group(1))


if len(sys.argv) != 3:
    sys.exit(__doc__)
print(f"{'table':18} {'from the other GPU':30} {'A100':>6} {'with it':>8} {'H100':>6} {'with it':>8}")
for only, kind, what, keys in SWAPS:
    numbers = []
    for gpu, other in (GPUS, GPUS[::-1]):
        theirs = keys_of(other)
        numbers += [median(only, kind, gpu, []), median(only, kind, gpu, [(key, theirs[key]) for key in keys.split()])]
    print(f"{kind:18} {what:30} {numbers[0]:6.1f} {numbers[1]:8.1f} {numbers[2]:6.1f} {numbers[3]:8.1f}")
