/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles cases and plays all chips of a rack in turn. */
#include "rack.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/config.h"
#include "test.h"

enum { PRINTED = 4 };

const struct model rack_qwen = {.name = "qwen-like",
                                .architecture = "Qwen2ForCausalLM",
                                .model_type = "qwen2",
                                .layers = 2,
                                .hidden = 896,
                                .heads = 14,
                                .kv_heads = 2,
                                .head_dim = 64,
                                .ffn = 1216,
                                .vocabulary = 2000,
                                .max_positions = 512,
                                .tied_embeddings = true,
                                .qkv_bias = true,
                                .norm_epsilon = 1e-6,
                                .rope_theta = 1e6};

const struct model rack_wide = {.name = "wide",
                                .architecture = "LlamaForCausalLM",
                                .model_type = "llama",
                                .layers = 2,
                                .hidden = 1536,
                                .heads = 12,
                                .kv_heads = 4,
                                .head_dim = 128,
                                .ffn = 1504,
                                .vocabulary = 1000,
                                .max_positions = 512,
                                .norm_epsilon = 1e-5,
                                .rope_theta = 1e4};

const struct model rack_odd = {.name = "odd",
                               .architecture = "LlamaForCausalLM",
                               .model_type = "llama",
                               .layers = 1,
                               .hidden = 1300,
                               .heads = 4,
                               .kv_heads = 2,
                               .head_dim = 52,
                               .ffn = 1100,
                               .vocabulary = 777,
                               .max_positions = 512,
                               .norm_epsilon = 1e-5,
                               .rope_theta = 1e4};

const struct model rack_normed = {.name = "normed",
                                  .architecture = "Qwen3ForCausalLM",
                                  .model_type = "qwen3",
                                  .layers = 2,
                                  .hidden = 640,
                                  .heads = 16,
                                  .kv_heads = 4,
                                  .head_dim = 80,
                                  .ffn = 1216,
                                  .vocabulary = 1000,
                                  .max_positions = 512,
                                  .qk_norm = true,
                                  .norm_epsilon = 1e-6,
                                  .rope_theta = 1e6};

const struct model rack_varied = {.name = "varied",
                                  .architecture = "LlamaForCausalLM",
                                  .model_type = "llama",
                                  .layers = 3,
                                  .hidden = 1000,
                                  .heads = 8,
                                  .kv_heads = 4,
                                  .head_dim = 64,
                                  .ffn = 1504,
                                  .vocabulary = 1000,
                                  .max_positions = 512,
                                  .qkv_bias = true,
                                  .output_bias = true,
                                  .mlp_bias = true,
                                  .qk_norm = true,
                                  .sliding_window = 72,
                                  .full_layer = {2},
                                  .attention_sinks = true,
                                  .norm_epsilon = 1e-5,
                                  .rope_theta = 1e4};

const struct model rack_mixture = {.name = "mixture",
                                   .architecture = "Qwen3MoeForCausalLM",
                                   .model_type = "qwen3_moe",
                                   .layers = 2,
                                   .hidden = 1536,
                                   .heads = 8,
                                   .kv_heads = 4,
                                   .head_dim = 64,
                                   .vocabulary = 1000,
                                   .max_positions = 512,
                                   .qk_norm = true,
                                   .experts = 12,
                                   .experts_per_token = 5,
                                   .expert_ffn = 352,
                                   .shared_ffn = 480,
                                   .norm_epsilon = 1e-5,
                                   .rope_theta = 1e4};

const struct model rack_biased_mixture = {.name = "biased mixture",
                                          .architecture = "GptOssForCausalLM",
                                          .model_type = "gpt_oss",
                                          .layers = 2,
                                          .hidden = 640,
                                          .heads = 8,
                                          .kv_heads = 4,
                                          .head_dim = 64,
                                          .vocabulary = 1000,
                                          .max_positions = 512,
                                          .qkv_bias = true,
                                          .output_bias = true,
                                          .sliding_window = 72,
                                          .full_layer = {2},
                                          .attention_sinks = true,
                                          .experts = 5,
                                          .experts_per_token = 4,
                                          .expert_ffn = 800,
                                          .router_bias = true,
                                          .expert_bias = true,
                                          .normalise_experts = true,
                                          .clamped_gate = true,
                                          .gate_limit = 7.0,
                                          .gate_alpha = 1.702,
                                          .norm_epsilon = 1e-5,
                                          .rope_theta = 1e4};

