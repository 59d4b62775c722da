/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules between options: each names the options it needs and blames one of them. */
#include "config/check.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/program.h"

enum { MOST_KEYS = 6, CHUNK_QUANTUM = 32 };

/* A rule returns NULL, or what is wrong and what would be right (free with base_free). */
struct rule {
    enum option_side side;
    char *(*fault)(const struct scenario *s);
    const char *key[MOST_KEYS]; /* needed; the first is blamed */
};

static char *chunk_against_sequence(const struct scenario *s)
{
    if (s->bucket.prefill_chunk <= s->bucket.max_sequence)
        return NULL;
    return base_format("%d is more than bucket.max_sequence = %d", s->bucket.prefill_chunk,
                       s->bucket.max_sequence);
}

static char *chunk_is_rounded(const struct scenario *s)
{
    int32_t chunk = s->bucket.prefill_chunk;
    if (chunk % CHUNK_QUANTUM == 0)
        return NULL;
    int32_t below = chunk - chunk % CHUNK_QUANTUM;
    return base_format("%d is no multiple of %d: %d or %d would be", chunk, CHUNK_QUANTUM, below,
                       below + CHUNK_QUANTUM);
}

static char *tokens_fit(const struct scenario *s)
{
    int64_t tokens = (int64_t)s->workload.prompt_tokens + s->workload.decode_tokens;
    if (tokens <= s->bucket.max_sequence)
        return NULL;
    return base_format("workload.prompt_tokens + workload.decode_tokens = %lld is more than "
                       "bucket.max_sequence = %d",
                       (long long)tokens, s->bucket.max_sequence);
}

static int64_t all_chips(const struct scenario *s)
{
    return (int64_t)s->lpu_rack.racks * s->lpu_rack.nodes * s->lpu_rack.chips_per_node;
}

static int64_t chips_in_use(const struct scenario *s)
{
    return s->lpu_rack.chips_used ? s->lpu_rack.chips_used : all_chips(s);
}

static char *chips_exist(const struct scenario *s)
{
    if (s->lpu_rack.chips_used <= all_chips(s))
        return NULL;
    return base_format("%d is more than the %lld chips that there are (racks x nodes x chips: "
                       "%d x %d x %d)",
                       s->lpu_rack.chips_used, (long long)all_chips(s), s->lpu_rack.racks,
                       s->lpu_rack.nodes, s->lpu_rack.chips_per_node);
}

static char *group_is_power_of_two(const struct scenario *s)
{
    int32_t group = s->lpu_rack.tensor_group;
    if ((group & (group - 1)) == 0)
        return NULL;
    return base_format("%d chips cannot share a layer: 1, 2, 4, 8, or 0 for the compiler's choice",
                       group);
}

static char *group_is_in_a_node(const struct scenario *s)
{
    if (s->lpu_rack.tensor_group <= s->lpu_rack.chips_per_node)
        return NULL;
    return base_format("%d is more than lpu.rack.chips_per_node = %d: a group stays in one node",
                       s->lpu_rack.tensor_group, s->lpu_rack.chips_per_node);
}

static char *stages_fit(const struct scenario *s)
{
    int64_t stages = s->lpu_rack.pipeline_stages ? s->lpu_rack.pipeline_stages : 1;
    int64_t group = s->lpu_rack.tensor_group ? s->lpu_rack.tensor_group : 1;
    if (stages * group <= chips_in_use(s))
        return NULL;
    return base_format("%lld stages of %lld chips need %lld chips, %lld are used",
                       (long long)stages, (long long)group, (long long)(stages * group),
                       (long long)chips_in_use(s));
}

static char *mesh_has_links(const struct scenario *s)
{
    if (s->lpu_rack.chips_per_node - 1 <= s->lpu_chip.c2c_local_links)
        return NULL;
    return base_format("a full mesh of %d chips needs %d local links a chip, "
                       "lpu.chip.c2c_local_links = %d",
                       s->lpu_rack.chips_per_node, s->lpu_rack.chips_per_node - 1,
                       s->lpu_chip.c2c_local_links);
}

