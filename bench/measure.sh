# SPDX-License-Identifier: BSD-3-Clause
# For other scripts of this folder.

# measure COMMAND...: "SECONDS MIB", its CPU time and peak memory.
measure() {
    python3 -c 'import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{used.ru_utime + used.ru_stime:.3f} {used.ru_maxrss / 1024:.0f}")
sys.exit(done.returncode)' "$@"
}
