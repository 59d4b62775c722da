/* SPDX-License-Identifier: BSD-3-Clause */
/* One field of one instruction changed at random: the contract stops it, or it changes nothing.
 *
 * Small models are compiled and computed. What the contract lets pass is run with numbers and held
 * against the program as it was: memory of all chips after every step, and tokens. Only what is
 * arithmetic, which the contract does not know, may change the result and pass. */
#include "mutate.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chip/idle.h"
#include "little_model.h"
#include "partition/rack.h"

/* Of every test run, and with LPUSIM_LONG; at least a 240th of them are of each field. */
enum { MUTANTS = 3000, LONG_MUTANTS = 12000, FIELD_SHARE = 240 };

enum { STEPS = 3, CHUNK = 32, MOST_CHIPS = 4, SHOWN = 40, SEED = 2025 };

/* Numbers are computed of every so manieth mutant that the contract has found, too: no crash. */
enum { FOUND_COMPUTED = 64 };

static const struct model plain = {.name = "mutants-plain",
                                   .architecture = "LlamaForCausalLM",
                                   .model_type = "llama",
                                   .layers = 2,
                                   .hidden = 48,
                                   .heads = 4,
                                   .kv_heads = 2,
                                   .head_dim = 8,
                                   .ffn = 64,
                                   .vocabulary = 44,
                                   .max_positions = 64,
                                   .norm_epsilon = 1e-5,
                                   .rope_theta = 1e4};

/* Two tiles of lanes in the hidden rows and in the FFN. */
static const struct model wide = {.name = "mutants-wide",
                                  .architecture = "Qwen2ForCausalLM",
                                  .model_type = "qwen2",
                                  .layers = 1,
                                  .hidden = 336,
                                  .heads = 2,
                                  .kv_heads = 2,
                                  .head_dim = 16,
                                  .ffn = 672,
                                  .vocabulary = 24,
                                  .max_positions = 64,
                                  .tied_embeddings = true,
                                  .qkv_bias = true,
                                  .norm_epsilon = 1e-5,
                                  .rope_theta = 1e4};

static const struct model mixed = {.name = "mutants-mixed",
                                   .architecture = "Qwen3MoeForCausalLM",
                                   .model_type = "qwen3_moe",
                                   .layers = 1,
                                   .hidden = 48,
                                   .heads = 4,
                                   .kv_heads = 2,
                                   .head_dim = 8,
                                   .vocabulary = 24,
                                   .max_positions = 64,
                                   .qk_norm = true,
                                   .sliding_window = 20,
                                   .experts = 5,
                                   .experts_per_token = 2,
                                   .expert_ffn = 32,
                                   .normalise_experts = true,
                                   .norm_epsilon = 1e-5,
                                   .rope_theta = 1e4};

struct subject {
    struct rack_case rack_case;
    enum chip_numerics numerics;
};

static const struct subject subjects[] = {
    {{.name = "group of 2",
      .model = &plain,
      .stages = 1,
      .group = 2,
      .split_o = LPU_SPLIT_ROWS,
      .split_down = LPU_SPLIT_ROWS},
     CHIP_INT8},
    {{.name = "2 stages", .model = &plain, .stages = 2, .group = 1}, CHIP_FP32},
    {{.name = "wide", .model = &wide, .stages = 1, .group = 1}, CHIP_INT8},
    {{.name = "wide group of 2, by columns",
      .model = &wide,
      .stages = 1,
      .group = 2,
      .split_o = LPU_SPLIT_COLUMNS,
      .split_down = LPU_SPLIT_COLUMNS},
     CHIP_FP32},
    {{.name = "mixture", .model = &mixed, .stages = 1, .group = 1}, CHIP_INT8}};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

/* What can be seen of a run. */
struct outcome {
    bool began;
    int64_t violations;
    uint64_t digest[STEPS][MOST_CHIPS];
    int32_t token[STEPS];
};

