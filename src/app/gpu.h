/* SPDX-License-Identifier: BSD-3-Clause */
/* What the run on the GPU cluster found out; the same on all ranks. */
#ifndef APP_GPU_H
#define APP_GPU_H

#include "app/app.h"
#include "app/serving_gpu.h"
#include "gpu_cluster/gpu_cluster.h"
#include "parallel/windows.h"
#include "record/layout.h"

/* Where the time of a step goes, mean over working GPUs. The first five are enum gpu_bound: kernels
 * by the largest part of their time. */
enum app_gpu_share {
    APP_GPU_HOST = GPU_BOUND_COUNT, /* until the first launch of the step */
    APP_GPU_LATE,                   /* stream idle because a later launch came late */
    APP_GPU_WAIT,                   /* collectives: waiting for the first chunk */
    APP_GPU_COLLECTIVE,             /* collectives: the rest */
    APP_GPU_SHARES
};

/* Start and end of each step over all GPUs. */
struct app_gpu_span {
    int64_t *start_ps, *end_ps;
};

/* A kind of link over the first simulation. */
struct app_gpu_links {
    int64_t links, busy_ps, neighbour_ps, longest_busy_ps; /* sums; longest of one link */
    int64_t queued_ps, longest_queue_ps, chunks;
};

struct app_gpu {
    struct gpu_job job;
    int32_t steps, prompt_steps, repeats, working;
    struct app_gpu_span *span; /* [repeats], all but the last decode step a token interval */
    struct app_gpu_span quiet; /* the first simulation with the neighbour off; NULL: not run */
    /* Of the first simulation. */
    struct gpu_totals totals;
    int64_t *decisions;                  /* [steps][GPU_DECISION_CLASSES] */
    int64_t share_ps[2][APP_GPU_SHARES]; /* by enum record_phase, of a step */
    struct app_gpu_links nvlink, nic;
    int64_t kernel_ps, kernel_sm_ps; /* over working GPUs: kernels; those weighted by SMs in use */
    struct parallel_windows_report windows;
    double seconds;           /* wall time of the first simulation */
    struct app_gpu_door door; /* of serve */
};

struct app_gpu *app_gpu_create(void);
void app_gpu_free(struct app_gpu *gpu);

/* Collective. Fills the job; BASE_USAGE or BASE_DOES_NOT_FIT where it is impossible. */
enum base_status app_gpu_check(struct app_run *run);

/* Collective. Rows of one simulation into the file; kernels, collectives, links and decisions of
 * the first one only, which has been tallied. `world` is NULL on ranks without a partition. */
enum base_status app_gpu_record(struct app_run *run, struct gpu_world *world, int32_t repeat);

/* Collective. Adds what the tables of a finished world say; `world` as above. */
void app_gpu_tally(struct app_gpu *gpu, struct gpu_world *world);

const char *app_gpu_share_name(enum app_gpu_share share);

#endif
