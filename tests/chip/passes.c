/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that keep every promise run without a violation, and are counted right. */
#include "test.h"

#include <string.h>

#include "base/memory.h"
#include "rig.h"

static void release(struct program pair[2])
{
    program_release(&pair[0]);
    program_release(&pair[1]);
}

static void the_pair_is_valid_and_clean_over_many_steps(void)
{
    struct program pair[2];
    struct base_report report = {0};
    struct rig rig;
    rig_pair(pair);
    for (int32_t c = 0; c < 2; c++)
        CU_ASSERT_TRUE(program_is_valid(&rig_machine, &pair[c], &report));
    base_report_print(&report, stderr);
    rig_start(&rig, &rig_machine);
    for (int32_t position = 0; position < 40; position++)
        rig_step(&rig, pair, position);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    CU_ASSERT_EQUAL(rig.gave_up, 0);
    rig_print(&rig);
    rig_stop(&rig);
    release(pair);
}

static void an_empty_program_does_nothing(void)
{
    const struct program pair[2] = {{.chip = 0}, {.chip = 1}};
    struct base_report report = {0};
    struct rig rig;
    CU_ASSERT_TRUE(program_is_valid(&rig_machine, &pair[0], &report));
    rig_start(&rig, &rig_machine);
    rig_step(&rig, pair, 0);
    CU_ASSERT_EQUAL(rig.statistics[0].executed_length_cycles, 0);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    rig_stop(&rig);
}

static void a_step_is_counted(void)
{
    struct program pair[2];
    struct rig rig;
    rig_pair(pair);
    rig_start(&rig, &rig_machine);
    rig_step(&rig, pair, 0);
    const struct chip_statistics *s = rig.statistics;
    CU_ASSERT_EQUAL(s[0].instructions, (int64_t)pair[0].instructions);
    CU_ASSERT_EQUAL(s[0].messages_sent, 1);
    CU_ASSERT_EQUAL(s[1].messages_received, 1);
    CU_ASSERT_EQUAL(s[1].vectors, 4);
    CU_ASSERT_EQUAL(s[0].busy_cycles[CHIP_MXM_LOAD], 42);
    CU_ASSERT_EQUAL(s[0].busy_cycles[CHIP_MXM_COMPUTE], 8);
    CU_ASSERT_EQUAL(s[0].busy_cycles[CHIP_C2C], 96);
    CU_ASSERT_EQUAL(s[0].executed_length_cycles, pair[0].length_cycles);
    CU_ASSERT_EQUAL(s[1].executed_length_cycles, pair[1].length_cycles);
    rig_stop(&rig);
    release(pair);
}

static void a_chip_waits_for_its_message_and_says_for_what(void)
{
    struct program pair[2];
    struct rig rig;
    struct base_report report = {0};
    const struct program_runtime runtime = {0};
    rig_pair(pair);
    rig_start(&rig, &rig_machine);
    chip_load(rig.chip[1], &pair[1]);
    CU_ASSERT_TRUE_FATAL(chip_begin(rig.chip[1], &pair[1], &runtime, 0, &report));
    CU_ASSERT_EQUAL(chip_run(rig.chip[1], INT64_MAX), CHIP_WAITING);
    struct chip_wait wait = chip_waiting_for(rig.chip[1]);
    CU_ASSERT_EQUAL(wait.link, 0);
    CU_ASSERT_EQUAL(wait.cycle, 1450);
    CU_ASSERT_EQUAL(wait.layer, 5);
    CU_ASSERT_STRING_EQUAL(wait.tensor, "y");
    rig_stop(&rig);
    release(pair);
}

static void a_step_without_its_tokens_is_refused(void)
{
    struct program pair[2];
    struct rig rig;
    struct base_report report = {0};
    const struct program_runtime none = {0}, before = {.sequence = {{-1, 0}}};
    rig_pair(pair);
    rig_start(&rig, &rig_machine);
    chip_load(rig.chip[0], &pair[0]);
    CU_ASSERT_FALSE(chip_begin(rig.chip[0], &pair[0], &none, 0, &report));
    CU_ASSERT_EQUAL(report.count, 1);
    CU_ASSERT_FALSE(chip_begin(rig.chip[0], &pair[0], &before, 0, &report));
    CU_ASSERT_EQUAL(report.count, 3);
    base_report_release(&report);
    rig_stop(&rig);
    release(pair);
}

/* Only the outer lane of cache rows 0 and 16 is owned; a jump leaves rows that nobody wrote. */
static void cache_rows_count_across_steps_programs_and_replays(void)
{
    struct program pair[2], again[2];
    struct rig rig;
    rig_pair(pair);
    rig_pair(again);
    rig_start(&rig, &rig_machine);
    for (int32_t position = 0; position < 20; position++)
        rig_step(&rig, position % 2 ? pair : again, position);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    for (int32_t c = 0; c < 2; c++)
        chip_replayed(rig.chip[c], 30, &(struct program_sequence){50, 0}, 1);
    rig_step(&rig, pair, 50);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    rig_step(&rig, again, 0);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    rig_step(&rig, pair, 60);
    const struct chip_violation *v = rig_first(&rig, CHIP_RULE_RESIDENCY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    CU_ASSERT_STRING_EQUAL(v->expected, "k[0][0]");
    rig_stop(&rig);
    release(pair);
    release(again);
}

static void another_program_must_keep_what_is_resident(void)
{
    struct program pair[2], other[2];
    struct rig rig;
    rig_pair(pair);
    rig_pair(other);
    for (size_t n = 0; n < other[0].tensors; n++)
        if (strcmp(other[0].tensor[n].name, "k") == 0)
            other[0].tensor[n].address++;
    rig_start(&rig, &rig_machine);
    chip_load(rig.chip[0], &pair[0]);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    chip_load(rig.chip[0], &other[0]);
    const struct chip_violation *v = rig_first(&rig, CHIP_RULE_RESIDENCY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    CU_ASSERT_EQUAL(v->step, -1);
    CU_ASSERT_EQUAL(v->layer, 5);
    rig_stop(&rig);
    release(pair);
    release(other);
}

static void scratch_of_one_program_must_spare_weights_of_another(void)
{
    struct program pair[2], other[2];
    struct rig rig;
    rig_pair(pair);
    rig_pair(other);
    int32_t late = rig_tensor(&other[0], "late", PROGRAM_TENSOR_WEIGHT, 1, 70, 102, 1);
    other[0].tensor[late].layer = 9;
    CU_ASSERT_EQUAL(late, (int32_t)other[0].tensors - 1);
    rig_start(&rig, &rig_machine);
    chip_load(rig.chip[0], &pair[0]);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    for (size_t n = 0; n < other[0].tensors; n++)
        if (strcmp(other[0].tensor[n].name, "z") == 0)
            other[0].tensor[n].live_to = other[0].tensor[n].live_from;
    chip_load(rig.chip[0], &other[0]);
    CU_ASSERT_EQUAL(rig_violations(&rig), 1);
    CU_ASSERT_PTR_NOT_NULL(rig_first(&rig, CHIP_RULE_RESIDENCY));
    rig_stop(&rig);
    release(pair);
    release(other);
}

TEST_MAIN("chip passes", TEST(the_pair_is_valid_and_clean_over_many_steps),
          TEST(an_empty_program_does_nothing), TEST(a_step_is_counted),
          TEST(a_chip_waits_for_its_message_and_says_for_what),
          TEST(a_step_without_its_tokens_is_refused),
          TEST(cache_rows_count_across_steps_programs_and_replays),
          TEST(another_program_must_keep_what_is_resident),
          TEST(scratch_of_one_program_must_spare_weights_of_another))
