#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# slurm/rack.sbatch hands the program a command line that it accepts, through srun and through mpirun. Slurm itself is
# a stand-in here: an srun that knows one list of plugins and starts one rank.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$LPUSIM_SOURCE_DIR"
export SLURM_JOB_ID=17 SLURM_NTASKS=2 PATH="$folder:$PATH"

# Runs the script under an srun that lists the plugins in $1; the launcher that it chose is left in $folder/chosen.
run_with_plugins() {
    cat >"$folder/srun" <<TEXT
#!/bin/sh
[ "\$1" = --mpi=list ] && { echo "$1"; exit 0; }
echo "srun \$1" >"$folder/chosen"
shift
exec "\$@"
TEXT
    cat >"$folder/mpirun" <<TEXT
#!/bin/sh
echo "mpirun \$1 \$2" >"$folder/chosen"
shift 2
exec "\$@"
TEXT
    chmod +x "$folder/srun" "$folder/mpirun"
    bash slurm/rack.sbatch --set workload.decode_tokens=3 --check >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
}

run_with_plugins "none pmi2 pmix"
grep -qx 'srun --mpi=pmix' "$folder/chosen"
grep -q 'rack-17.h5' "$folder/log"
grep -q 'decode_tokens = 3' "$folder/log"
run_with_plugins "none pmi2"
grep -qx 'mpirun -np 2' "$folder/chosen"
