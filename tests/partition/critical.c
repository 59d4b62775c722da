/* SPDX-License-Identifier: BSD-3-Clause */
/* The critical path of a block covers it without a gap, transfers arrive before they are used, and
 * a survey of splits finds what the compiler finds. */
#include "partition/critical.h"

#include <stdio.h>
#include <string.h>

#include "partition/survey.h"
#include "rack.h"
#include "test.h"

static const struct rack_case racks[] = {
    {.name = "tiny, 1 chip", .stages = 1, .group = 1, .prompt = 33},
    {.name = "tiny, 1 stage of 4", .stages = 1, .group = 4, .prompt = 33},
    {.name = "qwen, 1 stage of 2", .model = &rack_qwen, .stages = 1, .group = 2, .prompt = 33},
    {.name = "wide, 2 stages of 2", .model = &rack_wide, .stages = 2, .group = 2, .prompt = 33},
    {.name = "mixture, 1 stage of 2", .model = &rack_mixture, .stages = 1, .group = 2},
};
enum { RACKS = sizeof racks / sizeof racks[0], MOST = 16 };

static int64_t cycles_of(const struct critical_path *path, const char *op, enum critical_unit unit)
{
    int64_t cycles = 0;
    for (size_t n = 0; n < path->parts; n++)
        if (path->part[n].unit == unit && (!op || strcmp(path->part[n].op, op) == 0))
            cycles += path->part[n].cycles;
    return cycles;
}

static void check_path(const struct rack *rack, const char *name, enum partition_block kind)
{
    struct critical_path path;
    int64_t sum = 0;
    critical_block(rack->plan, PARTITION_DECODE, kind, &path);
    for (size_t n = 0; n < path.parts; n++) {
        CU_ASSERT_TRUE(path.part[n].cycles > 0);
        sum += path.part[n].cycles;
    }
    CU_ASSERT_EQUAL(sum, path.cycles);
    /* Nothing waits for nothing but where the block's input is read. */
    int64_t idle = cycles_of(&path, NULL, CRITICAL_WAIT);
    CU_ASSERT_TRUE(idle <= 128);
    if (idle > 128)
        fprintf(stderr, "%s: %lld cycles in which the path waits for nothing\n", name,
                (long long)idle);
    critical_release(&path);
}

static void check_slacks(const struct rack *rack, enum partition_block kind)
{
    struct critical_slack slack[MOST];
    int32_t ops = critical_slacks(rack->plan, PARTITION_DECODE, kind, slack, MOST);
    bool exchanges = plan_group(rack->plan) > 1;
    CU_ASSERT_EQUAL(ops > 0, exchanges);
    for (int32_t n = 0; n < ops; n++) {
        CU_ASSERT_TRUE(slack[n].least >= 0);
        CU_ASSERT_TRUE(slack[n].median >= slack[n].least);
    }
}

static void a_path_covers_its_block(void)
{
    for (int n = 0; n < RACKS; n++) {
        struct rack rack;
        rack_compile(&rack, &racks[n]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        struct bound_step step;
        bound_step(rack.plan, PARTITION_DECODE, &step);
        for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++)
            if (step.block[kind].times) {
                check_path(&rack, racks[n].name, kind);
                check_slacks(&rack, kind);
            }
        bound_release(&step);
        rack_release(&rack);
    }
}

/* Moves are covered, too, and each takes a hop at least. */
static void paths_of_moves_take_their_hops(void)
{
    struct rack rack;
    struct critical_path path;
    int64_t sum = 0, hop = rack_chip()->c2c_hop_cycles;
    rack_compile(&rack, &(struct rack_case){.stages = 9, .group = 4, .nodes = 9});
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    critical_moves(rack.plan, PARTITION_DECODE, &path);
    for (size_t n = 0; n < path.parts; n++)
        sum += path.part[n].cycles;
    CU_ASSERT_EQUAL(sum, path.cycles);
    CU_ASSERT_TRUE(cycles_of(&path, NULL, CRITICAL_LINKS) >= 9 * hop);
    CU_ASSERT_TRUE(cycles_of(&path, NULL, CRITICAL_WAIT) < path.cycles / 4);
    critical_release(&path);
    rack_release(&rack);
}

/* The path of an exchange goes over a link, and takes at least its hop there. */
static void a_path_through_an_exchange_takes_a_hop(void)
{
    struct rack rack;
    struct critical_path path;
    rack_compile(&rack, &racks[1]);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    critical_block(rack.plan, PARTITION_DECODE, PARTITION_MLP, &path);
    CU_ASSERT_TRUE(cycles_of(&path, NULL, CRITICAL_LINKS) >= rack_chip()->c2c_hop_cycles);
    CU_ASSERT_EQUAL(cycles_of(&path, "gate", CRITICAL_LINKS), 0);
    critical_release(&path);
    rack_release(&rack);
}

static const struct survey_split *find(const struct survey *survey, int32_t stages, int32_t group)
{
    for (size_t n = 0; n < survey->splits; n++)
        if (survey->split[n].stages == stages && survey->split[n].group == group)
            return &survey->split[n];
    return NULL;
}

/* Nobody has fewer chips, quicker tokens, more of them and cheaper ones than one that is marked. */
static void check_marks(const struct survey *survey)
{
    int marked = 0;
    for (size_t n = 0; n < survey->splits; n++) {
        const struct survey_split *a = &survey->split[n];
        marked += a->best;
        for (size_t k = 0; a->best && k < survey->splits; k++) {
            const struct survey_split *b = &survey->split[k];
            CU_ASSERT_FALSE(b->chips < a->chips && b->user_tokens_s > a->user_tokens_s &&
                            b->all_tokens_s > a->all_tokens_s && b->token_joules < a->token_joules);
        }
    }
    CU_ASSERT_TRUE(marked > 0);
}

static void a_survey_measures_what_the_compiler_does(void)
{
    struct rack rack;
    struct survey survey;
    rack_compile(&rack, &(struct rack_case){.prompt = 33});
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    struct partition_input input = {
        &rack.machine, &rack.layout, &rack.topology, &rack.model, &rack.bucket, &rack.workload, 1};
    survey_splits(&input, &survey);
    const struct survey_split *own = find(&survey, plan_stages(rack.plan), plan_group(rack.plan));
    CU_ASSERT_PTR_NOT_NULL_FATAL(own);
    CU_ASSERT_EQUAL(own->decode_cycles, plan_length_cycles(rack.plan, PARTITION_DECODE));
    int64_t spent = rack.machine.sync_cycles;
    for (int of = 0; of < BOUND_CLASSES; of++)
        spent += own->share[of];
    CU_ASSERT_TRUE(spent >= own->decode_cycles && spent <= own->decode_cycles + own->stages);
    CU_ASSERT_TRUE(own->bound_cycles <= own->decode_cycles);
    for (size_t n = 0; n < survey.splits; n++) {
        CU_ASSERT_TRUE(survey.split[n].chips <= rack.topology.chips);
        CU_ASSERT_TRUE(survey.split[n].idle >= 0 && survey.split[n].idle < 1);
    }
    check_marks(&survey);
    survey_release(&survey);
    rack_release(&rack);
}

TEST_MAIN("critical paths and surveys", TEST(a_path_covers_its_block),
          TEST(a_path_through_an_exchange_takes_a_hop), TEST(paths_of_moves_take_their_hops),
          TEST(a_survey_measures_what_the_compiler_does))