/* A subject compiled, and what its programs do as they are. */
struct patient {
    struct rack rack;
    struct outcome sound;
    char *folder;
};

struct field {
    const char *name;
    size_t offset, bytes;
    bool arithmetic; /* of no concern to the contract: it changes the result, or nothing */
};

#define FIELD(type, name, arithmetic)                                                              \
    {                                                                                              \
#name, offsetof(struct type, name), sizeof(((struct type *)0)->name), arithmetic           \
    }
#define PART(type, name, k)                                                                        \
    {                                                                                              \
#name "[" #k "]", offsetof(struct type, name) + k * sizeof(int32_t), sizeof(int32_t),      \
            false                                                                                  \
    }

static const struct field of_instruction[] = {
    FIELD(program_instruction, cycle, false),    FIELD(program_instruction, queue, false),
    FIELD(program_instruction, opcode, false),   FIELD(program_instruction, function, true),
    FIELD(program_instruction, flags, false),    FIELD(program_instruction, address_mode, false),
    FIELD(program_instruction, inputs, false),   FIELD(program_instruction, outputs, false),
    PART(program_instruction, count, 0),         PART(program_instruction, count, 1),
    PART(program_instruction, interval, 0),      PART(program_instruction, interval, 1),
    FIELD(program_instruction, op, false),       FIELD(program_instruction, operand, false),
    FIELD(program_instruction, address, false),  PART(program_instruction, stride, 0),
    PART(program_instruction, stride, 1),        FIELD(program_instruction, limit, false),
    FIELD(program_instruction, argument, false), FIELD(program_instruction, argument_stride, false),
    FIELD(program_instruction, low, false),      FIELD(program_instruction, width, false),
    FIELD(program_instruction, immediate, true), FIELD(program_instruction, mark, false),
    FIELD(program_instruction, sequence, false)};
static const struct field of_operand[] = {
    FIELD(program_operand, kind, false),   FIELD(program_operand, direction, false),
    FIELD(program_operand, stream, false), FIELD(program_operand, streams, false),
    FIELD(program_operand, sub, false),    FIELD(program_operand, index_mode, false),
    FIELD(program_operand, dtype, false),  FIELD(program_operand, tensor, false),
    FIELD(program_operand, index, false),  PART(program_operand, stride, 0),
    PART(program_operand, stride, 1),      FIELD(program_operand, mark, false)};
enum {
    OF_INSTRUCTION = sizeof of_instruction / sizeof of_instruction[0],
    OF_OPERAND = sizeof of_operand / sizeof of_operand[0],
    FIELDS = OF_INSTRUCTION + OF_OPERAND
};

static uint64_t state;

static uint64_t draw(uint64_t n)
{
    return mutate_draw(&state, n);
}

/* Near, far, what another instruction has, or one of the numbers that break programs. */
static int64_t mutated(int64_t value, int64_t other, uint64_t bits)
{
    switch (draw(8)) {
    case 0:
        return mutate_evil(&state);
    case 1:
        return mutate_bit(&state, value, bits);
    case 2:
    case 3:
    case 4:
        return other;
    default:
        return mutate_near(&state, value);
    }
}

/* A field changed. Instructions are in order by queue and cycle again, as validity wants them. */
struct mutation {
    const struct field *field;
    int number; /* of the field, in the table of scores */
    int32_t chip;
    enum partition_phase phase;
    struct program_instruction instruction; /* as it was */
    int32_t operand;                        /* -1: the instruction itself */
    int64_t before, after;
    struct program *program, sound; /* the patient's, and what it was */
};

static int64_t value_of(const void *entry, const struct field *field)
{
    int64_t value = 0;
    memcpy(&value, (const char *)entry + field->offset, field->bytes);
    return value;
}

static void *copy_of(const void *table, size_t entries, size_t bytes)
{
    void *copy = base_alloc(entries, bytes);
    return memcpy(copy, table, entries * bytes);
}

