#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Wall time and memory of the main job, and what eight ranks cost beside two: the two in turn, ratio pair by pair.
# usage: bench/main_job.sh [PROGRAM] [PAIRS]   (from the project's root; build/release/lpusim-mp and 5 by default)
set -euo pipefail
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
program=${1:-build/release/lpusim-mp}
pairs=${2:-5}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Prints "SECONDS KIB": wall time of one job, and the peak memory over all ranks as the program records it.
job() {
    local start end
    start=$(date +%s.%N)
    mpirun --oversubscribe -np "$1" "$program" configs/rack.cfg --quiet --json="$out/job.json" \
        --out "$out/job.h5" >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
    end=$(date +%s.%N)
    echo "$start $end" | awk '{printf "%.2f", $2 - $1}'
}

median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

for ((n = 0; n < pairs; n++)); do
    eight=$(job 8)
    two=$(job 2)
    echo "$eight $two" | awk '{printf "8 ranks %6.2f s   2 ranks %6.2f s   ratio %.2f\n", $1, $2, $1 / $2}'
    echo "$eight" >>"$out/eight"
    echo "$two" >>"$out/two"
    echo "$eight $two" | awk '{print $1 / $2}' >>"$out/ratio"
done
echo "median: 8 ranks $(median <"$out/eight") s, 2 ranks $(median <"$out/two") s," \
    "ratio $(median <"$out/ratio")"
