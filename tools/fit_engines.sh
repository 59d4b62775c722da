#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Finds the constants marked [f] in bench/measured/engines.c from the rows of serving points that are for the fit.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: tools/fit_engines.sh BUILD DIR [ENGINE]...   (from the project's root)"
    echo "BUILD holds bench/fit_engines, DIR the tables of measurements; engines: vllm trtllm sglang splitwise."
    echo "Starts from values of its own and prints what it finds beside what is shipped; changes no file."
    exit 2
fi
fit=$1/bench/fit_engines tables=$2
shift 2
[ $# -gt 0 ] || exec "$fit" "$tables"
for engine in "$@"; do
    "$fit" "$tables" "$engine"
done
