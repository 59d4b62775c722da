/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles a model for a small rack and runs it, its tokens given; writes the logits of every
 * decode step:
 *
 *   logits FOLDER FILE STAGES GROUP BUCKET VECTORS COLUMNS IDS RUN...
 *
 * VECTORS are those of a slice, 0: the chip's. COLUMNS names the matrices that are split by them:
 * none, o, down or o,down. IDS is 1,403,407. A RUN is fp32:PROMPT:TOKENS or
 * int8:PROMPT:TOKENS: of the first TOKENS ids, the first PROMPT but the last go through prefill
 * passes, the rest one by one; no later run has a longer prompt than the first. Up to 8 chips are
 * one node; more are a node a stage. FILE gets float32 [decode steps, vocabulary] of one run after
 * the other in this machine's order of bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../partition/rack.h"
#include "base/memory.h"
#include "config/ids.h"
#include "model/reference.h"
#include "test.h"

enum { FOLDER = 1, FILE_NAME, STAGES, GROUP, BUCKET, VECTORS, COLUMNS, IDS, RUNS };
enum { NODE_CHIPS = 8 };

static char **word; /* NULL behind the last */

/* What a RUN says. */
struct run {
    enum chip_numerics numerics;
    int32_t prompt, tokens;
};

struct chip_of_rack {
    struct rack *rack;
    int32_t chip;
};

static void get_lanes(void *context, int32_t tensor, int32_t sub, int32_t index, float *lanes)
{
    const struct chip_of_rack *own = context;
    const struct chip_number where = {tensor, sub, index};
    chip_peek(own->rack->chip[own->chip], &own->rack->program[own->chip][PARTITION_DECODE], &where,
              lanes);
}

/* Logits of the whole vocabulary, padded to full shares; NULL: no chip has any. */
static float *read_logits(struct rack *rack)
{
    struct image_input input = {.chip = &rack->machine,
                                .model = &rack->model,
                                .bucket = &rack->bucket,
                                .group = plan_group(rack->plan)};
    float *all = NULL;
    size_t count = 0, capacity = 0;
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        struct chip_of_rack own = {rack, c};
        const struct program *program = &rack->program[c][PARTITION_DECODE];
        int32_t share =
            rack->chip[c] ? image_read_logits(&input, program, get_lanes, &own, 0, NULL) : 0;
        if (share == 0)
            continue;
        all = base_grow(all, &capacity, count + (size_t)share, sizeof *all);
        image_read_logits(&input, program, get_lanes, &own, 0, all + count);
        count += (size_t)share;
    }
    CU_ASSERT_FATAL(count >= (size_t)rack->model.vocabulary);
    return all;
}

static void decode(struct rack *rack, int32_t position, const int32_t *token, FILE *file)
{
    int64_t length = rack_step_tokens(rack, PARTITION_DECODE, position, token);
    CU_ASSERT_EQUAL(length, plan_length_cycles(rack->plan, PARTITION_DECODE));
    size_t vocabulary = (size_t)rack->model.vocabulary;
    float *logit = read_logits(rack);
    CU_ASSERT_EQUAL(rack_token(rack), model_reference_choice(logit, rack->model.vocabulary));
    CU_ASSERT_EQUAL(fwrite(logit, sizeof *logit, vocabulary, file), vocabulary);
    base_free(logit);
}

/* Tokens [0, end) in passes; rows beyond them take token 0. */
static void prefill(struct rack *rack, const int32_t *token, int32_t end)
{
    int32_t rows = plan_prefill_rows(rack->plan);
    int32_t *row = base_alloc((size_t)rows, sizeof *row);
    for (int32_t first = 0; first < end; first += rows) {
        for (int32_t r = 0; r < rows; r++)
            row[r] = first + r < end ? token[first + r] : 0;
        rack_step_tokens(rack, PARTITION_PREFILL, first, row);
    }
    base_free(row);
}

static struct run parse_run(const char *text)
{
    char numerics[5];
    struct run run;
    CU_ASSERT_EQUAL_FATAL(sscanf(text, "%4[^:]:%d:%d", numerics, &run.prompt, &run.tokens), 3);
    run.numerics = strcmp(numerics, "int8") ? CHIP_FP32 : CHIP_INT8;
    return run;
}

static void execute(struct rack *rack, const struct run *run, const int32_t *token, FILE *file)
{
    rack_start(rack);
    rack_compute(rack, run->numerics, word[FOLDER]);
    prefill(rack, token, run->prompt - 1);
    for (int32_t p = run->prompt - 1; p < run->tokens; p++)
        decode(rack, p, token + p, file);
    CU_ASSERT_EQUAL(rack_violations(rack), 0);
    rack_stop(rack);
}

static void execute_all(struct rack *rack, const int32_t *token, int32_t tokens)
{
    FILE *file = fopen(word[FILE_NAME], "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (char **text = word + RUNS; *text; text++) {
        struct run run = parse_run(*text);
        CU_ASSERT_TRUE_FATAL(run.prompt >= 1 && run.prompt <= rack->workload.prompt_tokens);
        CU_ASSERT_TRUE_FATAL(run.prompt <= run.tokens && run.tokens <= tokens);
        execute(rack, &run, token, file);
    }
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static enum lpu_split split_of(const char *matrix)
{
    const char *found = strstr(word[COLUMNS], matrix);
    bool whole =
        found && (found == word[COLUMNS] || found[-1] == ',') && strchr(",", found[strlen(matrix)]);
    return whole ? LPU_SPLIT_COLUMNS : LPU_SPLIT_ROWS;
}

static void logits_are_written(void)
{
    struct model model;
    struct rack rack;
    struct base_report report = {0};
    int32_t *token, tokens;
    CU_ASSERT_TRUE_FATAL(model_read(word[FOLDER], &model, &report));
    CU_ASSERT_TRUE_FATAL(config_ids_parse("IDS", word[IDS], &token, &tokens, &report));
    int32_t stages = atoi(word[STAGES]), group = atoi(word[GROUP]);
    bool one_node = stages * group <= NODE_CHIPS;
    const struct rack_case c = {.model = &model,
                                .stages = stages,
                                .group = group,
                                .nodes = one_node ? 1 : stages,
                                .chips_per_node = one_node ? stages * group : group,
                                .max_sequence = atoi(word[BUCKET]),
                                .prompt = parse_run(word[RUNS]).prompt,
                                .vectors_per_slice = atoi(word[VECTORS]),
                                .split_o = split_of("o"),
                                .split_down = split_of("down")};
    rack_compile(&rack, &c);
    base_report_print(&rack.report, stderr);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    execute_all(&rack, token, tokens);
    rack_release(&rack);
    base_free(token);
}

int main(int count, char **words)
{
    static const struct test_case cases[] = {TEST(logits_are_written)};
    word = words;
    if (count > RUNS)
        return test_run("logits", cases, 1);
    fputs("usage: logits FOLDER FILE STAGES GROUP BUCKET VECTORS COLUMNS IDS RUN...\n", stderr);
    return 2;
}
