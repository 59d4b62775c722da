/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequences that share the pipeline compute what each computes alone, to the bit. */
#include <string.h>

#include "base/memory.h"
#include "little_model.h"
#include "partition/interval.h"
#include "partition/rack.h"
#include "test.h"

enum { SEQUENCES = 3, TOKENS = 4, PASS = 32, STEPS = SEQUENCES * (TOKENS + 1) };

static const struct model plain = {.name = "in-flight",
                                   .architecture = "LlamaForCausalLM",
                                   .model_type = "llama",
                                   .layers = 2,
                                   .hidden = 128,
                                   .heads = 4,
                                   .kv_heads = 2,
                                   .head_dim = 32,
                                   .ffn = 256,
                                   .vocabulary = 200,
                                   .max_positions = 64,
                                   .norm_epsilon = 1e-5,
                                   .rope_theta = 1e4};

static const struct rack_case pipeline = {.name = "two stages",
                                          .model = &plain,
                                          .stages = 2,
                                          .group = 2,
                                          .max_sequence = 2 * PASS,
                                          .chunk = PASS,
                                          .prompt = PASS + 1,
                                          .seats = SEQUENCES};

struct trial {
    struct rack rack;
    char *folder;
    int32_t prompt[SEQUENCES][PASS + 1];
    struct rack_start start[STEPS];
};

static void open_trial(struct trial *t)
{
    *t = (struct trial){0};
    rack_compile(&t->rack, &pipeline);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t->rack.plan);
    CU_ASSERT_EQUAL_FATAL(plan_prefill_rows(t->rack.plan), PASS);
    t->folder = little_model_write(&plain);
    for (int32_t s = 0; s < SEQUENCES; s++)
        for (int32_t r = 0; r <= PASS; r++)
            t->prompt[s][r] = (7 + 31 * s + 13 * r) % 200;
}

static void close_trial(struct trial *t)
{
    little_model_remove(t->folder);
    rack_release(&t->rack);
}

/* Fresh chips execute `count` steps of t->start. */
static void execute(struct trial *t, int32_t count)
{
    rack_stop(&t->rack);
    rack_start(&t->rack);
    rack_compute(&t->rack, CHIP_INT8, t->folder);
    rack_overlap(&t->rack, t->start, count);
    CU_ASSERT_EQUAL(rack_violations(&t->rack), 0);
}

/* Pass or decode step `step` of a sequence, which takes what the decode step at `before` gives. */
static struct rack_start step_of(struct trial *t, int32_t sequence, int32_t step, int64_t cycle,
                                 const struct rack_start *before)
{
    bool pass = step == 0, first = step == 1;
    return (struct rack_start){.cycle = cycle,
                               .phase = pass ? PARTITION_PREFILL : PARTITION_DECODE,
                               .cache = sequence,
                               .position = pass ? 0 : PASS - 1 + step,
                               .token = pass    ? t->prompt[sequence]
                                        : first ? &t->prompt[sequence][PASS]
                                                : before->gives};
}

static void run_alone(struct trial *t, int32_t sequence, int32_t token[TOKENS])
{
    int64_t cycle = 0;
    for (int32_t n = 0; n <= TOKENS; n++) {
        t->start[n] = step_of(t, sequence, n, cycle, n > 1 ? &t->start[n - 1] : NULL);
        cycle += rack_latency(&t->rack, t->start[n].phase);
    }
    execute(t, TOKENS + 1);
    for (int32_t n = 0; n < TOKENS; n++)
        token[n] = t->start[n + 1].gives[0];
}

/* Passes follow each other; then decode steps of all sequences in turn. */
static void run_together(struct trial *t, int32_t token[SEQUENCES][TOKENS])
{
    struct interval_found f = interval_of(plan_interval(t->rack.plan));
    int64_t length = rack_latency(&t->rack, PARTITION_DECODE), cycle = 0;
    int64_t turn = SEQUENCES * f.cycles[PARTITION_DECODE] > length
                       ? SEQUENCES * f.cycles[PARTITION_DECODE]
                       : length;
    for (int32_t s = 0; s < SEQUENCES; s++, cycle += f.cycles[PARTITION_PREFILL])
        t->start[s] = step_of(t, s, 0, cycle, NULL);
    cycle += rack_latency(&t->rack, PARTITION_PREFILL);
    for (int32_t n = SEQUENCES; n < STEPS; n++) {
        int32_t s = n % SEQUENCES, step = n / SEQUENCES;
        t->start[n] =
            step_of(t, s, step, cycle + (step - 1) * turn + s * f.cycles[PARTITION_DECODE],
                    step > 1 ? &t->start[n - SEQUENCES] : NULL);
    }
    execute(t, STEPS);
    for (int32_t n = SEQUENCES; n < STEPS; n++)
        token[n % SEQUENCES][n / SEQUENCES - 1] = t->start[n].gives[0];
}

static void sequences_in_flight_give_their_own_tokens(void)
{
    struct trial *t = base_alloc(1, sizeof *t);
    int32_t alone[SEQUENCES][TOKENS], together[SEQUENCES][TOKENS];
    open_trial(t);
    run_together(t, together);
    for (int32_t s = 0; s < SEQUENCES; s++)
        run_alone(t, s, alone[s]);
    CU_ASSERT_EQUAL(memcmp(alone, together, sizeof alone), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(alone[0], alone[1], sizeof alone[0]), 0);
    close_trial(t);
    base_free(t);
}

TEST_MAIN("values in flight", TEST(sequences_in_flight_give_their_own_tokens))
