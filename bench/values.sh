#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What numbers cost: the same job with values on and off in turn, 8 chips on 2 ranks; wall time and memory, pair by pair.
# usage: bench/values.sh [MODEL_FOLDER [POSITIONS [TOKENS [STAGES GROUP]]]]   (from the project's root, after a build)
# By default: the project's own model. The public stories260K: bench/values.sh DIR/models/stories260K 512 256
set -euo pipefail
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
program=${PROGRAM:-build/release/lpusim-mp}
pairs=${PAIRS:-3}
model=$(realpath "${1:-configs/models/sums}")
positions=${2:-64}
tokens=${3:-50}
stages=${4:-2}
group=${5:-4}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Prints "SECONDS MIB": wall time, and the peak memory over both ranks as the program records it.
job() {
    local start end bytes
    start=$(date +%s.%N)
    mpirun --oversubscribe -np 2 "$program" configs/sums.cfg --quiet --out "$out/job.h5" \
        --set "values=$1" --set "model.path=$model" --set "bucket.max_sequence=$positions" \
        --set workload.prompt= --set workload.prompt_tokens=5 --set "workload.decode_tokens=$tokens" \
        --set "lpu.pipeline_stages=$stages" --set "lpu.tensor_group=$group" \
        --set lpu.reference=false >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
    end=$(date +%s.%N)
    bytes=$(h5dump -a /run/peak_memory_bytes "$out/job.h5" | sed -n 's/.*(0): //p')
    echo "$start $end $bytes" | awk '{printf "%.2f %.0f", $2 - $1, $3 / 1048576}'
}

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

for ((n = 0; n < pairs; n++)); do
    on=$(job on)
    off=$(job off)
    echo "$on $off" | awk '{printf "on %6.2f s %5d MiB   off %6.2f s %5d MiB   ratio %.2f\n", $1, $2, $3, $4, $1 / $3}'
    echo "$on" >>"$out/on"
    echo "$on $off" | awk '{print $1 / $3}' >>"$out/ratio"
done
echo "median: on $(median <"$out/on") s, ratio $(median <"$out/ratio")"
