/* SPDX-License-Identifier: BSD-3-Clause */
/* Builds a plan of one op, runs it in a world of its own and reads what it left behind. */
#include "gpu_cluster/predict.h"

#include <assert.h>
#include <string.h>

static const enum gpu_op ops[] = {GPU_OP_ALL_REDUCE, GPU_OP_ALL_GATHER, GPU_OP_REDUCE_SCATTER,
                                  GPU_OP_ALL_TO_ALL, GPU_OP_BROADCAST,  GPU_OP_SEND};

enum gpu_op gpu_collective_op_of(const char *name)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(gpu_op_name(ops[i]), name) == 0) {
            return ops[i];
        }
    }
    return GPU_OP_COUNT;
}

/* A device that does nothing but the call: the host has launched everything at time 0. */
static struct gpu_job job_of(const struct gpu_chip *chip, const struct gpu_cluster_spec *cluster,
                             const struct gpu_question *question)
{
    struct gpu_job job = {.cluster = *cluster,
                          .workload.decode_tokens = 1,
                          .bucket.batch = 1,
                          .seed = question->seed};
    job.chip.sms = chip->sms;
    job.chip.collectives = chip->collectives;
    job.cluster.captured_graph = true;
    job.cluster.straggler_share = 0;
    job.cluster.tensor_parallel = question->ranks;
    job.cluster.pipeline_parallel = 1;
    return job;
}

static struct gpu_plan plan_of(const struct gpu_call *call)
{
    struct gpu_plan plan = gpu_plan_by_hand(1, call->ranks);
    struct gpu_plan_op op = {
        .action = GPU_ACTION_COLLECTIVE, .op = call->op, .layer = -1, .call = *call};
    gpu_plan_append(&plan.step[0], op);
    gpu_plan_bound(&plan);
    return plan;
}

static void read_links(const struct gpu_tables *tables, struct gpu_prediction *prediction)
{
    for (size_t i = 0; i < tables->links; i++) {
        const struct gpu_link_row *row = &tables->link[i];
        prediction->queue_ps += row->queued_ps;
        if (row->busy_ps > prediction->busiest_ps) {
            prediction->busiest_ps = row->busy_ps;
            prediction->busiest_bytes = row->bytes;
            prediction->busiest_from = row->from;
            prediction->busiest_to = row->to;
        }
    }
}

static void read_world(struct gpu_world *world, struct gpu_prediction *prediction)
{
    struct gpu_tables tables = gpu_world_tables(world);
    for (size_t i = 0; i < tables.collectives; i++) {
        int64_t end = tables.collective[i].end_ps;
        prediction->time_ps = end > prediction->time_ps ? end : prediction->time_ps;
    }
    prediction->chunks = tables.totals.decisions[GPU_DECISION_COLLECTIVE];
    prediction->arbitrations = tables.totals.decisions[GPU_DECISION_ARBITRATION];
    prediction->events = tables.totals.events;
    prediction->lanes = world->gpu[0].run.lanes;
    memcpy(prediction->phase, world->gpu[0].run.phase, sizeof prediction->phase);
    read_links(&tables, prediction);
}

static bool is_compared(enum gpu_op op)
{
    return op != GPU_OP_ALL_TO_ALL && op != GPU_OP_SEND;
}

struct gpu_prediction gpu_collective_predict(const struct gpu_chip *chip,
                                             const struct gpu_cluster_spec *cluster,
                                             const struct gpu_question *question)
{
    struct gpu_job job = job_of(chip, cluster, question);
    struct gpu_prediction prediction = {.call = gpu_call_make(chip, cluster, &question->wish,
                                                              question->op, 0, question->ranks,
                                                              question->bytes)};
    if (is_compared(question->op)) {
        prediction.candidates =
            gpu_nccl_candidates(chip, cluster, &prediction.call, prediction.candidate);
    }
    struct gpu_world *world = gpu_world_create_from(&job, plan_of(&prediction.call),
                                                    gpu_topology_fat_tree(&job.cluster), 0, 1);
    enum base_status status = gpu_world_run(world);
    assert(status == BASE_OK);
    (void)status;
    read_world(world, &prediction);
    gpu_world_free(world);
    return prediction;
}

double gpu_collective_bus_gb_per_s(enum gpu_op op, int32_t ranks, int64_t bytes, int64_t time_ps)
{
    double n = ranks, factor = (n - 1) / n;
    factor = op == GPU_OP_ALL_REDUCE ? 2 * factor : factor;
    factor = op == GPU_OP_BROADCAST || op == GPU_OP_SEND ? 1 : factor;
    return factor * (double)bytes / (double)time_ps * 1e3;
}
