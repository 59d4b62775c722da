#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The first notebook runs to its end on the file of a small run.
set -euo pipefail

if [ ! -x /usr/bin/jupyter ] || ! /usr/bin/python3 -c "import pandas, matplotlib, ipykernel" 2>/dev/null; then
    echo "SKIPPED: jupyter-nbconvert, pandas or matplotlib is not installed (./quickstart notebook installs them)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$LPUSIM_MP" "$LPUSIM_SOURCE_DIR/configs/small.cfg" --quiet --out "$folder/small.h5"
cd "$folder"
LPUSIM_FILE="$folder/small.h5" PATH="/usr/bin:$PATH" /usr/bin/jupyter nbconvert --to notebook --execute \
    "$LPUSIM_SOURCE_DIR/notebooks/first_look.ipynb" --output-dir "$folder"
# Two plots at least came out of it.
[ "$(grep -c '"image/png"' "$folder/first_look.ipynb")" -ge 2 ]