const struct lpu_chip *rack_chip(void)
{
    static struct lpu_chip chip;
    if (chip.lanes)
        return &chip;
    struct scenario scenario;
    struct base_report report = {0};
    char *file = test_source_path("configs/small.cfg");
    CU_ASSERT_TRUE_FATAL(config_scenario_read(file, NULL, 0, &scenario, &report));
    chip = scenario.lpu_chip;
    config_scenario_release(&scenario);
    base_report_release(&report);
    free(file);
    return &chip;
}

struct model rack_shipped_model(const char *name)
{
    struct model model;
    struct base_report report = {0};
    char *path = base_format("configs/models/%s", name), *file = test_source_path(path);
    CU_ASSERT_TRUE_FATAL(model_read(file, &model, &report));
    base_report_release(&report);
    free(file);
    base_free(path);
    return model;
}

static int32_t or_else(int32_t value, int32_t missing)
{
    return value ? value : missing;
}

static void take_programs(struct rack *rack)
{
    rack->program = base_alloc((size_t)rack->topology.chips, sizeof *rack->program);
    for (int32_t c = 0; c < rack->topology.chips; c++)
        for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
            plan_program(rack->plan, phase, c, &rack->program[c][phase]);
}

void rack_compile(struct rack *rack, const struct rack_case *c)
{
    *rack = (struct rack){.machine = *rack_chip(),
                          .layout = {.racks = or_else(c->racks, 1),
                                     .nodes = or_else(c->nodes, 1),
                                     .cables_per_node_pair = c->cables,
                                     .chips_per_node = or_else(c->chips_per_node, 4),
                                     .chips_used = c->chips_used,
                                     .pipeline_stages = c->stages,
                                     .tensor_group = c->group,
                                     .split_o = c->split_o,
                                     .split_down = c->split_down},
                          .model = c->model ? *c->model : rack_shipped_model("tiny"),
                          .bucket = {.max_sequence = or_else(c->max_sequence, 256),
                                     .batch = or_else(c->batch, 1),
                                     .prefill_chunk = or_else(c->chunk, 32),
                                     .rungs = (c->rung[0] > 0) + (c->rung[1] > 0),
                                     .rung = {c->rung[0], c->rung[1]}},
                          .workload = {.prompt_tokens = or_else(c->prompt, 1),
                                       .decode_tokens = or_else(c->decode, 3)}};
    rack->machine.vectors_per_slice =
        or_else(c->vectors_per_slice, rack->machine.vectors_per_slice);
    CU_ASSERT_TRUE_FATAL(
        lpu_topology_build(&rack->topology, &rack->layout, &rack->machine, &rack->report));
    struct partition_input input = {.seats = c->seats,
                                    .chip = &rack->machine,
                                    .rack = &rack->layout,
                                    .topology = &rack->topology,
                                    .model = &rack->model,
                                    .bucket = &rack->bucket,
                                    .workload = &rack->workload};
    rack->plan = plan_compile(&input, &rack->report, &rack->status);
    if (rack->plan)
        take_programs(rack);
}

void rack_stop(struct rack *rack)
{
    for (int32_t c = 0; rack->chip && c < rack->topology.chips; c++)
        chip_destroy(rack->chip[c]);
    base_free(rack->chip);
    rack->chip = NULL;
}

