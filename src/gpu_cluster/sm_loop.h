/* SPDX-License-Identifier: BSD-3-Clause */
/* The main loop of blocks on one SM, cycle by cycle: loads fill staging, schedulers pick a ready
 * group of warps, tensor cores and the special-function units work off what was issued. */
#ifndef GPU_CLUSTER_SM_LOOP_H
#define GPU_CLUSTER_SM_LOOP_H

#include <stdint.h>

enum { GPU_SM_GROUPS = 32, GPU_SM_STAGES = 16 }; /* most of an SM; most of a block */

/* All blocks of an SM do the same. A group is what issues a matrix instruction as one: a warp up
 * to Ampere, four warps from Hopper on. In each step of the loop it waits for its operands, issues
 * for `issue_cycles`, and then holds a tensor pipe, the special-function units (attention:
 * exponentials) and the tensor pipe again. */
struct gpu_sm_loop {
    int32_t blocks;         /* resident together, at least 1 */
    int32_t groups;         /* of a block; blocks x groups <= GPU_SM_GROUPS */
    int32_t pipes;          /* tensor pipes of the SM; a group always uses the same one */
    int32_t stages;         /* steps that a block's staging holds, 1 to GPU_SM_STAGES */
    int32_t issue_cycles;   /* barrier, addresses, issue */
    int32_t tensor_cycles;  /* of a pipe for a group's part of a step */
    int32_t special_cycles; /* of the special-function units, shared by the SM; 0: none */
    int32_t second_cycles;  /* of the pipe, behind the special functions */
    int32_t step_bytes;     /* that a block loads a step */
    int32_t
        bytes_per_kcycle;   /* that the SM takes in, in 1,024 cycles; rounded to 6 binary digits */
    int32_t latency_cycles; /* from the issue of a load to its first byte */
};

/* Time of a number of steps: `fill` until the first matrix instruction starts, `end` until the last
 * group of the last block is done; `step`: cycles a step takes once the loop is steady. */
struct gpu_sm_time {
    int64_t fill_cycles, end_cycles;
    double step_cycles;
    int64_t picks; /* that schedulers make: a group and what it does next, counted as they go */
};

/* Steps beyond the first few dozen are the steady state's. Loops that were asked for before are
 * remembered (by thread); the answer is a pure function of loop and steps. A part of a step, where
 * blocks differ and `steps` is their mean, takes its share. */
struct gpu_sm_time gpu_sm_loop_run(const struct gpu_sm_loop *loop, double steps);

#endif
