/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a model on a small rack, its tokens given, and writes the logits of every decode step:
 *
 *   logits FOLDER FILE STAGES GROUP BUCKET fp32|int8 PROMPT IDS VECTORS
 *
 * VECTORS are those of a slice, 0: the chip's. IDS is 1,403,407. The first PROMPT of them but the
 * last go through prefill passes, the rest one by one. Up to 8 chips are one node; more are a node
 * a stage. FILE gets float32 [decode steps, vocabulary] in this machine's order of bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../partition/rack.h"
#include "base/memory.h"
#include "config/ids.h"
#include "model/reference.h"
#include "test.h"

enum { FOLDER = 1, FILE_NAME, STAGES, GROUP, BUCKET, NUMERICS, PROMPT, IDS, VECTORS, WORDS };
enum { NODE_CHIPS = 8 };

static char **word;

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

static void run(struct rack *rack, const int32_t *token, int32_t tokens)
{
    FILE *file = fopen(word[FILE_NAME], "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    rack_start(rack);
    rack_compute(rack, strcmp(word[NUMERICS], "int8") ? CHIP_FP32 : CHIP_INT8, word[FOLDER]);
    int32_t given = rack->workload.prompt_tokens - 1;
    prefill(rack, token, given);
    for (int32_t p = given; p < tokens; p++)
        decode(rack, p, token + p, file);
    CU_ASSERT_EQUAL(rack_violations(rack), 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
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
                                .prompt = atoi(word[PROMPT]),
                                .vectors_per_slice = atoi(word[VECTORS])};
    rack_compile(&rack, &c);
    base_report_print(&rack.report, stderr);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    run(&rack, token, tokens);
    rack_release(&rack);
    base_free(token);
}

int main(int count, char **words)
{
    static const struct test_case cases[] = {TEST(logits_are_written)};
    word = words;
    if (count == WORDS)
        return test_run("logits", cases, 1);
    fputs("usage: logits FOLDER FILE STAGES GROUP BUCKET fp32|int8 PROMPT IDS VECTORS\n", stderr);
    return 2;
}
