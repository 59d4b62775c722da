#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fits the keys marked [f] in configs/gpus to the half of the measured rows that is for the fit.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: tools/fit_gpus.sh BUILD DIR [GPU]...   (from the project's root)"
    echo "BUILD holds bench/fit_gpu, DIR the tables of measurements; GPUs as tables name them (a100_sxm h100_sxm)."
    echo "Starts from the values in configs/gpus and prints better ones, in base units; changes no file."
    exit 2
fi
fit=$1/bench/fit_gpu tables=$2
shift 2
[ $# -gt 0 ] || set -- a100_sxm h100_sxm

keys() { printf 'gpu.chip.%s ' "$@"; }
products=$(keys tensor_efficiency hbm_efficiency l2_rate l2_keep sm_rate load_latency load_stages loop_issue \
    block_tail split_latency)
attention=$(keys attention_floor attention_combine attention_issue attention_tile softmax_ops row_scatter hbm_stream_efficiency)

for gpu in "$@"; do
    echo "== $gpu, products"
    # shellcheck disable=SC2046,SC2086
    $fit "$tables" "$gpu" gemm/ $products $([ "$gpu" = a100_sxm ] || keys fp8_efficiency row_atomic)
    echo "== $gpu, attention"
    # shellcheck disable=SC2046,SC2086
    $fit "$tables" "$gpu" attention/ $attention $([ "$gpu" = a100_sxm ] || keys attention_pack transpose_rate)
    if ls "$tables"/moe/"$gpu"__* >/dev/null 2>&1; then
        echo "== $gpu, experts"
        # shellcheck disable=SC2046
        $fit "$tables" "$gpu" moe/ $(keys gather_flow hbm_part_efficiency hbm_expert_efficiency)
    fi
done