void rack_release(struct rack *rack)
{
    rack_stop(rack);
    for (int32_t c = 0; rack->program && c < rack->topology.chips; c++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            program_release(&rack->program[c][phase]);
    base_free(rack->program);
    base_free(rack->expert);
    plan_release(rack->plan);
    lpu_topology_release(&rack->topology);
    base_report_release(&rack->report);
}

static void check_valid(struct rack *rack, const struct program *program)
{
    bool valid = program_is_valid(&rack->machine, program, &rack->report);
    CU_ASSERT_TRUE(valid);
    if (!valid)
        base_report_print(&rack->report, stderr);
    CU_ASSERT_TRUE_FATAL(valid);
}

static void put_lanes(void *context, int32_t tensor, int32_t sub, int32_t index, const float *lanes)
{
    const struct rack *rack = context;
    int32_t c = rack->loading;
    const struct chip_number where = {tensor, sub, index};
    chip_preload(rack->chip[c], &rack->program[c][PARTITION_DECODE], &where, lanes);
}

void rack_compute(struct rack *rack, enum chip_numerics numerics, const char *folder)
{
    struct model_weights *weights = model_weights_open(folder, &rack->model, &rack->report);
    rack->computes = true;
    if (!weights)
        base_report_print(&rack->report, stderr);
    CU_ASSERT_PTR_NOT_NULL_FATAL(weights);
    CU_ASSERT_TRUE_FATAL(chip_can_compute(&rack->machine, &rack->report));
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        if (!rack->chip[c])
            continue;
        struct image_input input = {.chip = &rack->machine,
                                    .model = &rack->model,
                                    .bucket = &rack->bucket,
                                    .weights = weights,
                                    .group = plan_group(rack->plan),
                                    .rank = c % plan_group(rack->plan),
                                    .columns = plan_columns(rack->plan),
                                    .int8 = numerics == CHIP_INT8};
        rack->loading = c;
        chip_compute_values(rack->chip[c], numerics);
        CU_ASSERT_TRUE_FATAL(image_write(&input, &rack->program[c][PARTITION_DECODE], put_lanes,
                                         rack, &rack->report));
    }
    model_weights_close(weights);
}

void rack_start(struct rack *rack)
{
    rack->chip = base_alloc((size_t)rack->topology.chips, sizeof(struct chip *));
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        const struct program *p = rack->program[c];
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            check_valid(rack, &p[phase]);
        if (!p[0].instructions && !p[1].instructions)
            continue;
        rack->chip[c] = chip_create(&rack->machine, &rack->topology, c);
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            if (p[phase].rows > 0)
                chip_load(rack->chip[c], &p[phase]);
    }
}

/* What left on the links of a chip; whether anything did. */
static bool hand_on_vectors(struct rack *rack, int32_t c)
{
    struct chip_vectors vectors;
    bool sent = false;
    for (int32_t link = 0; link < CHIP_LINKS; link++)
        while (chip_take_vectors(rack->chip[c], link, &vectors)) {
            if (!rack->chip[vectors.to_chip])
                continue;
            chip_deliver_vectors(rack->chip[vectors.to_chip], &vectors);
            sent = true;
        }
    return sent;
}

/* Runs a chip up to a cycle or as far as it gets and hands on what it sent; whether it sent or
 * ended. */
static bool advance(struct rack *rack, int32_t c, int64_t until, bool *done)
{
    size_t count;
    if (*done || !rack->chip[c])
        return false;
    *done = chip_run(rack->chip[c], until) == CHIP_DONE;
    const struct chip_message *m = chip_outbox(rack->chip[c], &count);
    for (size_t n = 0; n < count; n++)
        if (rack->chip[m[n].to_chip])
            chip_deliver(rack->chip[m[n].to_chip], &m[n]);
        else
            CU_FAIL("a message to a chip without a program");
    bool sent = hand_on_vectors(rack, c);
    chip_outbox_clear(rack->chip[c]);
    return *done || count > 0 || sent;
}

/* One that still waits though nobody moves; -1: none. */
static int32_t first_stuck(const struct rack *rack, const bool *done)
{
    for (int32_t c = 0; c < rack->topology.chips; c++)
        if (rack->chip[c] && !done[c])
            return c;
    return -1;
}

static void run_all(struct rack *rack, int64_t until)
{
    int32_t chips = rack->topology.chips, stuck = 0;
    bool *done = base_alloc((size_t)chips, sizeof *done);
    while (stuck >= 0) {
        bool moved = false;
        for (int32_t c = 0; c < chips; c++)
            moved = advance(rack, c, until, &done[c]) || moved;
        stuck = first_stuck(rack, done);
        if (stuck >= 0 && !moved)
            chip_give_up(rack->chip[stuck]);
    }
    base_free(done);
}

int64_t rack_step(struct rack *rack, enum partition_phase phase, int32_t position,
                  int32_t first_token)
{
    int32_t rows = rack->program[0][phase].rows;
    int32_t *token = base_alloc((size_t)rows, sizeof *token);
    for (int32_t r = 0; r < rows; r++)
        token[r] = (int32_t)(((int64_t)first_token + 37 * r) % rack->model.vocabulary);
    int64_t longest = rack_step_tokens(rack, phase, position, token);
    base_free(token);
    return longest;
}

