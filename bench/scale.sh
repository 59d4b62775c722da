#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What racks cost on one core: layers of Llama-2-70B, one a node, with a vocabulary that fits beside them, on 8, 64,
# 264 and 576 chips. CPU seconds to compile into a file, to compile, make and load all programs in a run until its first
# step, and to execute one decode step with all checks; the step a chip, a layer and an instruction; chip-cycles that are executed a second.
# usage: bench/scale.sh [PROGRAM]   (from the project's root, after a build; build/release/lpusim-mp by default)
set -euo pipefail
. bench/measure.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
program=${1:-build/release/lpusim-mp}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# job CHIPS TOPOLOGY OPTION...: the same of a run, or of what `verb` says.
verb=
job() {
    local chips=$1 topology=$2
    shift 2
    write_layers "$out" "$chips" "$topology"
    measure "$program" $verb "$out/job.cfg" "$@"
}

# NAME: a figure of the last job's summary.
figure() { grep -A1 "\"$1\"" "$out/job.json" | sed -n 's/.*"value": \([0-9.]*\).*/\1/p' | head -n 1; }

# Of its decode step.
cycles() { sed -n 's/.*"decode_cycles": \([0-9]*\).*/\1/p' "$out/job.json"; }

printf '%5s %6s %9s %6s %9s %6s %9s %12s | %9s %9s %9s %9s\n' chips layers "compile s" MiB "ready s" MiB \
    "step s" instructions "ms/chip" "ms/layer" "ns/instr" "Mcycles/s"
for machine in 8:lpu-1x8 64:lpu-9x8 264:lpu-33x8 576:lpu-8x9x8; do
    chips=${machine%%:*}
    more=$((2304 / chips)) # steps to time: as much work on all of them
    compile=$(verb=compile job "$chips" "${machine#*:}" -o "$out/job.lpu" --quiet)
    few=$(job "$chips" "${machine#*:}" --quiet)
    many=$(job "$chips" "${machine#*:}" --quiet --set "workload.decode_tokens=$((2 + more))" --json="$out/job.json")
    echo "$chips $compile $few $many $(figure instructions_checked) $(cycles) $more" | awk '{
        step = ($6 - $4) / $10; instructions = $8 / (2 + $10)
        printf "%5d %6d %9.2f %6d %9.2f %6d %9.2f %12d | %9.2f %9.2f %9.0f %9.0f\n", $1, $1 / 8, $2, $3,
            $4 - 2 * step, $5, step, instructions, 1e3 * step / $1, 8e3 * step / $1, 1e9 * step / instructions,
            1e-6 * $1 * $9 / step}'
done
