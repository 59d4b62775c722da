/* SPDX-License-Identifier: BSD-3-Clause */
/* An MLP that no stage holds is cut in two, keeps the contract, and computes what the whole does.
 */
#include "test.h"

#include "../values/little_model.h"
#include "rack.h"

/* Three layers of which two fill a chip of few rows, for the better part with their MLPs. */
#define HEAVY(its_name, its_ffn)                                                                   \
    {                                                                                              \
        .name = its_name, .architecture = "LlamaForCausalLM", .model_type = "llama", .layers = 3,  \
        .hidden = 320, .heads = 4, .kv_heads = 4, .head_dim = 64, .ffn = its_ffn,                  \
        .vocabulary = 200, .max_positions = 512, .norm_epsilon = 1e-5, .rope_theta = 1e4           \
    }
static const struct model heavy = HEAVY("heavy", 6400), heavier = HEAVY("heavier", 12800);

static const struct rack_case racks[] = {
    {.name = "2 chips",
     .model = &heavy,
     .group = 1,
     .vectors_per_slice = 1100,
     .chunk = 16,
     .prompt = 40},
    {.name = "2 nodes",
     .model = &heavy,
     .group = 2,
     .nodes = 2,
     .chips_per_node = 2,
     .vectors_per_slice = 560,
     .chunk = 16,
     .prompt = 40},
    {.name = "2 groups of a node",
     .model = &heavier,
     .group = 4,
     .chips_per_node = 8,
     .vectors_per_slice = 520,
     .chunk = 16,
     .prompt = 40},
};
enum { RACKS = sizeof racks / sizeof racks[0], COMPUTED = 2, STEPS = 4 };

static void compile(struct rack *rack, const struct rack_case *c, int32_t stages)
{
    struct rack_case with_stages = *c;
    with_stages.stages = stages;
    rack_compile(rack, &with_stages);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack->plan);
}

/* Of three blocks a layer after the embedding, the third is an MLP's second share. */
static int32_t cut_mlps(const struct rack *rack)
{
    int32_t cuts = 0;
    for (int32_t s = 1; s < plan_stages(rack->plan); s++)
        cuts += plan_stage(rack->plan, s)->first_block % 3 == 0;
    return cuts;
}

static void cut_mlps_keep_the_contract_and_their_length(void)
{
    for (int n = 0; n < RACKS; n++) {
        struct rack rack;
        compile(&rack, &racks[n], 2);
        CU_ASSERT_EQUAL(cut_mlps(&rack), 1);
        rack_start(&rack);
        rack_prompt(&rack);
        for (int32_t step = 0; step < STEPS; step++)
            CU_ASSERT_EQUAL(rack_step(&rack, PARTITION_DECODE, racks[n].prompt - 1 + step, step),
                            plan_length_cycles(rack.plan, PARTITION_DECODE));
        CU_ASSERT_EQUAL(rack_violations(&rack), 0);
        rack_release(&rack);
    }
}

static void whole_mlps_stay_whole_where_they_fit(void)
{
    for (int n = 0; n < RACKS; n++) {
        struct rack rack;
        struct rack_case roomy = racks[n];
        roomy.vectors_per_slice = 0;
        compile(&rack, &roomy, 2);
        CU_ASSERT_EQUAL(cut_mlps(&rack), 0);
        rack_release(&rack);
    }
}

/* Greedy tokens from a prompt on. */
static void generate(struct rack *rack, const struct rack_case *c, const char *folder,
                     int32_t *token)
{
    rack_start(rack);
    rack_compute(rack, CHIP_FP32, folder);
    rack_prompt(rack);
    for (int32_t step = 0; step < STEPS; step++) {
        rack_step(rack, PARTITION_DECODE, c->prompt - 1 + step, step ? token[step - 1] : 1);
        token[step] = rack_token(rack);
    }
    CU_ASSERT_EQUAL(rack_violations(rack), 0);
    rack_release(rack);
}

static void a_cut_mlp_computes_what_the_whole_does(void)
{
    char *folder = little_model_write(&heavy);
    for (int n = 0; n < COMPUTED; n++) {
        int32_t cut[STEPS], whole[STEPS];
        struct rack rack;
        struct rack_case roomy = racks[n];
        roomy.vectors_per_slice = 0;
        compile(&rack, &racks[n], 2);
        generate(&rack, &racks[n], folder, cut);
        compile(&rack, &roomy, 2);
        generate(&rack, &roomy, folder, whole);
        for (int step = 0; step < STEPS; step++)
            CU_ASSERT_EQUAL(cut[step], whole[step]);
    }
    little_model_remove(folder);
}

TEST_MAIN("shares of MLPs", TEST(cut_mlps_keep_the_contract_and_their_length),
          TEST(whole_mlps_stay_whole_where_they_fit), TEST(a_cut_mlp_computes_what_the_whole_does))