static char *cables_have_links(const struct scenario *s)
{
    int64_t others = s->lpu_rack.nodes - 1, cables = s->lpu_rack.cables_per_node_pair;
    int64_t ports = (int64_t)s->lpu_rack.chips_per_node * s->lpu_chip.c2c_global_links;
    int64_t need = others * (cables ? cables : 1);
    if (need <= ports)
        return NULL;
    return base_format("%d nodes need %lld cables a node, its chips have %lld global links",
                       s->lpu_rack.nodes, (long long)need, (long long)ports);
}

/* Outside ports are those that cables inside the rack leave free. */
static char *racks_have_links(const struct scenario *s)
{
    int64_t others = s->lpu_rack.nodes - 1, cables = s->lpu_rack.cables_per_node_pair;
    int64_t ports = (int64_t)s->lpu_rack.chips_per_node * s->lpu_chip.c2c_global_links;
    int64_t inside = cables ? others * cables : others ? ports / others * others : 0;
    int64_t outside = s->lpu_rack.nodes * (ports - inside);
    if (inside > ports || s->lpu_rack.racks - 1 <= outside)
        return NULL;
    return base_format(
        "%d racks need %d links a rack to the others, the cables inside a rack leave "
        "%lld; fewer lpu.rack.cables_per_node_pair leave more",
        s->lpu_rack.racks, s->lpu_rack.racks - 1, (long long)outside);
}

static char *lanes_are_superlanes(const struct scenario *s)
{
    if (s->lpu_chip.lanes % s->lpu_chip.lanes_per_superlane == 0)
        return NULL;
    return base_format("%d is no multiple of lpu.chip.lanes_per_superlane = %d", s->lpu_chip.lanes,
                       s->lpu_chip.lanes_per_superlane);
}

static char *banks_divide_slice(const struct scenario *s)
{
    if (s->lpu_chip.vectors_per_slice % s->lpu_chip.banks_per_slice == 0)
        return NULL;
    return base_format("%d is no multiple of lpu.chip.banks_per_slice = %d",
                       s->lpu_chip.vectors_per_slice, s->lpu_chip.banks_per_slice);
}

static char *planes_are_paired(const struct scenario *s)
{
    if (s->lpu_chip.mxm_planes % 2 == 0)
        return NULL;
    return base_format("%d planes cannot be split between two hemispheres: an even number",
                       s->lpu_chip.mxm_planes);
}

static char *wire_carries_vector(const struct scenario *s)
{
    if (s->lpu_chip.c2c_vector_wire_bytes >= s->lpu_chip.lanes)
        return NULL;
    return base_format("%d B is less than the vector of %d B (lpu.chip.lanes)",
                       s->lpu_chip.c2c_vector_wire_bytes, s->lpu_chip.lanes);
}

static char *power_is_ordered(const struct scenario *s)
{
    if (s->lpu_chip.power_average_w <= s->lpu_chip.power_max_w)
        return NULL;
    return base_format("%g W is more than lpu.chip.power_max = %g W", s->lpu_chip.power_average_w,
                       s->lpu_chip.power_max_w);
}

static char *gpus_exist(const struct scenario *s)
{
    const struct gpu_cluster_spec *c = &s->gpu_cluster;
    int64_t need = (int64_t)c->tensor_parallel * c->pipeline_parallel;
    int64_t all = (int64_t)c->nodes * c->gpus_per_node;
    if (need <= all)
        return NULL;
    return base_format("gpu.tensor_parallel x gpu.pipeline_parallel = %lld is more than the %lld "
                       "GPUs of the cluster (%d nodes of %d)",
                       (long long)need, (long long)all, c->nodes, c->gpus_per_node);
}

static char *fp8_exists(const struct scenario *s)
{
    if (s->gpu_cluster.weight_bytes != 1 || s->gpu_chip.fp8_flops > 0)
        return NULL;
    return base_format("1 B weights need fp8, which %s has not (gpu.chip.fp8_rate): 2 B",
                       s->gpu_chip.name);
}

static char *values_have_machine(const struct scenario *s)
{
    if (!s->values || s->mode != SCENARIO_GPU)
        return NULL;
    return base_strdup("values are computed on the LPU: run.mode \"lpu\" or \"both\"");
}

static bool has_prompt(const struct scenario *s)
{
    return s->prompt[0] || s->prompt_ids[0];
}

