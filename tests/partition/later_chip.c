/* SPDX-License-Identifier: BSD-3-Clause */
/* A later chip, whose link slots are shorter than a tensor group is wide and whose slices have four
 * banks: the same compiler, and the contract holds. */
#include <stdlib.h>

#include "partition/partition.h"
#include "play.h"
#include "rack.h"
#include "test.h"

static struct lpu_chip later_chip(void)
{
    char *file = test_source_path("configs/rack_lp30.cfg");
    struct lpu_chip chip = play_machine(file);
    free(file);
    return chip;
}

/* What a plan refers to as long as it lives. */
struct job {
    struct lpu_chip chip;
    struct lpu_rack rack;
    struct model model;
    struct bucket bucket;
    struct workload workload;
    struct play play;
};

/* Two layers of a shipped model whose heads divide by eight. */
static struct plan *compile(struct job *job, struct lpu_rack rack)
{
    struct base_report report = {0};
    enum base_status status;
    *job = (struct job){.chip = later_chip(),
                        .rack = rack,
                        .model = rack_shipped_model("TinyLlama-1.1B"),
                        .bucket = {.max_sequence = 256, .batch = 1, .prefill_chunk = 32},
                        .workload = {.prompt_tokens = 32, .decode_tokens = 2}};
    job->model.layers = 2;
    play_open_rack(&job->play, &job->chip, &job->rack);
    struct partition_input input = {
        &job->chip, &job->rack, &job->play.topology, &job->model, &job->bucket, &job->workload, 1};
    struct plan *plan = plan_compile(&input, &report, &status);
    base_report_print(&report, stderr);
    base_report_release(&report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    return plan;
}

static void run(enum partition_phase phase, struct lpu_rack rack)
{
    struct job job;
    struct plan *plan = compile(&job, rack);
    CU_ASSERT_EQUAL(plan_group(plan), rack.tensor_group);
    for (int32_t c = 0; c < job.play.chips; c++)
        plan_program(plan, phase, c, &job.play.program[c]);
    play_start(&job.play, false);
    struct play_result r = play_step(&job.play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, plan_length_cycles(plan, phase));
    play_close(&job.play);
    plan_release(plan);
}

static void run_both(struct lpu_rack rack)
{
    run(PARTITION_DECODE, rack);
    run(PARTITION_PREFILL, rack);
}

static void a_tray_runs_a_model(void)
{
    const struct lpu_chip chip = later_chip();
    CU_ASSERT_TRUE(machine_link_slot_cycles(&chip) < 8);
    run_both((struct lpu_rack){.nodes = 1, .chips_per_node = 8, .tensor_group = 8});
    run_both((struct lpu_rack){.nodes = 1, .chips_per_node = 4, .tensor_group = 2});
}

static void trays_run_a_model(void)
{
    run_both((struct lpu_rack){
        .nodes = 2, .chips_per_node = 8, .tensor_group = 8, .pipeline_stages = 2});
}

TEST_MAIN("a later chip", TEST(a_tray_runs_a_model), TEST(trays_run_a_model))
