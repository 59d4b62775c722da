/* SPDX-License-Identifier: BSD-3-Clause */
/* The scenario: everything the user asked for, checked, in one unit system. Plain data. */
#ifndef CONFIG_SCENARIO_H
#define CONFIG_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/gpu_machine.h"
#include "base/machine.h"
#include "base/serve_spec.h"

enum { SCENARIO_PROMPT_BYTES = 4096 };

enum scenario_mode {
    SCENARIO_LPU,
    SCENARIO_GPU,
    SCENARIO_BOTH,
};

enum scenario_numerics {
    SCENARIO_FP32, /* every number 32 bits wide, to be compared with references */
    SCENARIO_INT8, /* the machine's own: int8 weights and activations, fp16 rows and cache */
};

struct config_sources; /* where each value came from; see config_scenario_for_each */

/* Filled by config_scenario_read. The side that `mode` leaves out may be incomplete or all zero. */
struct scenario {
    bool values; /* the LPU computes numbers; the model's folder holds its weights */
    enum scenario_mode mode;
    int64_t seed;
    char output_path[MACHINE_PATH_BYTES]; /* HDF5 file; "": none; relative to the working directory
                                           */
    char json_path[MACHINE_PATH_BYTES];   /* summary as JSON; "": none; "-": standard output */
    bool quiet;                           /* no progress, no side-by-side summary */
    char model_path[MACHINE_PATH_BYTES];  /* absolute: config.json or the folder that holds one */
    struct bucket bucket;
    struct workload workload;
    char prompt[SCENARIO_PROMPT_BYTES];     /* text, where values are computed; "": none */
    char prompt_ids[SCENARIO_PROMPT_BYTES]; /* the same as a list of ids, "1,403,407"; "": none */
    struct lpu_chip lpu_chip;
    struct lpu_rack lpu_rack;
    int32_t lpu_seats;         /* sequences that share the pipeline; 0: as many as it holds */
    int32_t lpu_execute_steps; /* decode steps executed in full before replaying; 0: all */
    enum scenario_numerics lpu_numerics;
    bool lpu_prefill;   /* prompt through prefill passes; else token by token, as decode steps */
    bool lpu_reference; /* values are compared with a plain computation of the model */
    struct gpu_chip gpu_chip;
    struct gpu_cluster_spec gpu_cluster;
    int32_t gpu_partitions; /* of the cluster over ranks; 0: as many as pay off */
    int32_t gpu_repeats;    /* times the request is simulated, each with draws of its own */
    int32_t gpu_attribution_repeats; /* the same, for each source that attribute freezes */
    struct serve_spec serve;
    struct config_sources *sources; /* owned; NULL in a scenario made by hand */
};

#endif