static char *prompt_has_values(const struct scenario *s)
{
    if (s->values || !has_prompt(s))
        return NULL;
    return base_strdup("a prompt with words is read where values are computed: values = on");
}

static char *prompt_is_one(const struct scenario *s)
{
    if (!s->prompt[0] || !s->prompt_ids[0])
        return NULL;
    return base_strdup("workload.prompt is there already; one of the two is enough");
}

static char *prompt_has_tokens(const struct scenario *s)
{
    if (s->workload.prompt_tokens > 0 || has_prompt(s))
        return NULL;
    return base_strdup("0 counts the tokens of workload.prompt, which is not there: at least 1");
}

static char *values_execute_all(const struct scenario *s)
{
    if (!s->values || s->lpu_execute_steps == 0)
        return NULL;
    return base_format("%d steps leave tokens that nobody computes; with values = on: 0, all",
                       s->lpu_execute_steps);
}

/* A program names a cache by a number of eight bits. */
static char *seats_have_caches(const struct scenario *s)
{
    if (s->lpu_seats * s->bucket.batch <= PROGRAM_CACHES)
        return NULL;
    return base_format("%d seats of %d sequences take %d caches; a program knows %d: at most %d",
                       s->lpu_seats, s->bucket.batch, s->lpu_seats * s->bucket.batch,
                       PROGRAM_CACHES, PROGRAM_CACHES / s->bucket.batch);
}

static char *sequences_fill_batches(const struct scenario *s)
{
    int32_t batch = s->bucket.batch;
    if (s->lpu_seats == 1 || s->workload.sequences % batch == 0)
        return NULL;
    return base_format("%d; sequences take seats in batches of %d: a multiple, as %d",
                       s->workload.sequences, batch,
                       (s->workload.sequences + batch - 1) / batch * batch);
}

static char *values_know_sequences(const struct scenario *s)
{
    if (!s->values || s->lpu_seats != 0 || s->workload.sequences > 0)
        return NULL;
    return base_strdup(
        "0; with values = on a number of seats, or workload.sequences, says how many "
        "prompts there are");
}

static char *sequences_have_seats(const struct scenario *s)
{
    if (s->workload.sequences <= 1 || s->lpu_seats != 1)
        return NULL;
    return base_format("%d sequences share the pipeline where lpu.seats is not 1",
                       s->workload.sequences);
}

static int64_t all_gpus(const struct scenario *s)
{
    return (int64_t)s->gpu_cluster.nodes * s->gpu_cluster.gpus_per_node;
}

static char *slow_gpu_exists(const struct scenario *s)
{
    if (s->gpu_cluster.slow_gpu < all_gpus(s))
        return NULL;
    return base_format("%d; the cluster has %lld GPUs: 0 to %lld", s->gpu_cluster.slow_gpu,
                       (long long)all_gpus(s), (long long)all_gpus(s) - 1);
}

static char *gap_has_launch(const struct scenario *s)
{
    if (s->gpu_chip.launch_ps <= s->gpu_chip.eager_gap_ps)
        return NULL;
    return base_format("%lld ps is less than the launch that is part of it, gpu.chip.launch = %lld "
                       "ps",
                       (long long)s->gpu_chip.eager_gap_ps, (long long)s->gpu_chip.launch_ps);
}

/* Inside a node nobody uses a NIC. */
static char *storage_has_company(const struct scenario *s)
{
    if (s->gpu_cluster.neighbour_pattern != GPU_NEIGHBOUR_STORAGE || s->gpu_cluster.nodes > 1)
        return NULL;
    return base_strdup("storage shares NICs, which nobody else uses on one node; all_to_all or "
                       "replica is wanted");
}

static char *deadlines_have_limits(const struct scenario *s)
{
    if (s->serve.policy != SERVE_EARLIEST_DEADLINE || s->serve.ttft_limit_ps > 0 ||
        s->serve.tpot_limit_ps > 0)
        return NULL;
    return base_strdup("earliest_deadline needs a deadline: serve.ttft_limit, serve.tpot_limit or "
                       "both more than 0 ps");
}

static char *late_has_limits(const struct scenario *s)
{
    if (!s->serve.refuse_late || s->serve.ttft_limit_ps > 0 || s->serve.tpot_limit_ps > 0)
        return NULL;
    return base_strdup("nothing is late without serve.ttft_limit or serve.tpot_limit");
}

