/* SPDX-License-Identifier: BSD-3-Clause */
/* What a job is made of, and whether it can be done: splits, steps, memory. */
#include <inttypes.h>

#include "base/memory.h"
#include "gpu_cluster/call.h"
#include "gpu_cluster/gpu_cluster.h"
#include "gpu_cluster/variation.h"
#include "interconnect/gpu_topology.h"

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Positions of a prefill step, but for the last one. */
static int64_t chunk_of(const struct gpu_job *job)
{
    int64_t prompt = job->workload.prompt_tokens, chunk = job->bucket.prefill_chunk;
    return chunk > 0 && chunk < prompt ? chunk : prompt;
}

static int32_t prompt_steps(const struct gpu_job *job)
{
    int64_t prompt = job->workload.prompt_tokens;
    return prompt > 0 ? (int32_t)ceil_div(prompt, chunk_of(job)) : 0;
}

int32_t gpu_job_steps(const struct gpu_job *job)
{
    bool has_agenda = job->agenda != NULL;
    return has_agenda ? job->agenda_steps : prompt_steps(job) + job->workload.decode_tokens;
}

struct gpu_batch gpu_job_batch(const struct gpu_job *job, int32_t step)
{
    if (job->agenda != NULL) {
        return job->agenda[step];
    }
    int64_t prompt = job->workload.prompt_tokens, chunk = chunk_of(job);
    int32_t prompts = prompt_steps(job);
    bool frozen = gpu_source_is_frozen(job, GPU_SOURCE_CONTEXT);
    int32_t token = frozen ? job->workload.decode_tokens / 2 : step - prompts;
    struct gpu_group group = {job->bucket.batch, 1, prompt + token + 1, false, true};
    if (step < prompts) {
        bool last = step == prompts - 1;
        int64_t end = last ? prompt : (step + 1) * chunk;
        group = (struct gpu_group){1, end - step * chunk, end, true, last};
    }
    struct gpu_batch batch = {0};
    gpu_batch_add(&batch, group);
    return batch;
}

int32_t gpu_job_gpus(const struct gpu_job *job)
{
    return job->cluster.nodes * job->cluster.gpus_per_node;
}

int32_t gpu_job_working_gpus(const struct gpu_job *job)
{
    return job->cluster.tensor_parallel * job->cluster.pipeline_parallel;
}

/* Of a decode step: in a step of its all-reduce each channel of each GPU of a group passes a chunk
 * on, over two links or more; the stages of a pipeline take turns. */
int64_t gpu_job_window_events(const struct gpu_job *job)
{
    const struct gpu_cluster_spec *spec = &job->cluster;
    if (spec->tensor_parallel < 2) {
        return 2;
    }
    struct gpu_call_wish wish = gpu_call_wish_of(spec);
    struct gpu_call call =
        gpu_call_make(&job->chip, spec, &wish, GPU_OP_ALL_REDUCE, 0, spec->tensor_parallel,
                      job->model.hidden * 2 * job->bucket.batch);
    return 2 * (int64_t)call.channels * spec->tensor_parallel;
}

/* The stage with the most layers, and both ends of the model beside them. */
int64_t gpu_job_bytes_per_gpu(const struct gpu_job *job)
{
    const struct model *model = &job->model;
    int32_t tensor = job->cluster.tensor_parallel, stages = job->cluster.pipeline_parallel;
    int64_t table = model->vocabulary * model->hidden;
    int64_t ends = model->tied_embeddings ? table : 2 * table;
    int64_t layer = (model_parameter_count(model) - ends) / model->layers;
    int64_t layers = ceil_div(model->layers, stages);
    const int64_t wide = 2; /* embedding and head stay 16 bits wide */
    int64_t bytes = layers * layer * job->cluster.weight_bytes + wide * ends;
    int64_t weights = ceil_div(bytes, tensor);
    int64_t kv_width = ceil_div(model->kv_heads, tensor) * model->head_dim;
    int64_t positions = (int64_t)job->bucket.batch * job->bucket.max_sequence;
    return weights + 2 * layers * kv_width * positions * job->cluster.kv_bytes;
}