/* `chosen` different experts of every row of every layer: which ones follows from `first`. */
static void choose_experts(struct rack *rack, int32_t rows, int32_t first)
{
    int32_t per_row = (int32_t)rack->model.experts_per_token;
    int32_t layers = (int32_t)rack->model.layers, experts = (int32_t)rack->model.experts;
    size_t all = (size_t)layers * (size_t)(rows * per_row);
    rack->expert = base_grow(rack->expert, &rack->expert_capacity, all, sizeof *rack->expert);
    for (size_t n = 0; n < all; n++)
        rack->expert[n] =
            (int32_t)(((size_t)first + 5 * (n / (size_t)per_row) + n) % (size_t)experts);
}

static bool begin_all(struct rack *rack, enum partition_phase phase, int64_t start,
                      const struct program_sequence *sequence, const int32_t *token)
{
    const struct program *any = &rack->program[0][phase];
    if (rack->model.experts)
        choose_experts(rack, any->rows, token[0] + sequence[0].position);
    struct program_runtime runtime = {.token = token,
                                      .tokens = any->rows,
                                      .expert = rack->expert,
                                      .expert_layers = (int32_t)rack->model.layers};
    for (int32_t s = 0; s < any->sequences; s++)
        runtime.sequence[s] = sequence[s];
    for (int32_t c = 0; c < rack->topology.chips; c++)
        if (rack->chip[c] &&
            !chip_begin(rack->chip[c], &rack->program[c][phase], &runtime, start, &rack->report))
            return false;
    return true;
}

/* Ends the step that is to end first; the executed length. */
static int64_t finish_all(struct rack *rack)
{
    int64_t longest = 0;
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        if (!rack->chip[c])
            continue;
        struct chip_statistics s = chip_finish(rack->chip[c]);
        longest = s.executed_length_cycles > longest ? s.executed_length_cycles : longest;
    }
    return longest;
}

int64_t rack_step_sequences(struct rack *rack, enum partition_phase phase,
                            const struct program_sequence *sequence, const int32_t *token)
{
    CU_ASSERT_TRUE_FATAL(begin_all(rack, phase, 0, sequence, token));
    run_all(rack, INT64_MAX);
    return finish_all(rack);
}

/* Every sequence at `position`, in the cache of its number. */
static void stand_at(struct program_sequence sequence[PROGRAM_SEQUENCES], int32_t position)
{
    for (int32_t s = 0; s < PROGRAM_SEQUENCES; s++)
        sequence[s] = (struct program_sequence){position, s};
}

int64_t rack_step_tokens(struct rack *rack, enum partition_phase phase, int32_t position,
                         const int32_t *token)
{
    struct program_sequence sequence[PROGRAM_SEQUENCES];
    stand_at(sequence, position);
    return rack_step_sequences(rack, phase, sequence, token);
}

bool rack_try_step(struct rack *rack, enum partition_phase phase, int32_t position,
                   const int32_t *token)
{
    struct program_sequence sequence[PROGRAM_SEQUENCES];
    stand_at(sequence, position);
    if (!begin_all(rack, phase, 0, sequence, token))
        return false;
    run_all(rack, INT64_MAX);
    finish_all(rack);
    return true;
}

int64_t rack_latency(const struct rack *rack, enum partition_phase phase)
{
    return plan_length_cycles(rack->plan, phase) + rack->machine.mem_write_skew_cycles;
}

static int64_t end_of(const struct rack *rack, const struct rack_start *s)
{
    return s->cycle + rack_latency(rack, s->phase);
}

/* The begun step that ends first, of those that have not; NULL: none. */
static struct rack_start *first_end(const struct rack *rack, struct rack_start *start,
                                    const bool *ended, int32_t begun)
{
    struct rack_start *first = NULL;
    for (int32_t n = 0; n < begun; n++)
        if (!ended[n] && (!first || end_of(rack, &start[n]) < end_of(rack, first)))
            first = &start[n];
    return first;
}

static void begin_one(struct rack *rack, const struct rack_start *s, int32_t *drawn)
{
    struct program_sequence at[PROGRAM_SEQUENCES];
    for (int32_t q = 0; q < rack->program[0][s->phase].sequences; q++)
        at[q] =
            (struct program_sequence){s->positions ? s->positions[q] : s->position, s->cache + q};
    for (int32_t r = 0; r < rack->program[0][s->phase].rows; r++)
        drawn[r] = (int32_t)((s->position + 37 * r) % rack->model.vocabulary);
    CU_ASSERT_TRUE_FATAL(begin_all(rack, s->phase, s->cycle, at, s->token ? s->token : drawn));
}