static void take_copy(struct mutation *m, struct program *p)
{
    m->program = p;
    m->sound = *p;
    p->instruction = copy_of(p->instruction, p->instructions, sizeof *p->instruction);
    p->operand = copy_of(p->operand, p->operands, sizeof *p->operand);
}

static void change_back(const struct mutation *m)
{
    base_free(m->program->instruction);
    base_free(m->program->operand);
    *m->program = m->sound;
}

static bool is_behind(const struct program_instruction *a, const struct program_instruction *b)
{
    return a->queue != b->queue ? a->queue > b->queue : a->cycle > b->cycle;
}

/* Moves instruction n to where it belongs. */
static void put_in_order(struct program *p, size_t n)
{
    struct program_instruction moved = p->instruction[n];
    for (; n > 0 && is_behind(&p->instruction[n - 1], &moved); n--)
        p->instruction[n] = p->instruction[n - 1];
    for (; n + 1 < p->instructions && is_behind(&moved, &p->instruction[n + 1]); n++)
        p->instruction[n] = p->instruction[n + 1];
    p->instruction[n] = moved;
}

static void change(struct mutation *m, void *entry, const void *other)
{
    m->before = m->after = value_of(entry, m->field);
    uint64_t bits = m->field->bytes > 4 ? 32 : 8 * m->field->bytes;
    while (memcmp(&m->after, &m->before, m->field->bytes) == 0)
        m->after = mutated(m->before, value_of(other, m->field), bits);
    memcpy((char *)entry + m->field->offset, &m->after, m->field->bytes);
    m->after = value_of(entry, m->field);
}

/* Instructions by opcode, memory accesses by address mode as well: each kind is as likely. */
static int32_t kind_of(const struct program_instruction *i)
{
    return i->address_mode ? PROGRAM_OPCODES + i->address_mode : i->opcode;
}

enum { KINDS = PROGRAM_OPCODES + PROGRAM_ADDRESS_TOKEN + 1, PATIENCE = 10000 };

static const struct program_instruction *draw_instruction(const struct program *p)
{
    int32_t kind = (int32_t)draw(KINDS);
    for (int n = 0; n < PATIENCE; n++) {
        const struct program_instruction *i = &p->instruction[draw(p->instructions)];
        if (kind_of(i) == kind)
            return i;
    }
    return draw_instruction(p);
}

/* Most mutants of a field that few instructions use are of those that do; others are refused. */
static bool is_wanted(const struct field *field, const char *entry)
{
    static const char *const rare[] = {"limit",        "argument", "argument_stride",
                                       "low",          "width",    "immediate",
                                       "address_mode", "mark",     NULL};
    static const int64_t zero;
    return !idle_is_one_of(field->name, rare) ||
           memcmp(entry + field->offset, &zero, field->bytes) != 0 || draw(8) == 0;
}

/* An instruction, or an operand of it, in which the field has a meaning. */
static size_t draw_entry(struct mutation *m, const struct program *p)
{
    const struct program_instruction *i = NULL;
    const struct program_operand *o = NULL;
    do {
        i = draw_instruction(p);
        m->operand =
            m->number < OF_INSTRUCTION ? -1 : (int32_t)draw((uint64_t)i->inputs + i->outputs);
        o = m->operand < 0 ? NULL : &p->operand[i->operand + (uint32_t)m->operand];
    } while (idle_field(i, o, m->field->name) || (!o && !is_wanted(m->field, (const char *)i)));
    return (size_t)(i - p->instruction);
}

/* Changes one field of one instruction or operand. */
static struct mutation mutate(struct patient *patient)
{
    struct mutation m = {.number = (int)draw(FIELDS)};
    m.field = m.number < OF_INSTRUCTION ? &of_instruction[m.number]
                                        : &of_operand[m.number - OF_INSTRUCTION];
    m.chip = (int32_t)draw((uint64_t)patient->rack.topology.chips);
    m.phase = (enum partition_phase)draw(PARTITION_RUNG);
    struct program *p = &patient->rack.program[m.chip][m.phase];
    take_copy(&m, p);
    size_t n = draw_entry(&m, p);
    struct program_instruction *i = &p->instruction[n];
    m.instruction = *i;
    if (m.operand < 0)
        change(&m, i, draw_instruction(p));
    else
        change(&m, &p->operand[i->operand + (uint32_t)m.operand], &p->operand[draw(p->operands)]);
    put_in_order(p, n);
    return m;
}

