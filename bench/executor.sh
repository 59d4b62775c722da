#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How fast chips are executed under the contract, on one rank: CPU time of more decode steps of a schedule that was
# compiled before, numbers off and on; chip-cycles, vectors and instructions a second.
# usage: bench/executor.sh [layer | main | rack_72 | rack_576 | sums | stories]...   (from the project's root, after a
# build; all by default; stories needs LPUSIM_DATA=DIR with the public models/stories260K, and is left out without)
set -euo pipefail
. bench/measure.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
program=${PROGRAM:-build/release/lpusim-mp}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# STEPS OPTION...: CPU seconds of a run with as many decode steps.
job() {
    local steps=$1
    shift
    measure "$program" run "$out/job.lpu" --quiet --mode=lpu --out="$out/job.h5" --json="$out/$steps.json" \
        --set workload.prompt= --set workload.prompt_tokens=1 --set "workload.decode_tokens=$steps" \
        --set lpu.reference=false --set lpu.execute_steps=0 "$@" | cut -d' ' -f1
}

# FILE NAME: a figure of a summary.
figure() { grep -A1 "\"$2\"" "$1" | sed -n 's/.*"value": \([0-9.]*\).*/\1/p' | head -n 1; }

# Chips and cycles of a decode step of the split that was chosen.
split() {
    sed -n 's/.*"stages": \([0-9]*\), "group": \([0-9]*\), "fits": true, "decode_cycles": \([0-9]*\).*/\1 \2 \3/p' \
        "$out/2.json" | sort -k3n | awk 'NR == 1 {print $1 * $2, $3}'
}

# NAME MORE FILE OPTION...: a row, from a run of 2 decode steps and one of MORE beyond.
row() {
    local name=$1 more=$2 file=$3 few many
    shift 3
    "$program" compile "$file" -o "$out/job.lpu" --quiet --mode=lpu "$@"
    few=$(job 2 "$@")
    many=$(job $((2 + more)) "$@")
    echo "$name $few $many $more $(split) $(figure "$out/2.json" instructions_checked)" \
        "$(figure "$out/$((2 + more)).json" instructions_checked) $(figure "$out/2.json" vectors_checked)" \
        "$(figure "$out/$((2 + more)).json" vectors_checked)" | awk '{
            step = ($3 - $2) / $4; instructions = ($8 - $7) / $4; vectors = ($10 - $9) / $4
            printf "%-9s %5d %9d %12d %11d | %8.2f %9.1f %9.0f %9.1f\n", $1, $5, $6, instructions, vectors, 1e3 * step,
                1e-6 * $5 * $6 / step, 1e-6 * vectors / step, 1e-6 * instructions / step}'
}

# Where numbers are computed the model is the one of configs/sums.cfg, on 2 x 4 chips.
numbers="--set values=on --set bucket.max_sequence=512 --set lpu.pipeline_stages=2 --set lpu.tensor_group=4"
printf '%-9s %5s %9s %12s %11s | %8s %9s %9s %9s\n' schedule chips cycles instructions vectors "ms/step" \
    "Mcycles/s" "Mvect/s" "Minstr/s"
for name in "${@:-layer main rack_72 rack_576 sums stories}"; do
    for one in $name; do
        case $one in
        layer) write_layers "$out" 8 lpu-1x8 && row layer 200 "$out/job.cfg" ;;
        main) row main 40 configs/rack.cfg ;;
        rack_72) row rack_72 20 configs/rack_72.cfg ;;
        rack_576) row rack_576 4 configs/rack_576.cfg ;;
        # shellcheck disable=SC2086
        sums) row sums 40 configs/sums.cfg $numbers ;;
        # shellcheck disable=SC2086
        stories) [ -z "${LPUSIM_DATA:-}" ] ||
            row stories 40 configs/sums.cfg $numbers --set "model.path=$LPUSIM_DATA/models/stories260K" ;;
        *) echo "no schedule is named $one" >&2 && exit 2 ;;
        esac
    done
done