static char *budget_is_there(const struct scenario *s)
{
    if (s->serve.policy != SERVE_TENANT_BUDGET || s->serve.tenant_tokens_per_s > 0)
        return NULL;
    return base_strdup("tenant_budget needs serve.tenant_budget: tokens a second of each tenant, "
                       "more than 0");
}

static char *budget_feeds_sequences(const struct scenario *s)
{
    if (s->serve.budget_tokens == 0 || s->serve.budget_tokens >= s->serve.max_sequences)
        return NULL;
    return base_format("%lld tokens are less than one for each of serve.max_sequences = %d",
                       (long long)s->serve.budget_tokens, s->serve.max_sequences);
}

static char *whole_prompts_fit(const struct scenario *s)
{
    if (s->serve.splits_prompts || s->serve.budget_tokens == 0 ||
        s->serve.budget_tokens >= s->bucket.max_sequence)
        return NULL;
    return base_format("%lld; without serve.split_prompts a prompt of up to bucket.max_sequence = "
                       "%d tokens goes through in one iteration: at least so many, or 0",
                       (long long)s->serve.budget_tokens, s->bucket.max_sequence);
}

static char *preferred_is_allowed(const struct scenario *s)
{
    if (s->serve.preferred_sequences <= s->serve.max_sequences)
        return NULL;
    return base_format("%d is more than serve.max_sequences = %d", s->serve.preferred_sequences,
                       s->serve.max_sequences);
}

static const struct rule rules[] = {
    {OPTION_SHARED, values_have_machine, {"values", "run.mode"}},
    {OPTION_SHARED, prompt_has_values, {"workload.prompt", "workload.prompt_ids", "values"}},
    {OPTION_SHARED, prompt_is_one, {"workload.prompt_ids", "workload.prompt"}},
    {OPTION_SHARED,
     prompt_has_tokens,
     {"workload.prompt_tokens", "workload.prompt", "workload.prompt_ids"}},
    {OPTION_SHARED,
     deadlines_have_limits,
     {"serve.policy", "serve.ttft_limit", "serve.tpot_limit"}},
    {OPTION_SHARED, late_has_limits, {"serve.refuse_late", "serve.ttft_limit", "serve.tpot_limit"}},
    {OPTION_SHARED, budget_is_there, {"serve.policy", "serve.tenant_budget"}},
    {OPTION_SHARED, budget_feeds_sequences, {"serve.budget", "serve.max_sequences"}},
    {OPTION_SHARED,
     whole_prompts_fit,
     {"serve.budget", "serve.split_prompts", "bucket.max_sequence"}},
    {OPTION_SHARED, preferred_is_allowed, {"serve.preferred", "serve.max_sequences"}},
    {OPTION_LPU, seats_have_caches, {"lpu.seats", "bucket.batch"}},
    {OPTION_LPU, sequences_fill_batches, {"workload.sequences", "bucket.batch"}},
    {OPTION_LPU, values_know_sequences, {"lpu.seats", "workload.sequences", "values"}},
    {OPTION_LPU, sequences_have_seats, {"workload.sequences", "lpu.seats"}},
    {OPTION_LPU, values_execute_all, {"lpu.execute_steps", "values"}},
    {OPTION_SHARED, chunk_against_sequence, {"bucket.prefill_chunk", "bucket.max_sequence"}},
    {OPTION_SHARED, chunk_is_rounded, {"bucket.prefill_chunk"}},
    {OPTION_SHARED,
     tokens_fit,
     {"workload.prompt_tokens", "workload.decode_tokens", "bucket.max_sequence"}},
    {OPTION_LPU,
     chips_exist,
     {"lpu.chips_used", "lpu.rack.nodes", "lpu.rack.chips_per_node", "lpu.rack.racks"}},
    {OPTION_LPU, group_is_power_of_two, {"lpu.tensor_group"}},
    {OPTION_LPU, group_is_in_a_node, {"lpu.tensor_group", "lpu.rack.chips_per_node"}},
    {OPTION_LPU,
     stages_fit,
     {"lpu.pipeline_stages", "lpu.tensor_group", "lpu.chips_used", "lpu.rack.nodes",
      "lpu.rack.chips_per_node", "lpu.rack.racks"}},
    {OPTION_LPU, mesh_has_links, {"lpu.rack.chips_per_node", "lpu.chip.c2c_local_links"}},
    {OPTION_LPU,
     cables_have_links,
     {"lpu.rack.nodes", "lpu.rack.cables_per_node_pair", "lpu.rack.chips_per_node",
      "lpu.chip.c2c_global_links"}},
    {OPTION_LPU,
     racks_have_links,
     {"lpu.rack.racks", "lpu.rack.nodes", "lpu.rack.cables_per_node_pair",
      "lpu.rack.chips_per_node", "lpu.chip.c2c_global_links"}},
    {OPTION_LPU, lanes_are_superlanes, {"lpu.chip.lanes", "lpu.chip.lanes_per_superlane"}},
    {OPTION_LPU, banks_divide_slice, {"lpu.chip.vectors_per_slice", "lpu.chip.banks_per_slice"}},
    {OPTION_LPU, planes_are_paired, {"lpu.chip.mxm_planes"}},
    {OPTION_LPU, wire_carries_vector, {"lpu.chip.c2c_vector_wire", "lpu.chip.lanes"}},
    {OPTION_LPU, power_is_ordered, {"lpu.chip.power_average", "lpu.chip.power_max"}},
    {OPTION_GPU,
     gpus_exist,
     {"gpu.tensor_parallel", "gpu.pipeline_parallel", "gpu.cluster.nodes",
      "gpu.cluster.gpus_per_node"}},
    {OPTION_GPU,
     slow_gpu_exists,
     {"gpu.slow_gpu", "gpu.cluster.nodes", "gpu.cluster.gpus_per_node"}},
    {OPTION_GPU, gap_has_launch, {"gpu.chip.eager_gap", "gpu.chip.launch"}},
    {OPTION_GPU, storage_has_company, {"gpu.neighbour_pattern", "gpu.cluster.nodes"}},
    {OPTION_GPU, fp8_exists, {"gpu.weight_element", "gpu.chip.fp8_rate", "gpu.chip.name"}},
};