static void look(const struct rack *rack, struct outcome *outcome, int step)
{
    for (int32_t c = 0; c < rack->topology.chips; c++)
        outcome->digest[step][c] = chip_memory_digest(rack->chip[c]);
    outcome->token[step] = step ? rack_token(rack) : -1;
}

/* A prefill, and decode steps in the last row of the western tile and in the first of the eastern.
 * Without numbers it ends with the step that breaks a promise. */
static struct outcome run(struct patient *patient, const struct subject *subject, bool computes)
{
    struct rack *rack = &patient->rack;
    struct outcome outcome = {.began = true};
    int32_t token[CHUNK];
    for (int32_t r = 0; r < CHUNK; r++)
        token[r] = (5 + 37 * r) % (int32_t)rack->model.vocabulary;
    rack_start(rack);
    if (computes)
        rack_compute(rack, subject->numerics, patient->folder);
    for (int step = 0; step < STEPS && outcome.began && (computes || !outcome.violations); step++) {
        outcome.began = rack_try_step(rack, step ? PARTITION_DECODE : PARTITION_PREFILL,
                                      step ? CHUNK - 2 + step : 0, token);
        if (computes && outcome.began)
            look(rack, &outcome, step);
        outcome.violations = rack_count_violations(rack);
    }
    rack_stop(rack);
    return outcome;
}

static void admit(struct patient *patient, const struct subject *subject)
{
    struct rack_case c = subject->rack_case;
    c.nodes = 1;
    c.chips_per_node = c.stages * c.group;
    c.max_sequence = 2 * CHUNK;
    c.chunk = CHUNK;
    c.prompt = CHUNK + 1;
    rack_compile(&patient->rack, &c);
    CU_ASSERT_PTR_NOT_NULL_FATAL(patient->rack.plan);
    CU_ASSERT_EQUAL_FATAL(plan_prefill_rows(patient->rack.plan), CHUNK);
    patient->folder = little_model_write(c.model);
    patient->sound = run(patient, subject, true);
    CU_ASSERT_TRUE_FATAL(patient->sound.began && patient->sound.violations == 0);
}

static void discharge(struct patient *patient)
{
    rack_release(&patient->rack);
    little_model_remove(patient->folder);
}

enum fate { REFUSED, CONTRACT, SAME, TOLD, FATES };
static const char *const fate_name[FATES] = {"refused", "contract", "same", "told"};

static bool is_valid(const struct patient *patient, const struct mutation *m)
{
    struct base_report report = {0};
    bool valid = program_is_valid(&patient->rack.machine, &patient->rack.program[m->chip][m->phase],
                                  &report);
    base_report_release(&report);
    return valid;
}

static bool is_same(const struct outcome *a, const struct outcome *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0 &&
           memcmp(a->token, b->token, sizeof a->token) == 0;
}

static enum fate judge(struct patient *patient, const struct subject *subject,
                       const struct mutation *m, bool always)
{
    if (!is_valid(patient, m))
        return REFUSED;
    struct outcome outcome = run(patient, subject, false);
    if (!outcome.began)
        return REFUSED;
    if (outcome.violations == 0 || always)
        outcome = run(patient, subject, true);
    if (outcome.violations)
        return CONTRACT;
    return is_same(&outcome, &patient->sound) ? SAME : TOLD;
}

