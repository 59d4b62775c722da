/* SPDX-License-Identifier: BSD-3-Clause */
/* From a point to a job of the cluster; remembers steps. */
#include "serving_point.h"

#include <string.h>

#include "base/memory.h"
#include "gpu_cluster/step.h"
#include "models.h"

/* Between an answer's last token at the engine and its client's next prompt there: two ways through
 * server and network, tokenizer included. */
static const int64_t CLIENT_PS = 5 * INT64_C(1000000000);

/* A front end's time for 1,024 positions of a prompt. [f], tools/fit_engines.sh */
static int64_t front_ps = 25 * INT64_C(100000000);

int64_t *serving_front_to_change(void)
{
    return &front_ps;
}

/* Steps by what they depend on. */
struct known {
    struct model_key {
        const struct gpu_chip *chip;
        const struct engine_kind *engine;
        char model[MODEL_NAME_BYTES];
        int32_t tensor, weight_bytes, kv_bytes, weight_blocks;
        int64_t eager_gap_ps;
    } key;
    struct gpu_job job; /* whose host takes no time between steps */
    struct memo {
        struct gpu_batch batch;
        int64_t ps;
    } * memo;
    size_t memos, capacity;
};

static struct known **known;
static size_t known_count, known_capacity;

static struct known *known_of(const struct model_key *key, const struct gpu_job *job)
{
    for (size_t i = 0; i < known_count; i++)
        if (memcmp(&known[i]->key, key, sizeof *key) == 0)
            return known[i];
    struct known *entry = base_alloc(1, sizeof *entry);
    entry->key = *key;
    entry->job = *job;
    engine_kind_take_host_away(&entry->job);
    known = base_grow(known, &known_capacity, known_count + 1, sizeof *known);
    known[known_count++] = entry;
    return entry;
}

/* To the nearest point of a grid that is finer for small values; never to 0. */
static int64_t rounded(int64_t value)
{
    enum { SMALL = 256, MEDIUM = 2048 };
    int64_t grid = value < SMALL ? SMALL / 16 : value < MEDIUM ? MEDIUM / 32 : MEDIUM / 8;
    int64_t near = (value + grid / 2) / grid * grid;
    return near > 0 ? near : grid;
}

/* Graphs are captured for 1, 2, 4 and multiples of 8 sequences; a batch is filled up to the next.
 */
static int64_t captured(int64_t sequences)
{
    if (sequences > 4)
        return (sequences + 7) / 8 * 8;
    return sequences == 3 ? 4 : sequences;
}

static struct gpu_batch on_grid(const struct gpu_batch *batch)
{
    struct gpu_batch coarse = {0};
    for (int32_t i = 0; i < batch->groups; i++) {
        struct gpu_group group = batch->group[i];
        if (!group.prompt)
            group.sequences = captured(group.sequences);
        else if (group.tokens != group.keys || !group.samples)
            group.tokens = rounded(group.tokens);
        group.keys = group.tokens == group.keys ? group.keys : rounded(group.keys);
        group.keys = group.keys < group.tokens ? group.tokens : group.keys;
        gpu_batch_add(&coarse, group);
    }
    return coarse;
}

static bool is_same(const struct gpu_batch *a, const struct gpu_batch *b)
{
    for (int32_t i = 0; a->groups == b->groups && i < a->groups; i++)
        if (a->group[i].keys != b->group[i].keys)
            return false;
    return gpu_batch_is_alike(a, b);
}

static int64_t remembered_ps(struct known *k, const struct gpu_batch *batch)
{
    for (size_t i = 0; i < k->memos; i++)
        if (is_same(&k->memo[i].batch, batch))
            return k->memo[i].ps;
    k->memo = base_grow(k->memo, &k->capacity, k->memos + 1, sizeof *k->memo);
    k->memo[k->memos] =
        (struct memo){.batch = *batch, .ps = gpu_step_extrapolate(&k->job, batch).ps};
    return k->memo[k->memos++].ps;
}