static void take_given(const struct rack *rack, struct rack_start *end)
{
    for (int32_t q = 0; q < rack->bucket.batch; q++)
        end->gives[q] =
            rack->computes && end->phase != PARTITION_PREFILL ? rack_token_of(rack, q) : -1;
}

void rack_overlap(struct rack *rack, struct rack_start *start, int32_t count)
{
    int32_t begun = 0, finished = 0, rows = rack->program[0][PARTITION_PREFILL].rows;
    rows = rack->bucket.batch > rows ? rack->bucket.batch : rows;
    bool *ended = base_alloc((size_t)count, sizeof *ended);
    int32_t *drawn = base_alloc((size_t)(count * rows), sizeof *drawn);
    while (finished < count) {
        struct rack_start *end = first_end(rack, start, ended, begun);
        bool begins = begun < count && (!end || start[begun].cycle < end_of(rack, end));
        run_all(rack, begins ? start[begun].cycle : end_of(rack, end));
        if (begins) {
            begin_one(rack, &start[begun], drawn + begun * rows);
            begun++;
            continue;
        }
        CU_ASSERT_EQUAL(finish_all(rack), plan_length_cycles(rack->plan, end->phase));
        ended[end - start] = true;
        take_given(rack, end);
        finished++;
    }
    base_free(ended);
    base_free(drawn);
}

int32_t rack_token_of(const struct rack *rack, int32_t sequence)
{
    return chip_token(rack->chip[0], &rack->program[0][PARTITION_DECODE], sequence);
}

int32_t rack_token(const struct rack *rack)
{
    return rack_token_of(rack, 0);
}

int32_t rack_prompt(struct rack *rack)
{
    int32_t rows = plan_prefill_rows(rack->plan), steps = 0;
    int32_t *token = base_alloc((size_t)rows, sizeof *token);
    for (int32_t s = 0; s < rack->bucket.batch; s++)
        for (int32_t row = 0; row < rack->workload.prompt_tokens - 1; row += rows, steps++) {
            for (int32_t r = 0; r < rows; r++)
                token[r] = (int32_t)((5 + s + row + 37 * r) % rack->model.vocabulary);
            const struct program_sequence at = {row, s};
            CU_ASSERT_EQUAL(rack_step_sequences(rack, PARTITION_PREFILL, &at, token),
                            plan_length_cycles(rack->plan, PARTITION_PREFILL));
        }
    base_free(token);
    return steps;
}

void rack_replayed(struct rack *rack, int32_t steps, int32_t position)
{
    struct program_sequence sequence[PROGRAM_SEQUENCES];
    stand_at(sequence, position);
    for (int32_t c = 0; c < rack->topology.chips; c++)
        if (rack->chip[c])
            chip_replayed(rack->chip[c], steps, sequence, rack->bucket.batch);
}

static void print_violation(const struct chip_violation *v)
{
    char *text = chip_violation_text(v);
    fprintf(stderr, "  %s\n", text);
    base_free(text);
}

int64_t rack_count_violations(const struct rack *rack)
{
    int64_t sum = 0, total;
    size_t kept;
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        if (!rack->chip[c])
            continue;
        chip_violations(rack->chip[c], &kept, &total);
        sum += total;
    }
    return sum;
}

int64_t rack_overlap_violations(struct rack *rack, struct rack_start *start, int32_t count)
{
    rack_stop(rack);
    rack_start(rack);
    rack_overlap(rack, start, count);
    return rack_count_violations(rack);
}

int64_t rack_violations(const struct rack *rack)
{
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        size_t kept = 0;
        int64_t total;
        const struct chip_violation *v =
            rack->chip[c] ? chip_violations(rack->chip[c], &kept, &total) : NULL;
        for (size_t n = 0; n < kept && n < PRINTED; n++)
            print_violation(&v[n]);
    }
    return rack_count_violations(rack);
}

bool rack_reported(const struct rack *rack, enum chip_rule rule)
{
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        size_t kept = 0;
        int64_t total;
        const struct chip_violation *v =
            rack->chip[c] ? chip_violations(rack->chip[c], &kept, &total) : NULL;
        for (size_t n = 0; n < kept; n++)
            if (v[n].rule == rule)
                return true;
    }
    rack_violations(rack);
    return false;
}
