/* SPDX-License-Identifier: BSD-3-Clause */
/* A cluster of GPUs that runs the steps of a model event by event, in partitions. */
#ifndef GPU_CLUSTER_GPU_CLUSTER_H
#define GPU_CLUSTER_GPU_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gpu_machine.h"
#include "base/machine.h"
#include "base/status.h"
#include "engine/engine.h"
#include "base/gpu_batch.h"
#include "gpu_cluster/gpu_tables.h"
#include "model/model.h"

/* What is simulated: the steps of an agenda; without one the prompt in chunks of the bucket, then
 * the decode steps one by one. */
struct gpu_job {
    struct gpu_chip chip;
    struct gpu_cluster_spec cluster;
    struct model model;
    struct bucket bucket;
    struct workload workload;
    const struct gpu_batch
        *agenda; /* [agenda_steps]; not owned; NULL: bucket and workload say it */
    int32_t agenda_steps;
    uint64_t seed;
    uint64_t run_seed; /* of what is the same for a whole run: run_jitter, GPUs unlike each other;
                          0: seed */
    uint32_t frozen;   /* sources that stand still: a bit for each enum gpu_source (variation.h) */
    /* Steps with full kernel and collective records; record_steps 0: all. */
    int32_t record_first_step, record_steps;
};

/* Adds to `report` what makes the job impossible: a split that does not divide, too little memory.
 */
bool gpu_job_is_valid(const struct gpu_job *job, struct base_report *report);

/* What a step of the job works on. */
struct gpu_batch gpu_job_batch(const struct gpu_job *job, int32_t step);

/* Prefill chunks and decode steps; GPUs of the cluster; those that hold the model, the first ones.
 */
int32_t gpu_job_steps(const struct gpu_job *job);
int32_t gpu_job_gpus(const struct gpu_job *job);
int32_t gpu_job_working_gpus(const struct gpu_job *job);

/* About how many events fall into one window of the engine: chunks of an all-reduce that are under
 * way at once. */
int64_t gpu_job_window_events(const struct gpu_job *job);

/* Writes the name of a link's endpoint ("gpu 3", "nic 3", "leaf 0") into `text`. */
void gpu_endpoint_name(const struct gpu_job *job, int32_t endpoint, char *text, size_t bytes);

struct gpu_world;

/* Partition `partition` of `partitions` (GPUs and links in blocks). The job is copied. Free with
 * gpu_world_free. */
struct gpu_world *gpu_world_create(const struct gpu_job *job, int32_t partition,
                                   int32_t partitions);
void gpu_world_free(struct gpu_world *world);

/* What drives this partition among the others; the world's own. */
struct engine *gpu_world_engine(struct gpu_world *world);

/* Runs a single partition to its end. BASE_NO_PROGRESS: a GPU waits for what nobody will send. */
enum base_status gpu_world_run(struct gpu_world *world);

bool gpu_world_finished(const struct gpu_world *world);

/* Adds a line for each GPU of this partition that is not done: what it waits for, and from whom. */
void gpu_world_explain(const struct gpu_world *world, struct base_report *report);

/* Draws neighbour traffic up to the end of the run, so that link rows do not depend on which
 * partition stopped when. Call once, with the end of the last step over all partitions, before
 * reading link rows. */
void gpu_world_close(struct gpu_world *world, int64_t end_ps);

struct gpu_tables gpu_world_tables(struct gpu_world *world);

/* Start and end of each step over all GPUs, from rows of all partitions in any order; arrays of
 * `steps`. */
void gpu_step_span(const struct gpu_step_row *row, size_t rows, int32_t steps, int64_t *start_ps,
                   int64_t *end_ps);

/* Bytes of weights and KV that the fullest GPU holds. */
int64_t gpu_job_bytes_per_gpu(const struct gpu_job *job);

#endif
