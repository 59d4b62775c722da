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

# write_layers FOLDER CHIPS TOPOLOGY: config.json and job.cfg of layers of Llama-2-70B, one for each eight chips, with a
# vocabulary that fits beside them.
write_layers() {
    sed "s/32000/8000/; s/\"num_hidden_layers\": [0-9]*/\"num_hidden_layers\": $(($2 / 8))/" \
        configs/models/Llama-2-70B/config.json >"$1/config.json"
    cat >"$1/job.cfg" <<END
run = { mode = "lpu"; };
model = { path = "$1"; };
bucket = { max_sequence = 4096; };
workload = { prompt_tokens = 1; decode_tokens = 2; };
lpu = {
    chip = "$PWD/configs/chips/lpu-v1.cfg";
    rack = "$PWD/configs/topologies/$3.cfg";
    chips_used = $2;
    tensor_group = 8;
};
END
}
