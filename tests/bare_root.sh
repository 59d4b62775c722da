#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the quick-start commands in a fresh Debian 12 that holds git and nothing else of ours.
#
#   tests/bare_root.sh [FOLDER [COMMAND...]]
#
# Needs root, debootstrap and a network. FOLDER (default: a temporary one, removed afterwards) receives the Debian, or
# is one that an earlier run left: then only the clone in it is made anew. Without COMMAND: ./quickstart test, then
# ./quickstart. Mirror and settings of apt are those of this machine. Not part of the test run: it takes minutes and
# 2 GB.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" -eq 0 ] || { echo "bare_root: must be root" >&2; exit 2; }
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    root=$(cd "$1" && pwd) kept=yes
    shift
else
    root=$(mktemp -d) kept=
fi

mirror() {
    local from
    from=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
    [ -n "$from" ] || from=$(sed -n 's/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) *bookworm .*/\2/p' \
        /etc/apt/sources.list 2>/dev/null | head -n 1)
    from=${from:-${LPUSIM_MIRROR:-}}
    [ -n "$from" ] || { echo "bare_root: name a Debian mirror in LPUSIM_MIRROR" >&2; exit 2; }
    echo "$from"
}

copy_apt_settings() {
    cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
    if [ -f /etc/apt/sources.list.d/debian.sources ]; then
        cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
        rm -f "$root/etc/apt/sources.list"
    elif [ -f /etc/apt/sources.list ]; then
        cp /etc/apt/sources.list "$root/etc/apt/"
    fi
    cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
}

make_debian() {
    [ -x "$root/usr/bin/git" ] && return
    echo "bare_root: debootstrap bookworm into $root"
    debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "$(mirror)" >"$root.debootstrap.log" 2>&1 ||
        { tail -n 20 "$root.debootstrap.log"; exit 1; }
    rm -f "$root.debootstrap.log"
    copy_apt_settings
}

mounts=(proc sys dev dev/shm)

mount_all() {
    local name
    for name in "${mounts[@]}"; do
        mount --bind "/$name" "$root/$name"
    done
}

leave() {
    local i
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
        mountpoint -q "$root/${mounts[i]}" && umount "$root/${mounts[i]}"
    done
    [ -n "$kept" ] || rm -rf --one-file-system "$root"
}

clone() {
    rm -rf --one-file-system "$root/root/lpusim-mp"
    git clone --quiet --no-hardlinks . "$root/root/lpusim-mp"
}

# An environment as after a login: nothing of this machine's settings comes along.
inside() {
    echo "bare_root: $*"
    chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        bash -c 'cd /root/lpusim-mp && "$@"' bash "$@"
}

trap leave EXIT
make_debian
mount_all
clone
if [ $# -gt 0 ]; then
    inside "$@"
else
    inside ./quickstart test
    inside ./quickstart
fi
echo "bare_root: all commands ended well"
