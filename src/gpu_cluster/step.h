/* SPDX-License-Identifier: BSD-3-Clause */
/* How long one step of a given batch takes, and where the time goes. */
#ifndef GPU_CLUSTER_STEP_H
#define GPU_CLUSTER_STEP_H

#include "gpu_cluster/gpu_cluster.h"

/* What freezes every source of variability: a step is a function of its batch. */
#define GPU_ALL_FROZEN ((uint32_t)-1)

/* Of the GPU that is through last. host, compute, collective and idle add up to the whole. */
struct gpu_step_time {
    int64_t ps;
    int64_t host_ps, compute_ps, collective_ps, idle_ps;
    int64_t kernels;     /* launched on that GPU */
    int64_t isolated_ps; /* its kernels one after the other, each with nothing beside it */
    int64_t small_ps;    /* part of isolated_ps: neither product nor attention */
    int64_t wait_ps;     /* part of collective_ps: until the others came */
};

/* The step alone, from the engine's decision to the end, in an event simulation of its own. The
 * job's agenda, workload and records do not count; with sources that vary, `seed` says which step.
 * The job must be valid. */
struct gpu_step_time gpu_step_simulate(const struct gpu_job *job, const struct gpu_batch *batch);

/* The same with all sources frozen and one stage, for many steps: simulates the model with one
 * layer and with two, or with as many as windows need to come again, what is over in front, and
 * with so many more; and goes on so. Layers are alike then, so the time is a straight line in their
 * number, but for the lead that a host has at the first. */
struct gpu_step_time gpu_step_extrapolate(const struct gpu_job *job, const struct gpu_batch *batch);

/* The same with sources as the job has them: a draw of the time of the whole, from the model with
 * two layers and with ten, whose first two draw alike. Its mean is that of gpu_step_simulate, its
 * deviation is larger. Models of ten layers and less are simulated. */
int64_t gpu_step_estimate_ps(const struct gpu_job *job, const struct gpu_batch *batch);

#endif
