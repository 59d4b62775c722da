#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fails when a C file differs from what clang-format 14 makes of it; skips without it unless LPUSIM_FORMAT=required.
set -euo pipefail
cd "${LPUSIM_SOURCE_DIR:-$(dirname "$0")/../..}"

if ! command -v clang-format-14 >/dev/null; then
    echo "SKIPPED: clang-format-14 is not installed (./quickstart format installs it)"
    [ "${LPUSIM_FORMAT-}" = required ] && exit 1
    exit 77
fi
find . -path ./build -prune -o -name "*.[ch]" -print0 | xargs -0 clang-format-14 --dry-run -Werror