/* Whether the contract by design knows nothing of the field: the numbers tell. */
static bool is_arithmetic(const struct mutation *m)
{
    int32_t opcode = m->instruction.opcode;
    bool permutes = opcode == PROGRAM_SXM_PERMUTE, alu = opcode == PROGRAM_VXM;
    const char *name = m->field->name;
    if (m->field->arithmetic)
        return true;
    if (strcmp(name, "argument") == 0)
        return permutes || alu;
    if (strcmp(name, "low") == 0)
        return permutes || opcode == PROGRAM_MXM_COMPUTE;
    return permutes && (strcmp(name, "argument_stride") == 0 || strcmp(name, "width") == 0);
}

static void show(const struct mutation *m, const struct subject *subject, enum fate fate)
{
    printf("%s: %s, chip %d, phase %d, %s on queue %d at %lld, operand %d of %d+%d, %s: %lld, not "
           "%lld (mode %d, flags %d, counts %d, %d)\n",
           fate_name[fate], subject->rack_case.name, m->chip, m->phase,
           program_opcode_name(m->instruction.opcode), m->instruction.queue,
           (long long)m->instruction.cycle, m->operand, m->instruction.inputs,
           m->instruction.outputs, m->field->name, (long long)m->after, (long long)m->before,
           m->instruction.address_mode, m->instruction.flags, m->instruction.count[0],
           m->instruction.count[1]);
}

static void print_scores(int32_t (*score)[FATES])
{
    int32_t total[FATES] = {0};
    printf("%-26s", "field");
    for (int fate = 0; fate < FATES; fate++)
        printf(" %8s", fate_name[fate]);
    printf("\n");
    for (int f = 0; f < FIELDS; f++) {
        bool operand = f >= OF_INSTRUCTION;
        printf("%-11s %-14s", operand ? "operand" : "instruction",
               (operand ? of_operand[f - OF_INSTRUCTION] : of_instruction[f]).name);
        for (int fate = 0; fate < FATES; fate++) {
            printf(" %8d", score[f][fate]);
            total[fate] += score[f][fate];
        }
        printf("\n");
    }
    printf("%-26s %8d %8d %8d %8d\n", "all", total[0], total[1], total[2], total[3]);
}

static int number_from(const char *variable, int missing)
{
    const char *text = getenv(variable);
    return text ? atoi(text) : missing;
}

static void every_field_is_read_and_only_arithmetic_passes_the_contract(void)
{
    struct patient patient[SUBJECTS];
    int32_t score[FIELDS][FATES] = {{0}}, escapes = 0,
            wanted = number_from("LPUSIM_MUTANTS", test_is_long() ? LONG_MUTANTS : MUTANTS);
    int computed = number_from("LPUSIM_MUTANTS_COMPUTED", FOUND_COMPUTED);
    state = (uint64_t)number_from("LPUSIM_MUTANTS_SEED", SEED);
    for (int s = 0; s < SUBJECTS; s++)
        admit(&patient[s], &subjects[s]);
    for (int n = 0; n < wanted; n++) {
        int s = n % SUBJECTS;
        struct mutation m = mutate(&patient[s]);
        enum fate fate = judge(&patient[s], &subjects[s], &m, n / SUBJECTS % computed == 0);
        change_back(&m);
        score[m.number][fate]++;
        bool escaped = fate == TOLD && !is_arithmetic(&m);
        escapes += escaped;
        if ((escaped && escapes <= SHOWN) || getenv("LPUSIM_MUTANTS_SHOW"))
            show(&m, &subjects[s], fate);
    }
    print_scores(score);
    CU_ASSERT_EQUAL(escapes, 0);
    for (int f = 0; f < FIELDS && wanted >= MUTANTS; f++)
        CU_ASSERT_TRUE(score[f][0] + score[f][1] + score[f][2] + score[f][3] >=
                       wanted / FIELD_SHARE);
    for (int s = 0; s < SUBJECTS; s++)
        discharge(&patient[s]);
}

TEST_MAIN("values.mutants", TEST(every_field_is_read_and_only_arithmetic_passes_the_contract))