int64_t serving_step_ps(void *context, int32_t replica, int64_t iteration,
                        const struct gpu_batch *batch)
{
    (void)replica;
    (void)iteration;
    struct known *k = context;
    struct gpu_batch coarse = on_grid(batch);
    return engine_kind_host_ps(k->key.engine, batch) + remembered_ps(k, &coarse);
}

/* NULL, or why the cluster has no such numbers. */
static const char *numbers_take(const char *name, const struct engine_kind *engine,
                                struct gpu_cluster_spec *cluster)
{
    bool is_narrow = strncmp(name, "fp8", 3) == 0;
    cluster->weight_bytes = is_narrow ? 1 : 2;
    cluster->weight_blocks = strcmp(name, "fp8_block") == 0;
    cluster->kv_bytes = is_narrow && engine->narrow_cache ? 1 : 2;
    return is_narrow || engine_number_is_wide(name) ? NULL
                                                    : "weights of a kind that no kernel here has";
}

const char *serving_point_job(const struct row *row, const struct serving_point *point,
                              struct gpu_job *job)
{
    const char *why;
    const struct model *model = models_find(point->model, &why);
    const struct gpu_cluster_spec *cluster = gpus_cluster(row->gpus, row->gpu, "1x8");
    if (!model || !cluster)
        return model ? "no description of the machine" : why;
    *job = (struct gpu_job){.chip = *row->chip, .cluster = *cluster, .model = *model};
    job->cluster.tensor_parallel = point->tensor;
    job->cluster.pipeline_parallel = 1;
    job->bucket.batch = 1;
    job->bucket.max_sequence = (int32_t)(point->prompt + point->output);
    engine_kind_apply(point->engine, job);
    why = numbers_take(point->number, point->engine, &job->cluster);
    struct base_report report = {0};
    if (!why && !gpu_job_is_valid(job, &report))
        why = "a split or a size that the cluster cannot have";
    base_report_release(&report);
    return why;
}

static struct model_key key_of(const struct row *row, const struct serving_point *point,
                               const struct gpu_job *job)
{
    struct model_key key;
    memset(&key, 0, sizeof key);
    key.chip = row->chip;
    key.engine = point->engine;
    strcpy(key.model, job->model.name);
    key.tensor = point->tensor;
    key.weight_bytes = job->cluster.weight_bytes;
    key.kv_bytes = job->cluster.kv_bytes;
    key.weight_blocks = job->cluster.weight_blocks;
    key.eager_gap_ps = point->engine->eager_gap_ps;
    return key;
}

static struct serve_rules rules_of(const struct row *row, const struct serving_point *point,
                                   const struct gpu_job *job)
{
    int64_t budget = point->budget > 0 ? point->budget : engine_kind_budget(row->chip);
    return (struct serve_rules){.batching = SERVE_CONTINUOUS,
                                .budget_tokens = budget,
                                .max_sequences =
                                    (int32_t)(point->slots < budget ? point->slots : budget),
                                .prompts_first = point->engine->prompts_first,
                                .splits_prompts = point->engine->splits_prompts,
                                .blocks = engine_kind_positions(point->engine, job),
                                .block_tokens = 1,
                                .front_ps = front_ps * point->prompt / 1024};
}

const char *serving_point_predict(const struct row *row, const struct serving_point *point,
                                  struct serve_clients_times *times)
{
    struct gpu_job job;
    const char *why = serving_point_job(row, point, &job);
    if (why)
        return why;
    struct model_key key = key_of(row, point, &job);
    const struct serve_rules rules = rules_of(row, point, &job);
    if (rules.blocks < point->prompt + point->output)
        return "the KV cache of one request does not fit";
    const struct serve_clients clients = {.clients = (int32_t)point->clients,
                                          .prompt = (int32_t)point->prompt,
                                          .output = (int32_t)point->output,
                                          .shortest = point->shortest,
                                          .rounds = (int32_t)point->rounds,
                                          .client_ps = CLIENT_PS};
    const struct serve_clock clock = {serving_step_ps, known_of(&key, &job)};
    *times = serve_clients_run(&clients, &rules, &clock);
    return NULL;
}