bool config_side_is_wanted(const struct scenario *scenario, const struct config_sources *sources,
                           enum option_side side)
{
    if (side == OPTION_SHARED || scenario->mode == SCENARIO_BOTH)
        return true;
    if (config_source_of(sources, option_find("run.mode"))->origin == CONFIG_FAULTY)
        return false;
    return (side == OPTION_LPU) == (scenario->mode == SCENARIO_LPU);
}

static const struct config_source *source_of_key(const struct config_sources *sources,
                                                 const char *key)
{
    const struct option *option = option_find(key);
    assert(option && "a rule names a key that the table does not have");
    return config_source_of(sources, option);
}

static bool rule_applies(const struct rule *rule, const struct config_sources *sources)
{
    for (int i = 0; i < MOST_KEYS && rule->key[i]; i++) {
        enum config_origin origin = source_of_key(sources, rule->key[i])->origin;
        if (origin == CONFIG_ABSENT || origin == CONFIG_FAULTY)
            return false;
    }
    return true;
}

/* The blamed option is the first that the user wrote; a default is nobody's fault. */
static const char *blamed_key(const struct rule *rule, const struct config_sources *sources)
{
    for (int i = 0; i < MOST_KEYS && rule->key[i]; i++)
        if (source_of_key(sources, rule->key[i])->origin != CONFIG_DEFAULT)
            return rule->key[i];
    return rule->key[0];
}

static void fault_add(const struct rule *rule, const char *fault,
                      const struct config_sources *sources, struct base_report *report)
{
    const struct config_source *at = source_of_key(sources, blamed_key(rule, sources));
    base_report_add(report, at->origin == CONFIG_SET ? "--set" : at->file, at->line, "%s: %s",
                    rule->key[0], fault);
}

void config_check(const struct scenario *scenario, const struct config_sources *sources,
                  struct base_report *report)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *rule = &rules[i];
        if (!config_side_is_wanted(scenario, sources, rule->side) || !rule_applies(rule, sources))
            continue;
        char *fault = rule->fault(scenario);
        if (fault)
            fault_add(rule, fault, sources, report);
        base_free(fault);
    }
}