static void check_split(const struct gpu_job *job, struct base_report *report)
{
    int32_t tensor = job->cluster.tensor_parallel, stages = job->cluster.pipeline_parallel;
    if (tensor < 1 || stages < 1 || (int64_t)tensor * stages > gpu_job_gpus(job)) {
        base_report_add(report, NULL, 0,
                        "gpu.tensor_parallel %d x gpu.pipeline_parallel %d needs %" PRId64
                        " GPUs; the cluster has %d",
                        (int)tensor, (int)stages, (int64_t)tensor * stages, (int)gpu_job_gpus(job));
        return;
    }
    if (job->model.heads % tensor != 0) {
        base_report_add(report, NULL, 0,
                        "gpu.tensor_parallel = %d: the %" PRId64
                        " attention heads of %s do not divide by it",
                        (int)tensor, job->model.heads, job->model.name);
    }
    if (stages > job->model.layers) {
        base_report_add(report, NULL, 0,
                        "gpu.pipeline_parallel = %d exceeds the %" PRId64 " layers", (int)stages,
                        job->model.layers);
    }
}

static void check_memory(const struct gpu_job *job, struct base_report *report)
{
    int64_t need = gpu_job_bytes_per_gpu(job), have = job->chip.hbm_bytes;
    if (need > have) {
        base_report_add(report, NULL, 0,
                        "the model needs %" PRId64 " bytes a GPU, %" PRId64
                        " more than %s has: use more GPUs",
                        need, need - have, job->chip.name);
    }
}

static void check_positive(int64_t value, const char *name, struct base_report *report)
{
    if (value <= 0) {
        base_report_add(report, NULL, 0, "%s is %" PRId64 "; it must be positive", name, value);
    }
}

static void check_rates(const struct gpu_job *job, struct base_report *report)
{
    const struct gpu_cluster_spec *spec = &job->cluster;
    check_positive(spec->nvlink_bytes_per_s, "nvlink bandwidth", report);
    check_positive(spec->nic_bytes_per_s, "nic bandwidth", report);
    check_positive(spec->nvlink_latency_ps, "nvlink latency", report);
    check_positive(spec->nic_latency_ps, "nic latency", report);
    check_positive(spec->switch_latency_ps, "switch latency", report);
    check_positive(spec->link_quantum_bytes, "link quantum", report);
    check_positive(job->chip.sms - spec->collective_channels, "SMs beside a collective", report);
    check_positive(job->chip.sms - job->chip.collectives.channels, "SMs beside a collective",
                   report);
    check_positive(job->chip.engine_broadcast_ps, "engine broadcast", report);
    check_positive(spec->weight_bytes, "weight bytes an element", report);
    check_positive(spec->kv_bytes, "kv bytes an element", report);
}

/* An algorithm that is wished for is meant for all-reduces. */
static void check_collectives(const struct gpu_job *job, struct base_report *report)
{
    struct gpu_call_wish wish = gpu_call_wish_of(&job->cluster);
    char *why;
    bool possible = job->cluster.tensor_parallel < 2 ||
                    gpu_call_is_possible(&job->chip, &job->cluster, &wish, GPU_OP_ALL_REDUCE,
                                         job->cluster.gpus_per_node > 1 ? 2 : gpu_job_gpus(job),
                                         job->model.hidden, &why);
    if (!possible) {
        base_report_add(report, NULL, 0, "gpu.collective_algorithm: %s", why);
        base_free(why);
    }
}

bool gpu_job_is_valid(const struct gpu_job *job, struct base_report *report)
{
    size_t before = report->count;
    check_rates(job, report);
    check_split(job, report);
    check_collectives(job, report);
    if (report->count == before) {
        check_memory(job, report);
    }
    if (job->cluster.straggler_share > 0 && job->cluster.straggler_slowdown < 1) {
        base_report_add(report, NULL, 0, "straggler_slowdown %g makes a GPU faster; 1 or more",
                        job->cluster.straggler_slowdown);
    }
    return report->count == before;
}

void gpu_endpoint_name(const struct gpu_job *job, int32_t endpoint, char *text, size_t bytes)
{
    struct gpu_topology topology = gpu_topology_fat_tree(&job->cluster);
    gpu_topology_endpoint_name(&topology, endpoint, text, bytes);
    gpu_topology_release(&topology);
}
